"""A budget: what its owner configured, and what the ledger has counted for it.

Configuration is immutable and replaced as a whole. Counts are plain mutable sums, because one transaction may add
thousands of charges to the same ones; they belong to the working set of one transaction and never leave it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from budgetd_server.domain.lacking import StoredParts
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Lifetime, Span, Window

#: The id of the main limit, BudgetManager's `total_budget`.
MAIN = ""


class Unit(IntEnum):
    """What a limit counts; numbers as in the contract."""

    NANO_USD = 1
    TOKENS = 2
    CALLS = 3


class Action(IntEnum):
    """What a limit does once it would be passed; numbers as in the contract."""

    BLOCK = 1
    WARN = 2


class ResetMode(IntEnum):
    """Who ends a window: the server's clock, or ResetOnDuration alone; numbers as in the contract."""

    AUTOMATIC = 1
    ON_REQUEST = 2


#: Where a limit tells of itself unless its owner asks for other shares of its amount.
ALERT_RATIOS_DEFAULT = (0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A rule on a budget: at most `amount` of a unit in each window. Zero means nothing may be spent."""

    #: MAIN, or the name of one of the limits beside it.
    limit_id: str = MAIN
    unit: Unit = Unit.NANO_USD
    amount: int
    window: Window = field(default_factory=Lifetime)
    #: Names of models, each exact or a beginning that ends in "*"; empty: whatever the model, or none.
    models: tuple[str, ...] = ()
    action: Action = Action.BLOCK
    reset_mode: ResetMode = ResetMode.AUTOMATIC
    #: Shares of the amount, ascending, at which it tells once a window; empty: nowhere.
    alert_ratios: tuple[float, ...] = ALERT_RATIOS_DEFAULT

    def matches(self, model: str, other_names: Sequence[str]) -> bool:
        """True if what is spent on a model counts here.

        Args:
            model: Its name as it was sent; empty: none was.
            other_names: What else it is called, as stored with the entry or the hold (see `Prices.other_names`).
        """
        if not self.models:
            return True
        names = (model, *other_names) if model else other_names
        return any(_fits(pattern, name) for pattern in self.models for name in names)


def _fits(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


@dataclass(slots=True)
class Sums:
    """What a number of entries come to. Token parts are counted inside input and output."""

    cost_nano_usd: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    calls: int = 0

    def add(self, cost_nano_usd: int, usage: Usage | None, calls: int) -> None:
        """Count one more entry."""
        self.cost_nano_usd += cost_nano_usd
        self.calls += calls
        if usage is not None:
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
            self.cached_input_tokens += usage.cached_input_tokens
            self.cache_write_tokens += usage.cache_write_tokens
            self.reasoning_tokens += usage.reasoning_tokens

    def merge(self, other: "Sums") -> None:
        """Count everything that the other has counted."""
        self.add(other.cost_nano_usd, other.usage, other.calls)

    @property
    def usage(self) -> Usage:
        """The tokens."""
        return Usage(
            self.input_tokens,
            self.output_tokens,
            self.cached_input_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        )


@dataclass(slots=True)
class Counter:
    """The count of one limit: the sums of the entries that match it with a sequence number above `since_seq`.

    A budget without a main limit still has a main counter, whose `limit` is None and whose span never ends.
    """

    limit: Limit | None
    span: Span
    since_seq: int
    sums: Sums = field(default_factory=Sums)
    #: Units per hour as of `burn_at_us`; None there: nothing was counted that feeds it since it was made or reset.
    burn_rate_per_hour: int = 0
    burn_at_us: int | None = None
    #: Units that open holds keep.
    held: int = 0
    #: A bit for each of the limit's alert ratios that has told of itself in this window.
    alerts_fired: int = 0

    @property
    def unit(self) -> Unit:
        """What it counts."""
        return Unit.NANO_USD if self.limit is None else self.limit.unit

    @property
    def spent(self) -> int:
        """What was counted, in units of the limit."""
        unit = self.unit
        if unit is Unit.NANO_USD:
            return self.sums.cost_nano_usd
        return self.sums.input_tokens + self.sums.output_tokens if unit is Unit.TOKENS else self.sums.calls


@dataclass(slots=True, kw_only=True)
class BudgetState:
    """One incarnation of a budget, as a transaction reads and changes it.

    `models` holds only the models that were asked for; `models_count` says how many the window has.
    """

    project_key: int
    budget_key: int
    budget_id: str
    #: The budget that is charged along with this one; None and empty: this is a root.
    parent_key: int | None = None
    parent_id: str = ""
    #: True: it is never charged, and copied for budgets that are made by their first charge or hold.
    is_template: bool = False
    labels: Mapping[str, str]
    #: Grows with every change of configuration.
    version: int
    created_at_us: int
    updated_at_us: int
    deleted_at_us: int | None = None
    #: The request id of the deletion of an ancestor that has deleted this one, too, if the store has yet to note that
    #: with this one; None: it has, or there was none.
    deleted_by: str | None = None
    main: Counter
    #: The counters of the limits beside the main one, by limit id, in that order.
    named: dict[str, Counter] = field(default_factory=dict)
    models: dict[str, Sums] = field(default_factory=dict)
    models_count: int = 0
    #: None: the store has no sums by model beside `models`.
    stored_parts: StoredParts | None = None
    lifetime_cost_nano_usd: int = 0
    #: The sequence number of this budget id's newest entry, zero before the first: the head of its chain of entries.
    last_seq: int = 0

    # What the store has to write at the end of the transaction.
    is_new: bool = False
    is_counted: bool = False
    is_configured: bool = False
    #: True once the stored sums of all models are void; `models` then holds all that there are.
    is_models_cleared: bool = False
    #: The ids of limits that were taken away.
    removed_limits: set[str] = field(default_factory=set)

    @property
    def etag(self) -> str:
        """Changes with the configuration, and with nothing else."""
        return f"{self.budget_key}-{self.version}"

    def counters(self) -> Iterator[Counter]:
        """The counters, main one first."""
        yield self.main
        yield from self.named.values()

    def limits(self) -> tuple[Limit, ...]:
        """The limits, main one first."""
        return tuple(counter.limit for counter in self.counters() if counter.limit is not None)

    def counter(self, limit_id: str) -> Counter | None:
        """The counter of a limit; None: there is none of that id. The main one is always there."""
        return self.main if limit_id == MAIN else self.named.get(limit_id)

    def part(self, model: str) -> Sums | None:
        """The sums that are kept under the name of a model; None: nothing is, as far as is loaded."""
        sums = self.models.get(model)
        if sums is None and self.stored_parts is not None:
            self.stored_parts.look_for(self.budget_key, model)
        return sums

    def delete(self, at_us: int) -> None:
        """Be deleted; a budget that is deleted stays as it is."""
        self.deleted_at_us = self.updated_at_us = at_us
        self.version += 1

    def clear_models(self) -> None:
        """Forget what was counted by model."""
        self.models = {}
        self.stored_parts = None
        self.models_count = 0
        self.is_models_cleared = True
