"""The seam between the engine and a store.

A store does two things. It carries out a batch of commands in one transaction: it loads what they touch, lets the
engine's function decide them, saves what has changed and commits; only after the commit does it return. And it answers
reads from snapshots that hold everything that was committed before the read began.

Driver errors stop at the store: whatever goes wrong with it becomes StoreUnavailable, with the cause kept.
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

#: Decides a whole batch on its working set, as of a time; the engine's, called inside the transaction. If the working
#: set turns out to lack something, what it comes to is dropped, and it is called again with another one.
Decide = Callable[[State, int], T]
#: Microseconds since the Unix epoch.
Clock = Callable[[], int]

BudgetKey = tuple[str, str]


class LedgerRefused(Exception):
    """A store that must not be opened: damaged, foreign, newer than this program, not writable. The text says why."""


class LedgerBusy(LedgerRefused):
    """Another program kept the store locked for as long as opening waits; later it may be opened."""


class BatchEntangled(Exception):
    """What a batch's commands touch depends on each other too much to be loaded at once; fewer commands may do."""


class FileLost(LedgerRefused):
    """The store that is open is not the one that its name leads to. It is used again if it comes back."""

    kind = "file_lost"


class FileOutdated(LedgerRefused):
    """Another program has changed the tables of the store that is open: this one must not use it any more."""

    kind = "outdated"


#: Kinds of StoreUnavailable that the store itself has logged, in one line.
LOGGED_KINDS = frozenset({FileLost.kind, FileOutdated.kind})


class Committed(NamedTuple):
    """How a commit went, for metrics and for fairness among processes."""

    #: From the first attempt to begin until the transaction had the lock, in seconds.
    lock_wait_seconds: float
    #: From having the lock until the commit returned, in seconds.
    transaction_seconds: float


class Ledger(Protocol):
    """A store of budgets and entries."""

    #: Why the store must not be used at present, for whoever operates it; None: it may be.
    trouble: LedgerRefused | None
    #: Set when the store must never be used again by this program (FileOutdated).
    outdated: asyncio.Event

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Load what the commands touch, decide, save, and return once that is durable.

        The clock is read once the transaction keeps others from writing: its time is the time of everything in it.

        Raises:
            StoreUnavailable: It is not, or not for sure: an error in COMMIT itself leaves the outcome unknown.
            BatchEntangled: Nothing was done; the commands have to be sent in smaller batches.
        """

    async def prove(self, now_us: int) -> None:
        """Write something and commit it, to prove that writing works; raises StoreUnavailable if not."""

    async def check(self) -> None:
        """Look whether the store may still be used, as every read and write does; raises StoreUnavailable if not."""

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """The live ones of these budgets, those of `models_of` with all their models."""

    async def lineage(self, project_id: str, budget_ids: Sequence[str]) -> Sequence[Sequence[BudgetState]]:
        """Each of some live budgets with its ancestors, itself first; nothing for one that does not exist."""

    async def list_budgets(self, query: BudgetQuery) -> Sequence[BudgetState]:
        """One page of a project's budgets."""

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """One page of the ledger.

        Raises:
            BudgetNotFound: The query names a budget that never was.
        """

    async def entries(self, project_id: str, seqs: Sequence[int]) -> Mapping[int, Entry]:
        """Some entries of a project, by their numbers. Numbers that no entry has are left out."""

    async def reservation(self, project_id: str, seq: int) -> tuple[Reservation, Mapping[int, str]] | None:
        """A reservation, with the ids of its other budgets by their keys; None: there is none of that number."""

    async def list_reservations(self, query: ReservationQuery) -> ReservationPage:
        """One page of reservations.

        Raises:
            BudgetNotFound: The query names a budget that never was.
        """

    async def due(self, now_us: int, rows_max: int) -> Due:
        """What has to expire or roll, at most so many of each, what is due longest first."""

    async def recount(self, recount: Recount, project_id: str, rows_max: int) -> None:
        """Complete a recount from the ledger, at most `rows_max` entries in one read."""

    async def close(self) -> None:
        """Close everything; what was acknowledged stays."""
