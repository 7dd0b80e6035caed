"""What the machine drives: a working set in memory, or a ledger on a file; each call runs to its end."""

import asyncio
import pickle
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from budgetd_server.domain.budget import BudgetState, Limit
from budgetd_server.domain.commands import Command, Outcome, UpdateBudget
from budgetd_server.domain.configure import anchored
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.queries import ReservationQuery
from budgetd_server.domain.recount import Recount, begin_recount, limits_to_recount
from budgetd_server.domain.reservation import Reservation, ReservationState
from budgetd_server.domain.state import Project, State
from tests.ledger.stores import STORES, Result, all_entries, commit, decide_all

#: Few, so that short histories need several slices.
RECOUNT_ROWS_MAX = 3

Place = tuple[str, str]


class Kept(NamedTuple):
    """A reservation as the store has it."""

    state: ReservationState
    expires_at_us: int
    nano_usd: int
    tokens: int
    calls: int


def kept_of(reservation: Reservation) -> Kept:
    """A reservation, in short."""
    return Kept(
        reservation.state,
        reservation.expires_at_us,
        reservation.held_nano_usd,
        reservation.held_tokens,
        reservation.held_calls,
    )


class Store(Protocol):
    """Something that carries out batches."""

    def commit(self, commands: Sequence[Command[Any]], now_us: int) -> list[Result]:
        """Carry out a batch in one transaction."""

    def budgets(self, places: Sequence[Place]) -> Mapping[Place, BudgetState]:
        """The live ones of these budgets, with all their models."""

    def reservations(self, project_id: str) -> Mapping[int, Kept]:
        """All reservations of a project."""

    def entries(self, project_id: str) -> Sequence[Entry]:
        """All entries of a project, oldest first."""

    def recount(self, recount: Recount, project_id: str) -> None:
        """Complete the first step of a recount."""

    def close(self) -> None:
        """The end; raises AssertionError if what is stored is not sound."""


def with_first_step(store: Store, command: UpdateBudget, now_us: int) -> UpdateBudget:
    """An update with the first step of the recount that it needs, as the engine takes it."""
    place = (command.project_id, command.budget_id)
    budget = store.budgets([place]).get(place)
    if budget is None or not command.sets_limits:
        return command
    limits: Mapping[str, Limit | None] = limits_to_recount(budget, anchored(command.limits, budget.created_at_us))
    if not limits:
        return replace(command, recount=None)
    recount = begin_recount(budget, limits, now_us)
    store.recount(recount, command.project_id)
    return replace(command, recount=recount)


class MemoryStore:
    """One working set for as long as the store is; fast, and with no store behind it."""

    def __init__(self, project_ids: Sequence[str]) -> None:
        self._state = State()
        for number, project_id in enumerate(project_ids, start=1):
            self._state.add_project(Project(project_id, number))

    def commit(self, commands: Sequence[Command[Any]], now_us: int) -> list[Result]:
        """See Store."""
        return [self._decided(command, now_us) for command in commands]

    def _decided(self, command: Command[Any], now_us: int) -> Result:
        """Decide a command, and make sure that a refusal leaves everything as it was, but for holds that were due."""
        state, count = self._state, len(self._state.new_entries)
        before = pickle.dumps(vars(state))
        [result] = decide_all([command], state, now_us)
        if not isinstance(result, Outcome) and len(state.new_entries) == count:
            was = pickle.loads(before)
            left = [name for name, value in vars(state).items() if value != was[name] and name != "corrected"]
            assert left == [], f"{result!r} has left something behind"
        return result

    def budgets(self, places: Sequence[Place]) -> Mapping[Place, BudgetState]:
        """See Store."""
        return {place: self._state.budgets[place] for place in places if place in self._state.budgets}

    def reservations(self, project_id: str) -> Mapping[int, Kept]:
        """See Store."""
        reservations = self._state.reservations.items()
        return {seq: kept_of(each) for (owner, seq), each in reservations if owner == project_id}

    def entries(self, project_id: str) -> Sequence[Entry]:
        """See Store."""
        project_key = self._state.projects[project_id].project_key
        return [entry for entry in self._state.new_entries if entry.project_key == project_key]

    def recount(self, recount: Recount, project_id: str) -> None:
        """See Store."""
        entries = self.entries(project_id)
        key = recount.budget_key
        recount.until_seq = self._state.projects[project_id].last_seq
        recount.take(entry for entry in reversed(entries) if key in (entry.budget_key, *entry.other_keys))

    def close(self) -> None:
        """See Store."""


class LedgerStore:
    """A ledger of some kind; reads come from what is stored alone, after every commit.

    Args:
        name: Which of STORES.
    """

    def __init__(self, name: str) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._stored = STORES[name](Path(self._folder.name))
        self._runner = asyncio.Runner()
        self._ledger = self._runner.run(self._stored.open())

    def commit(self, commands: Sequence[Command[Any]], now_us: int) -> list[Result]:
        """See Store."""
        return self._runner.run(commit(self._ledger, *commands, now_us=now_us))

    def budgets(self, places: Sequence[Place]) -> Mapping[Place, BudgetState]:
        """See Store."""
        return self._runner.run(self._ledger.load_budgets(places, places))

    def reservations(self, project_id: str) -> Mapping[int, Kept]:
        """See Store."""
        query = ReservationQuery(project_id=project_id, page_size=10**6, rows_max=10**6)
        return {
            each.seq: kept_of(each) for each in self._runner.run(self._ledger.list_reservations(query)).reservations
        }

    def entries(self, project_id: str) -> Sequence[Entry]:
        """See Store."""
        return [entry for _, entry in self._runner.run(all_entries(self._ledger, project_id))][::-1]

    def recount(self, recount: Recount, project_id: str) -> None:
        """See Store."""
        self._runner.run(self._ledger.recount(recount, project_id, RECOUNT_ROWS_MAX))

    def close(self) -> None:
        """See Store."""
        try:
            self._runner.run(self._ledger.close())
            assert list(self._stored.deviations()) == []
        finally:
            self._runner.close()
            self._folder.cleanup()
