"""The commands that the ledger carries out, as plain data, and their outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Generic, NamedTuple, TypeVar

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.entry import CostSource
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.results import (
    Charged,
    Configured,
    Deleted,
    Extended,
    Held,
    Released,
    Result,
    Settled,
    Swept,
    WindowsReset,
)
from budgetd_server.domain.status import BudgetStatus, LimitStatus
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Usage
from budgetd_server.domain.window import Fixed

R = TypeVar("R", bound=Result)
R_co = TypeVar("R_co", bound=Result, covariant=True)


class Rpc(IntEnum):
    """The scope of a request id. Items of a batch share the scope of the single call, so one may retry the other."""

    CREATE_BUDGET = 1
    UPDATE_BUDGET = 2
    DELETE_BUDGET = 3
    UPDATE_COST = 4
    ADJUST_COST = 5
    RESET_COST = 6
    RESET_ON_DURATION = 7
    RESET_ALL_ON_DURATION = 8
    RESERVE_COST = 9
    COMMIT_RESERVATION = 10
    RELEASE_RESERVATION = 11
    EXTEND_RESERVATION = 12


class Request(NamedTuple):
    """The request id that makes a retry idempotent, and the digest of the content that was sent with it."""

    request_id: str
    #: SHA-256 over the fields as they were sent.
    fingerprint: bytes


class Command(Generic[R_co]):
    """A command for the ledger; the type parameter is its result."""

    __slots__ = ()
    project_id: str


class Requested(Command[R_co]):
    """A command of a caller, with a request id."""

    __slots__ = ()
    request: Request


class _ChargeFields(NamedTuple):
    project_id: str
    budget_id: str
    request: Request
    cost_nano_usd: int
    model: str = ""
    usage: Usage | None = None
    labels: Mapping[str, str] | None = None
    event_at_us: int | None = None
    price_version: str = ""
    #: False: the outcome contains no limits, which saves time in batches.
    wants_limits: bool = True
    #: Why it could not be priced; raised unless its request id has taken effect before.
    refusal: Refusal | None = None
    #: Other names of the model (see `Prices.other_names`).
    other_names: tuple[str, ...] = ()
    #: Further budgets to be charged, with their ancestors.
    additional_ids: tuple[str, ...] = ()
    #: True: additional budgets that do not exist are skipped. False: the charge is refused if one does not exist.
    skips_missing: bool = False
    #: The template from which the budget is created if it does not exist. Empty: the charge is refused then.
    template_id: str = ""
    #: True: it is refused if it would exceed a blocking limit.
    rejects_over_limit: bool = False
    #: The source of the cost.
    cost_source: CostSource = CostSource.UNSPECIFIED
    #: How the call was served, as far as that changes its price.
    terms: CallTerms = STANDARD_TERMS
    #: Paths in the provider's answer that the caller could not read; kept with the entry.
    unread_fields: tuple[str, ...] = ()
    #: True: it was spent long ago and is imported from another ledger, so it fires no alerts and has no burn rate.
    is_history: bool = False
    #: The form of the provider's answer, for metrics. Empty: not given.
    usage_dialect: str = ""


class Charge(_ChargeFields, Requested[Charged]):
    """Record a cost that happened. A named tuple, since a server makes tens of thousands of them a second."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitDraft:
    """A limit as it was requested."""

    limit: Limit
    #: True: its fixed window was sent without an anchor, so it is anchored at the creation of its budget.
    anchors_at_creation: bool = False

    def anchored(self, created_at_us: int) -> Limit:
        """Return the complete limit for a budget that was created at `created_at_us`."""
        window = self.limit.window
        if not (self.anchors_at_creation and isinstance(window, Fixed)):
            return self.limit
        return replace(self.limit, window=replace(window, anchor_at_us=created_at_us))


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateBudget(Requested[Configured]):
    """Create a budget, or replace the budget of that id."""

    project_id: str
    budget_id: str
    request: Request
    #: Each limit id once.
    limits: tuple[LimitDraft, ...] = ()
    labels: Mapping[str, str]
    #: Empty: a root; if a budget is replaced, any parent.
    parent_id: str = ""
    is_template: bool = False
    replace_existing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateBudget(Requested[Configured]):
    """Set the named parts of a configuration; the others stay."""

    project_id: str
    budget_id: str
    request: Request
    sets_limits: bool = False
    limits: tuple[LimitDraft, ...] = ()
    #: The new parent. Empty: no parent. None: the parent stays.
    parent_id: str | None = None
    #: None: labels stay.
    labels: Mapping[str, str] | None = None
    #: Empty: any.
    etag: str = ""
    #: The sums of the new windows, as recently read from the ledger. None: not counted yet.
    recount: Recount | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteBudget(Requested[Deleted]):
    """Delete a budget; its history stays."""

    project_id: str
    budget_id: str
    request: Request
    etag: str = ""
    #: True: its descendants are deleted too, and the holds of all of them released.
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustCost(Requested[Charged]):
    """Correct what was spent by a signed amount."""

    project_id: str
    budget_id: str
    request: Request
    amount_nano_usd: int
    reason: str
    model: str = ""
    other_names: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    #: The entry of this budget that it corrects; None: it counts in the current windows.
    entry_seq: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetCost(Requested[Configured]):
    """Restart a budget's counts at zero, in the same windows."""

    project_id: str
    budget_id: str
    request: Request
    #: The limits to reset; MAIN is the main count. Empty: all.
    limit_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetOnDuration(Requested[WindowsReset]):
    """Restart the main limit's count if its window is over."""

    project_id: str
    budget_id: str
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetManyOnDuration(Requested[WindowsReset]):
    """One step of ResetAllOnDuration: reset those of the given budgets whose window is over; skip the others.

    Every step checks whether the whole run has been carried out before. Only the last step keeps the request id, with
    the outcome of the whole run: `reset_count_before` plus its own count.
    """

    project_id: str
    budget_ids: Sequence[str]
    request: Request
    reset_count_before: int = 0
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveCost(Requested[Held]):
    """Hold money, tokens and a call before the work is done."""

    project_id: str
    budget_id: str
    request: Request
    amount_nano_usd: int
    #: Tokens to be held. None: no tokens.
    usage: Usage | None = None
    model: str = ""
    other_names: tuple[str, ...] = ()
    ttl_us: int
    on_expiry: OnExpiry = OnExpiry.RELEASE
    #: The least money to hold. None: the whole amount or nothing.
    least_nano_usd: int | None = None
    labels: Mapping[str, str] | None = None
    additional_ids: tuple[str, ...] = ()
    skips_missing: bool = False
    template_id: str = ""
    #: How the work will be served, as far as that changes its price.
    terms: CallTerms = STANDARD_TERMS
    #: Why it could not be priced; raised unless its request id has taken effect before.
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitReservation(Requested[Settled]):
    """Book the real cost of a held call."""

    project_id: str
    reservation_seq: int
    request: Request
    cost_nano_usd: int
    usage: Usage | None = None
    #: Empty: the model of the hold.
    model: str = ""
    other_names: tuple[str, ...] = ()
    price_version: str = ""
    labels: Mapping[str, str] | None = None
    #: The source of the cost.
    cost_source: CostSource = CostSource.UNSPECIFIED
    #: How the work was served, as far as that changes its price.
    terms: CallTerms = STANDARD_TERMS
    #: Paths in the provider's answer that the caller could not read; kept with the entry.
    unread_fields: tuple[str, ...] = ()
    #: The form of the provider's answer, for metrics. Empty: not given.
    usage_dialect: str = ""
    #: True: the cost is a part, and the rest of the hold stays open.
    keeps_open: bool = False
    refusal: Refusal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseReservation(Requested[Released]):
    """Release what is held."""

    project_id: str
    reservation_seq: int
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendReservation(Requested[Extended]):
    """Let a hold expire later, or sooner: `ttl_us` from now."""

    project_id: str
    reservation_seq: int
    request: Request
    ttl_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep(Command[Swept]):
    """Expire holds, end windows and continue deletions of large trees in one project. Idempotent.

    The server sends it, not a caller.
    """

    project_id: str
    budget_ids: Sequence[str] = ()
    reservation_seqs: Sequence[int] = ()
    #: True: also write the deletion of some more budgets whose ancestors were deleted.
    finishes_deletions: bool = False


class Outcome(NamedTuple, Generic[R_co]):
    """The outcome of a command, once it is durable."""

    #: The sequence number of the entry that records it. Zero: no entry does.
    entry_seq: int
    result: R_co
    #: True: the request id had taken effect before, and the result is the first one.
    replayed: bool = False
    #: The status of the touched limits. Empty if not asked for.
    limits: tuple[LimitStatus, ...] = ()
    #: The budget as the command left it; None for charges, adjustments and budgets that are gone.
    budget: BudgetStatus | None = None
