"""A budget: what its owner configured, and what the ledger has counted for it.

Configuration is immutable and replaced as a whole. Counts are plain mutable sums, because one transaction may add
thousands of charges to the same ones; they belong to the working set of one transaction and never leave it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Lifetime, Span, Window

#: The id of the main limit, BudgetManager's `total_budget`.
MAIN = ""


class Action(IntEnum):
    """What a limit does once it would be passed; numbers as in the contract."""

    BLOCK = 1
    WARN = 2


class ResetMode(IntEnum):
    """Who ends a window: the server's clock, or ResetOnDuration alone; numbers as in the contract."""

    AUTOMATIC = 1
    ON_REQUEST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A rule on a budget: at most `amount` nano-USD in each window. Zero means nothing may be spent."""

    limit_id: str = MAIN
    amount: int
    window: Window = field(default_factory=Lifetime)
    action: Action = Action.BLOCK
    reset_mode: ResetMode = ResetMode.AUTOMATIC


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
    """The count of one limit: the sums of the entries with a sequence number above `since_seq`.

    A budget without a main limit still has a main counter, whose `limit` is None and whose span never ends.
    """

    limit: Limit | None
    span: Span
    since_seq: int
    sums: Sums = field(default_factory=Sums)
    #: Units per hour as of `burn_at_us`; None there: nothing was ever counted.
    burn_rate_per_hour: int = 0
    burn_at_us: int | None = None


@dataclass(slots=True, kw_only=True)
class BudgetState:
    """One incarnation of a budget, as a transaction reads and changes it.

    `models` holds only the models that were asked for; `models_count` says how many the window has.
    """

    project_key: int
    budget_key: int
    budget_id: str
    labels: Mapping[str, str]
    #: Grows with every change of configuration.
    version: int
    created_at_us: int
    updated_at_us: int
    deleted_at_us: int | None = None
    main: Counter
    models: dict[str, Sums] = field(default_factory=dict)
    models_count: int = 0
    lifetime_cost_nano_usd: int = 0
    #: The sequence number of this budget id's newest entry, zero before the first: the head of its chain of entries.
    last_seq: int = 0

    # What the store has to write at the end of the transaction.
    is_new: bool = False
    is_counted: bool = False
    is_configured: bool = False
    #: True once the stored sums of all models are void; `models` then holds all that there are.
    is_models_cleared: bool = False

    @property
    def etag(self) -> str:
        """Changes with the configuration, and with nothing else."""
        return f"{self.budget_key}-{self.version}"

    def clear_models(self) -> None:
        """Forget what was counted by model."""
        self.models = {}
        self.models_count = 0
        self.is_models_cleared = True
