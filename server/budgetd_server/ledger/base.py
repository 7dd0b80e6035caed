"""The seam between the engine and a store.

A store does two things. It carries out a batch of commands in one transaction: it loads what they touch, lets the
engine's function decide them, saves what has changed and commits; only after the commit does it return. And it answers
reads from snapshots that hold everything that was committed before the read began.

Driver errors stop at the store: whatever goes wrong with it becomes StoreUnavailable, with the cause kept.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeVar

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.state import State

T = TypeVar("T")

#: Decides a whole batch on its working set; the engine's, called inside the transaction.
Decide = Callable[[State], T]

BudgetKey = tuple[str, str]


class LedgerRefused(Exception):
    """A store that must not be opened: damaged, foreign, newer than this program, or not writable. The text says why."""


class Committed(NamedTuple):
    """How a commit went, for metrics and for fairness among processes."""

    #: From the first attempt to begin until the transaction had the lock, in seconds.
    lock_wait_seconds: float
    #: From having the lock until the commit returned, in seconds.
    transaction_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetQuery:
    """Which budgets to list, in order of creation."""

    project_id: str
    #: Only budgets with a greater key; 0: from the first.
    after_key: int = 0
    #: At most this many rows are looked at.
    rows_max: int = 1_000
    #: Empty: any.
    id_prefix: str = ""
    with_deleted: bool = False
    with_models: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Which entries to list, newest first."""

    project_id: str
    #: Empty: all budgets of the project.
    budget_id: str = ""
    #: Only entries of a lower number, by the chain of the budget if one is named; None: from the newest.
    from_seq: int | None = None
    #: At most this many rows are looked at.
    rows_max: int = 1_000
    kinds: Sequence[EntryKind] = ()
    #: From this time on; None: from ever.
    start_at_us: int | None = None
    #: Before this time; None: until now.
    end_at_us: int | None = None
    #: Empty: any.
    request_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


class EntryPage(NamedTuple):
    """Some entries, and where to look on."""

    #: With the budget id of each.
    entries: Sequence[tuple[str, Entry]]
    #: None: there are no more.
    next_seq: int | None


class Ledger(Protocol):
    """A store of budgets and entries."""

    async def commit(
        self, commands: Sequence[Command], decide: Decide[T], *, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Load what the commands touch, decide, save, and return once that is durable.

        Raises:
            StoreUnavailable: It is not, or not for sure: an error in COMMIT itself leaves the outcome unknown.
        """

    async def prove(self, now_us: int) -> None:
        """Write something and commit it, to prove that writing works; raises StoreUnavailable if not."""

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """The live ones of these budgets, those of `models_of` with all their models."""

    async def list_budgets(self, query: BudgetQuery) -> Sequence[BudgetState]:
        """One page of a project's budgets."""

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """One page of the ledger.

        Raises:
            BudgetNotFound: The query names a budget that never was.
        """

    async def recount(self, recount: Recount, project_id: str, rows_max: int) -> None:
        """Complete a recount from the ledger, at most `rows_max` entries in one read."""

    async def close(self) -> None:
        """Close everything; what was acknowledged stays."""
