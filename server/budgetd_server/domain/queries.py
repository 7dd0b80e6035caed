"""Queries for pages of budgets, entries and reservations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from budgetd_server.domain.bounds import PAGE_SIZE_DEFAULT
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.reservation import Reservation, ReservationState
from budgetd_server.domain.status import BudgetStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetQuery:
    """Which budgets to list, in order of creation."""

    project_id: str
    #: Only budgets with a greater key. 0: from the first one on.
    after_key: int = 0
    #: At most this many rows are examined.
    rows_max: int = 1_000
    #: True: including deleted budgets.
    with_deleted: bool = False
    #: True: including all their models.
    with_models: bool = False
    # The filters below apply to budgets as of now, so a ledger leaves them to `matches`.
    id_prefix: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Only budgets with a limit whose used ratio is at least this. 0: any.
    used_ratio_min: float = 0.0
    #: Only the children of this budget. Empty: only roots. None: all.
    parent_id: str | None = None

    def matches(self, status: BudgetStatus) -> bool:
        """Return True if the budget passes every filter."""
        return (
            status.budget_id.startswith(self.id_prefix)
            and self.labels.items() <= status.labels.items()
            and status.used_ratio >= self.used_ratio_min
            and self.parent_id in (None, status.parent_id)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryQuery:
    """Which entries to list, newest first."""

    project_id: str
    #: Empty: all budgets of the project.
    budget_id: str = ""
    #: From this sequence number down. None: from the newest.
    from_seq: int | None = None
    #: At most this many entries are returned.
    page_size: int = PAGE_SIZE_DEFAULT
    #: At most this many rows are examined.
    rows_max: int = 2_000
    kinds: Sequence[EntryKind] = ()
    #: From this time on. None: no lower bound.
    start_at_us: int | None = None
    #: Before this time. None: no upper bound.
    end_at_us: int | None = None
    #: Empty: any.
    request_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def matches(self, entry: Entry) -> bool:
        """Return True if the entry passes every filter."""
        return (
            (not self.kinds or entry.kind in self.kinds)
            and (self.start_at_us is None or entry.created_at_us >= self.start_at_us)
            and (self.end_at_us is None or entry.created_at_us < self.end_at_us)
            and (not self.request_id or entry.request_id == self.request_id)
            and (not self.labels or self.labels.items() <= (entry.labels or {}).items())
        )


class EntryPage(NamedTuple):
    """One page of entries, and where the next one begins."""

    #: Each with its budget id.
    entries: Sequence[tuple[str, Entry]]
    #: None: this is the last page.
    next_seq: int | None
    #: The ids of the other budgets that they count on, by key.
    names: Mapping[int, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationQuery:
    """Which reservations to list, newest first."""

    project_id: str
    #: Empty: those of all budgets of the project.
    budget_id: str = ""
    #: None: in any state.
    state: ReservationState | None = None
    #: States are as of this time: a due hold counts as expired before its entry is written. 0: states as written.
    now_us: int = 0
    #: From this number down. None: from the newest.
    from_seq: int | None = None
    #: At most this many are returned.
    page_size: int = PAGE_SIZE_DEFAULT
    #: At most this many rows are examined.
    rows_max: int = 2_000

    def matches(self, reservation: Reservation) -> bool:
        """Return True if the reservation passes every filter."""
        return (not self.budget_id or reservation.budget_id == self.budget_id) and (
            self.state is None or reservation.state_at(self.now_us) is self.state
        )


class ReservationPage(NamedTuple):
    """One page of reservations, and where the next one begins."""

    reservations: Sequence[Reservation]
    #: The ids of the other budgets that they count on, by key.
    names: Mapping[int, str]
    #: None: this is the last page.
    next_seq: int | None


class Due(NamedTuple):
    """What is due by the clock alone and has not yet been carried out."""

    #: Pairs (project id, number) of open holds that have to expire.
    holds: Sequence[tuple[str, int]]
    #: Pairs (project id, budget id) of budgets with a window that is over.
    budgets: Sequence[tuple[str, str]]
    #: Ids of projects in which deletions are to be finished.
    deleting: Sequence[str] = ()
