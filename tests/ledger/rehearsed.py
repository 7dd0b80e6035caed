"""A ledger as the rehearsal of random histories wants it: each call runs to its end on a loop of its own."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.domain import counting
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command, UpdateBudget
from budgetd_server.domain.configure import anchored
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.recount import begin_recount, limits_to_recount
from budgetd_server.ledger.base import Ledger
from tests.domain.histories import PLACES, Batch
from tests.domain.rehearsal import Rehearsal, Result
from tests.ledger.stores import STORES, all_entries, commit

#: Few, so that short histories have more models than that.
MODELS_MAX = 3
#: Few, so that short histories need several slices.
RECOUNT_ROWS_MAX = 3


class LedgerStore:
    """A ledger under the rehearsal's seam; reads come from the store alone, after every commit."""

    def __init__(self, ledger: Ledger, runner: asyncio.Runner) -> None:
        self._ledger = ledger
        self._runner = runner
        self._budgets: Mapping[tuple[str, str], BudgetState] | None = None

    def commit(self, commands: Sequence[Command[Any]], now_us: int) -> list[Result]:
        """Carry out a batch in one transaction."""
        self._budgets = None
        return self._runner.run(commit(self._ledger, *commands, now_us=now_us))

    def budgets(self) -> Mapping[tuple[str, str], BudgetState]:
        """The live budgets, with all their models; read once after each commit."""
        if self._budgets is None:
            self._budgets = self._runner.run(self._ledger.load_budgets(PLACES, PLACES))
        return self._budgets

    def entries(self, project_id: str) -> Sequence[tuple[str, Entry]]:
        """All entries of a project, oldest first."""
        return self._runner.run(all_entries(self._ledger, project_id))[::-1]

    def first_step(self, command: UpdateBudget, now_us: int) -> UpdateBudget:
        """The first step of a recount, as the engine takes it."""
        budget = self.budgets().get((command.project_id, command.budget_id))
        if budget is None or not command.sets_limits:
            return command
        limits = limits_to_recount(budget, anchored(command.limits, budget.created_at_us))
        if not limits:
            return command
        recount = begin_recount(budget, limits, now_us)
        self._runner.run(self._ledger.recount(recount, command.project_id, RECOUNT_ROWS_MAX))
        return replace(command, recount=recount)


def play_on_store(name: str, folder: Path, history: Sequence[Batch]) -> None:
    """Play a history on a new store of a kind, and recount the whole store in the end.

    Raises:
        AssertionError: Store and model disagree, or an invariant is broken.
    """
    store = STORES[name](folder)
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setattr(counting, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        store.count_few_models(patch, MODELS_MAX)
        ledger = runner.run(store.open())
        try:
            Rehearsal(LedgerStore(ledger, runner), models_max=MODELS_MAX).play(history)
        finally:
            runner.run(ledger.close())
        assert store.deviations() == []
