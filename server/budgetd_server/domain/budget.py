"""A budget: its configuration, and what the ledger has counted for it.

Configuration is immutable and replaced as a whole. Counts are plain mutable sums, because one transaction may add
thousands of charges to the same ones. Only the transaction that loaded them may change them; reads must not.
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
    """The unit that a limit counts; numbers as in the contract."""

    NANO_USD = 1
    TOKENS = 2
    CALLS = 3


class Action(IntEnum):
    """What a limit does when spending would exceed it; numbers as in the contract."""

    BLOCK = 1
    WARN = 2


class ResetMode(IntEnum):
    """What ends a window: the server's clock, or only ResetOnDuration; numbers as in the contract."""

    AUTOMATIC = 1
    ON_REQUEST = 2


#: The alert ratios of a limit for which none are given.
ALERT_RATIOS_DEFAULT = (0.5, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A rule on a budget: at most `amount` of a unit in each window. Zero means nothing may be spent."""

    #: MAIN, or the name of an additional limit.
    limit_id: str = MAIN
    unit: Unit = Unit.NANO_USD
    amount: int
    window: Window = field(default_factory=Lifetime)
    #: Patterns of model names: an exact name, or a prefix followed by "*". Empty: any model, or none.
    models: tuple[str, ...] = ()
    action: Action = Action.BLOCK
    reset_mode: ResetMode = ResetMode.AUTOMATIC
    #: Shares of the amount, ascending, at which an alert fires once per window. Empty: no alerts.
    alert_ratios: tuple[float, ...] = ALERT_RATIOS_DEFAULT

    def matches(self, model: str, other_names: Sequence[str]) -> bool:
        """Return True if spending on a model counts towards this limit.

        Args:
            model: Its name as it was sent. Empty if none was sent.
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
    """The sums of a number of entries. Parts of the tokens are included in input and output."""

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
        """Add the sums of another one."""
        self.add(other.cost_nano_usd, other.usage, other.calls)

    @property
    def usage(self) -> Usage:
        """Return the tokens as a usage."""
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
    #: Units per hour as of `burn_at_us`. If that is None, nothing that affects it was counted since the last reset.
    burn_rate_per_hour: int = 0
    burn_at_us: int | None = None
    #: Units that open holds reserve.
    held: int = 0
    #: A bit for each of the limit's alert ratios that has fired in this window.
    alerts_fired: int = 0

    @property
    def unit(self) -> Unit:
        """The unit that it counts."""
        return Unit.NANO_USD if self.limit is None else self.limit.unit

    @property
    def spent(self) -> int:
        """The amount that was counted, in the unit of the limit."""
        unit = self.unit
        if unit is Unit.NANO_USD:
            return self.sums.cost_nano_usd
        return self.sums.input_tokens + self.sums.output_tokens if unit is Unit.TOKENS else self.sums.calls


@dataclass(slots=True, kw_only=True)
class BudgetState:
    """One incarnation of a budget, as a transaction reads and changes it.

    `models` holds only the models that were loaded; `models_count` is the number of models in the window.
    """

    project_key: int
    budget_key: int
    budget_id: str
    #: The budget that is charged together with this one. None, and an empty id, for a root.
    parent_key: int | None = None
    parent_id: str = ""
    #: True: it is never charged, but copied for budgets that their first charge or hold creates.
    is_template: bool = False
    labels: Mapping[str, str]
    #: Incremented by every change of the configuration.
    version: int
    created_at_us: int
    updated_at_us: int
    deleted_at_us: int | None = None
    #: The request id of an ancestor's deletion that has deleted this budget too, if the store has not yet written that
    #: to this budget's row. None if it has, or if there was no such deletion.
    deleted_by: str | None = None
    main: Counter
    #: The counters of the additional limits, by limit id, sorted by it.
    named: dict[str, Counter] = field(default_factory=dict)
    models: dict[str, Sums] = field(default_factory=dict)
    models_count: int = 0
    #: None: the store has no sums by model except those in `models`.
    stored_parts: StoredParts | None = None
    lifetime_cost_nano_usd: int = 0
    #: The sequence number of this budget id's newest entry, zero before the first: the head of its chain of entries.
    last_seq: int = 0

    # What the store has to write at the end of the transaction.
    is_new: bool = False
    is_counted: bool = False
    is_configured: bool = False
    #: True once the stored sums of all models are void; `models` is then complete.
    is_models_cleared: bool = False
    #: The ids of limits that were removed.
    removed_limits: set[str] = field(default_factory=set)

    @property
    def etag(self) -> str:
        """The version of the configuration, as callers see it. It changes only with the configuration."""
        return f"{self.budget_key}-{self.version}"

    def counters(self) -> Iterator[Counter]:
        """Yield the counters, the main one first."""
        yield self.main
        yield from self.named.values()

    def limits(self) -> tuple[Limit, ...]:
        """Return the limits, the main one first."""
        return tuple(counter.limit for counter in self.counters() if counter.limit is not None)

    def counter(self, limit_id: str) -> Counter | None:
        """Return the counter of a limit. None if no such limit exists; the main counter always exists."""
        return self.main if limit_id == MAIN else self.named.get(limit_id)

    def part(self, model: str) -> Sums | None:
        """Return the sums that are kept under the name of a model. None if none are loaded."""
        sums = self.models.get(model)
        if sums is None and self.stored_parts is not None:
            self.stored_parts.look_for(self.budget_key, model)
        return sums

    def delete(self, at_us: int) -> None:
        """Mark the budget as deleted. A deleted budget does not change any more."""
        self.deleted_at_us = self.updated_at_us = at_us
        self.version += 1

    def clear_models(self) -> None:
        """Drop the sums by model."""
        self.models = {}
        self.stored_parts = None
        self.models_count = 0
        self.is_models_cleared = True
