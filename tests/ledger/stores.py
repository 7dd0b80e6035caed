"""The stores that the contract tests run on: one class for each kind of ledger, found by its name in STORES."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pytest

from budgetd_server.domain.commands import Command, Outcome
from budgetd_server.domain.decide import decide
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.queries import EntryQuery
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.state import State
from budgetd_server.ledger import loading
from budgetd_server.ledger.base import Ledger
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import MONDAY_US, PROJECT

Result = Outcome[Any] | Refusal | StaleRecount
LOCK_WAIT_SECONDS = 20.0


class Store(Protocol):
    """One store, empty at first, which any number of ledgers may open at once."""

    async def open(self) -> Ledger:
        """Another ledger on this store."""

    def deviations(self) -> Sequence[object]:
        """What is wrong with what is stored; nothing if all is well."""

    def count_few_models(self, patch: pytest.MonkeyPatch, models_max: int) -> None:
        """Let its ledgers know that so few models are counted apart."""


class SqliteStore:
    """A file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "budgetd.db"

    async def open(self) -> Ledger:
        """See Store."""
        return await SqliteLedger.open(self.path)

    def deviations(self) -> Sequence[object]:
        """See Store."""
        return verify_file(self.path).deviations

    def count_few_models(self, patch: pytest.MonkeyPatch, models_max: int) -> None:
        """See Store."""
        patch.setattr(loading, "MODELS_PER_WINDOW_MAX", models_max)


#: Every kind of ledger by its name. A new one joins here, and every contract test runs on it.
STORES: Mapping[str, Callable[[Path], Store]] = {"sqlite": SqliteStore}


def decide_all(commands: Sequence[Command[Any]], state: State, now_us: int) -> list[Result]:
    """Decide a batch as the engine does: a refusal is one command's outcome."""
    results: list[Result] = []
    for command in commands:
        try:
            results.append(decide(state, command, now_us))
        except (Refusal, StaleRecount) as refusal:
            results.append(refusal)
    return results


async def commit(ledger: Ledger, *commands: Command[Any], now_us: int = MONDAY_US) -> list[Result]:
    """Carry out commands in one transaction; a result for each."""
    function = partial(decide_all, commands)
    results, _ = await ledger.commit(commands, function, clock=lambda: now_us, lock_wait_seconds=LOCK_WAIT_SECONDS)
    return results


async def carry_out(ledger: Ledger, *commands: Command[Any], now_us: int = MONDAY_US) -> list[Outcome[Any]]:
    """The same for commands none of which is refused."""
    outcomes = []
    for result in await commit(ledger, *commands, now_us=now_us):
        if not isinstance(result, Outcome):
            raise result
        outcomes.append(result)
    return outcomes


async def all_entries(ledger: Ledger, project_id: str = PROJECT, budget_id: str = "") -> list[tuple[str, Entry]]:
    """Every entry of a project, or of one budget id, newest first."""
    page = await ledger.list_entries(
        EntryQuery(project_id=project_id, budget_id=budget_id, page_size=10**6, rows_max=10**6)
    )
    assert page.next_seq is None
    return list(page.entries)
