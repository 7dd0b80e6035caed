"""The interface between the engine and a store.

A store does two things. It carries out a batch of commands in one transaction: it loads what they touch, lets the
engine's function decide them, saves what has changed, commits, and only then returns. And it answers reads from
snapshots of everything that was committed before the read began.

A store lets no driver error through: each becomes StoreUnavailable, with the driver's error as its cause.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.queries import BudgetQuery, Due, EntryPage, EntryQuery, ReservationPage, ReservationQuery
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.state import State

T = TypeVar("T")

#: The engine's function that decides a whole batch on its working set, as of a time, inside the transaction. If the
#: working set lacked something, the result is dropped and the function is called again with a new working set.
Decide = Callable[[State, int], T]
#: Microseconds since the Unix epoch.
Clock = Callable[[], int]

BudgetKey = tuple[str, str]


class LedgerRefused(Exception):
    """The store must not be opened: damaged, of another program, newer, or not writable. The text says why."""


class LedgerBusy(LedgerRefused):
    """Another program kept the store locked for as long as opening waits. A retry may succeed."""


class BatchEntangled(Exception):
    """The needs of a batch's commands depend too much on each other to be loaded at once. Split the batch."""


class FileLost(LedgerRefused):
    """The open store is not the one at its path any more. It is used again if it comes back."""

    kind = "file_lost"


class FileOutdated(LedgerRefused):
    """Another program has migrated the open store, so this one must not use it any more."""

    kind = "outdated"


#: Kinds of StoreUnavailable that the store itself has logged already.
LOGGED_KINDS = frozenset({FileLost.kind, FileOutdated.kind})


class Committed(NamedTuple):
    """Durations of a commit, for metrics and for fairness between processes."""

    #: Seconds from the first attempt to begin until the transaction had the lock.
    lock_wait_seconds: float
    #: Seconds from having the lock until the commit returned.
    transaction_seconds: float


class Ledger(Protocol):
    """A store of budgets and entries."""

    #: Why the store must not be used at present, in words for the operator. None: it may be used.
    trouble: LedgerRefused | None
    #: Set when the store must never be used again by this program (FileOutdated).
    outdated: asyncio.Event

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Load what the commands touch, decide, save, and return once the changes are durable.

        The clock is read after the transaction has taken the write lock, and gives the time of everything in it.

        Raises:
            StoreUnavailable: The changes are not durable; after an error in COMMIT itself, the outcome is unknown.
            BatchEntangled: Nothing was done. Send the commands in smaller batches.
        """

    async def prove(self, now_us: int) -> None:
        """Write and commit a heartbeat, to prove that writing works. Raises StoreUnavailable if it fails."""

    async def check(self) -> None:
        """Check that the store may still be used, as every read and write does. Raises StoreUnavailable if not."""

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """Return those of the given budgets that are live; those in `models_of` with all their models."""

    async def lineage(self, project_id: str, budget_ids: Sequence[str]) -> Sequence[Sequence[BudgetState]]:
        """Return each live budget followed by its ancestors. Empty for a budget that does not exist."""

    async def list_budgets(self, query: BudgetQuery) -> Sequence[BudgetState]:
        """Return one page of a project's budgets."""

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """Return one page of the ledger.

        Raises:
            BudgetNotFound: The query names a budget that has never existed.
        """

    async def entries(self, project_id: str, seqs: Sequence[int]) -> Mapping[int, Entry]:
        """Return entries of a project by number. Numbers without an entry are omitted."""

    async def reservation(self, project_id: str, seq: int) -> tuple[Reservation, Mapping[int, str]] | None:
        """Return a reservation, and the ids of its other budgets by key. None if no such reservation exists."""

    async def list_reservations(self, query: ReservationQuery) -> ReservationPage:
        """Return one page of reservations.

        Raises:
            BudgetNotFound: The query names a budget that has never existed.
        """

    async def due(self, now_us: int, rows_max: int) -> Due:
        """Return what has to expire or roll, at most `rows_max` of each, the longest overdue first."""

    async def recount(self, recount: Recount, project_id: str, rows_max: int) -> None:
        """Complete a recount from the ledger, with at most `rows_max` entries per read."""

    async def close(self) -> None:
        """Close the store. Everything that was acknowledged is kept."""
