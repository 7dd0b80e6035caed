"""One row of the ledger: immutable, numbered, and chained to the previous entry of the same budget id."""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple, TypedDict

from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Usage


class EntryKind(IntEnum):
    """What an entry records; numbers as in the contract."""

    CHARGE = 1
    HOLD = 2
    SETTLE = 3
    RELEASE = 4
    EXPIRE = 5
    ADJUST = 6
    RESET = 7
    CREATE = 8
    UPDATE = 9
    DELETE = 10


class CostSource(IntEnum):
    """The source of the cost of a charge or a settlement; numbers as in the contract."""

    #: The entry is of another kind, or was written by a release that did not keep it.
    UNSPECIFIED = 0
    #: The caller, as a sum of its own.
    CALLER = 1
    #: A gateway between the caller and the provider.
    GATEWAY = 2
    #: The provider, in its answer.
    PROVIDER = 3
    #: The server, which priced the usage.
    USAGE = 4
    #: The server, which counted and priced the texts.
    TEXT = 5


class Cause(IntEnum):
    """Why the server wrote an entry, if its kind does not say it. The numbers are stored."""

    NONE = 0
    #: Of a RESET: the clock ended the window.
    WINDOW_ENDED = 1
    #: Of a RESET: requested by ResetCost or ResetOnDuration.
    REQUESTED = 2
    #: Of a RESET: the stored window was too far ahead of the clock, so the count was moved to the current window.
    CLOCK_STEPPED_BACK = 3
    #: Of a CREATE: it replaced a budget of the same id.
    REPLACED = 4
    #: Of a CREATE: a charge or a hold created the budget from its template.
    FROM_TEMPLATE = 5
    #: Of a RELEASE: the budget of the hold was deleted.
    BUDGET_DELETED = 6


class Entry(NamedTuple):
    """One entry; a named tuple, since a server makes tens of thousands of them a second.

    It adds its cost, its tokens and its calls to every limit that it matches on each of its budgets, and to nothing
    else. A correction counts only where the corrected entry still counts.
    """

    project_key: int
    #: The number in the project, without gaps. 1 is the first.
    seq: int
    budget_key: int
    #: The previous entry of the same budget id, across incarnations. Zero: none.
    previous_seq: int
    kind: EntryKind
    created_at_us: int
    cost_nano_usd: int = 0
    #: None: the caller gave no tokens.
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    #: None: no labels.
    labels: Mapping[str, str] | None = None
    #: Of a correction: the reason in the words of the caller. Empty: not given.
    reason: str = ""
    #: None: not given.
    event_at_us: int | None = None
    #: Empty: the caller gave the cost.
    price_version: str = ""
    windows_skipped: int = 0
    #: How many calls it counts as; of a correction also below zero.
    calls: int = 0
    #: The source of the cost.
    cost_source: CostSource = CostSource.UNSPECIFIED
    #: Other names of the model. Limits match these names and `model`, forever.
    other_names: tuple[str, ...] = ()
    #: The entry of the hold that it settles, releases or expires. None: it ends no hold.
    reservation_seq: int | None = None
    #: The entry that it corrects. None: it corrects no entry.
    adjusted_seq: int | None = None
    #: True: the real cost is unknown; it is what a hold reserved when it expired.
    is_estimated: bool = False
    #: True: it settles a hold that had expired.
    is_late: bool = False
    #: By how much a settlement is above what was held.
    overage_nano_usd: int = 0
    #: Of a reset: the limit that began again; empty: the main one.
    limit_id: str = ""
    cause: Cause = Cause.NONE
    #: How the call was served, as far as that changes its price.
    terms: CallTerms = STANDARD_TERMS
    #: Paths in the provider's answer that could not be read, so that nothing was charged for them.
    unread_fields: tuple[str, ...] = ()
    #: The keys of the other budgets that it counts on.
    other_keys: tuple[int, ...] = ()


class EntryFields(TypedDict, total=False):
    """The fields of an entry beyond its place in the ledger, all optional; see Entry for meanings and defaults."""

    cost_nano_usd: int
    usage: Usage | None
    model: str
    request_id: str
    labels: Mapping[str, str] | None
    reason: str
    event_at_us: int | None
    price_version: str
    windows_skipped: int
    calls: int
    cost_source: CostSource
    other_names: tuple[str, ...]
    reservation_seq: int | None
    adjusted_seq: int | None
    is_estimated: bool
    is_late: bool
    overage_nano_usd: int
    limit_id: str
    cause: Cause
    terms: CallTerms
    unread_fields: tuple[str, ...]
    other_keys: tuple[int, ...]
