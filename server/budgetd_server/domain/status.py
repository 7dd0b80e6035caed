"""Status of a budget and its limits at an instant, even if their windows have not been rolled in the store."""

from collections.abc import Mapping
from typing import NamedTuple

from budgetd_server.domain.bounds import US_PER_HOUR
from budgetd_server.domain.budget import MAIN, Action, BudgetState, Counter, Limit, Sums, Unit
from budgetd_server.domain.counting import burn_rate_at, due_roll, has_ended
from budgetd_server.domain.window import Span


class LimitStatus(NamedTuple):
    """Status of one limit. Amounts are in the limit's unit."""

    budget_id: str
    limit_id: str
    amount: int
    spent: int
    span: Span
    action: Action
    #: None: nothing was spent, except history, which has no rate.
    burn_rate_per_hour: int | None
    #: None: nothing remains, or the window ends before the rest is spent.
    exhaustion_at_us: int | None
    unit: Unit = Unit.NANO_USD
    #: What open holds reserve.
    held: int = 0
    #: The patterns of the models that count; empty: all.
    models: tuple[str, ...] = ()

    @property
    def remaining(self) -> int:
        """What may still be spent or held. Negative if the limit is exceeded."""
        return self.amount - self.spent - self.held

    @property
    def used_ratio(self) -> float:
        """(spent + held) / amount. For an amount of zero: 0 while nothing is used, then 1."""
        used = self.spent + self.held
        if self.amount == 0:
            return 1.0 if used else 0.0
        return used / self.amount

    @property
    def is_exceeded(self) -> bool:
        """True if spent and held together are above the amount; exactly the amount is not exceeded."""
        return self.spent + self.held > self.amount


class ModelStatus(NamedTuple):
    """The cost of one model in the main window."""

    model: str
    sums: Sums


class BudgetStatus(NamedTuple):
    """A budget at an instant: its configuration and its status."""

    budget_id: str
    #: Empty: a root.
    parent_id: str
    is_template: bool
    labels: Mapping[str, str]
    #: The limits as they are configured, main one first.
    rules: tuple[Limit, ...]
    etag: str
    created_at_us: int
    updated_at_us: int
    #: None: not deleted.
    deleted_at_us: int | None
    current_cost_nano_usd: int
    lifetime_cost_nano_usd: int
    limits: tuple[LimitStatus, ...]
    #: Only the loaded models, the most expensive one first.
    models: tuple[ModelStatus, ...]

    @property
    def main_limit(self) -> Limit | None:
        """The main limit as it is configured. None if the budget has none."""
        return self.rules[0] if self.rules and self.rules[0].limit_id == MAIN else None

    @property
    def used_ratio(self) -> float:
        """The used ratio of the main limit. 0 without one."""
        return self.limits[0].used_ratio if self.main_limit is not None else 0.0


def limit_statuses(budget: BudgetState, now_us: int) -> tuple[LimitStatus, ...]:
    """Return the status of each limit of a budget, main limit first."""
    if not budget.named:  # Fast path of every charge: most budgets have no other limit.
        return () if budget.main.limit is None else (limit_status(budget, budget.main, now_us),)
    return tuple(limit_status(budget, counter, now_us) for counter in budget.counters() if counter.limit is not None)


def limit_status(budget: BudgetState, counter: Counter, now_us: int) -> LimitStatus:
    """Return the status of one limit."""
    limit = counter.limit
    assert limit is not None, "a counter without a limit has no status"
    roll = due_roll(counter, now_us)
    span = counter.span if roll is None else roll.span
    spent = counter.spent if roll is None or roll.keeps_count else 0
    rate = burn_rate_at(counter, now_us)
    if rate is None and not spent:
        rate = 0
    return LimitStatus(
        budget.budget_id,
        limit.limit_id,
        limit.amount,
        spent,
        span,
        limit.action,
        rate,
        _exhaustion_at_us(limit.amount - spent - counter.held, rate, span, now_us),
        limit.unit,
        counter.held,
        limit.models,
    )


def budget_status(budget: BudgetState, now_us: int) -> BudgetStatus:
    """Return the status of a budget as of now."""
    limits = limit_statuses(budget, now_us)
    is_over = has_ended(budget.main, now_us)
    models = () if is_over else tuple(ModelStatus(model, sums) for model, sums in budget.models.items())
    return BudgetStatus(
        budget_id=budget.budget_id,
        parent_id=budget.parent_id,
        is_template=budget.is_template,
        labels=budget.labels,
        rules=budget.limits(),
        etag=budget.etag,
        created_at_us=budget.created_at_us,
        updated_at_us=budget.updated_at_us,
        deleted_at_us=budget.deleted_at_us,
        current_cost_nano_usd=0 if is_over else budget.main.sums.cost_nano_usd,
        lifetime_cost_nano_usd=budget.lifetime_cost_nano_usd,
        limits=limits,
        models=tuple(sorted(models, key=lambda each: (-each.sums.cost_nano_usd, each.model))),
    )


def _exhaustion_at_us(remaining: int, rate_per_hour: int | None, span: Span, now_us: int) -> int | None:
    if not rate_per_hour or remaining <= 0:
        return None
    at_us = now_us + remaining * US_PER_HOUR // rate_per_hour
    # More than a hundred years ahead, the rate is practically zero.
    if at_us - now_us > 100 * 366 * 24 * US_PER_HOUR or (span.end_at_us is not None and at_us >= span.end_at_us):
        return None
    return at_us
