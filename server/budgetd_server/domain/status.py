"""Where a budget and its limits stand at an instant, whether or not their windows have been rolled in the store."""

from collections.abc import Mapping
from typing import NamedTuple

from budgetd_server.domain.bounds import US_PER_HOUR
from budgetd_server.domain.budget import Action, BudgetState, Limit, Sums
from budgetd_server.domain.counting import burn_rate_at, due_roll, has_ended
from budgetd_server.domain.window import Span


class LimitStatus(NamedTuple):
    """Where one limit stands. Amounts in nano-USD."""

    budget_id: str
    limit_id: str
    amount: int
    spent: int
    span: Span
    action: Action
    #: None: nothing was ever counted.
    burn_rate_per_hour: int | None
    #: None: nothing remains, or the window ends before what remains is spent.
    exhaustion_at_us: int | None

    @property
    def remaining(self) -> int:
        """What may still be spent; negative once too much was."""
        return self.amount - self.spent

    @property
    def used_ratio(self) -> float:
        """Spent / amount; for an amount of zero, 0 while nothing was spent and 1 afterwards."""
        if self.amount == 0:
            return 1.0 if self.spent else 0.0
        return self.spent / self.amount

    @property
    def is_exceeded(self) -> bool:
        """True once more was spent than allowed; exactly the amount is within it."""
        return self.spent > self.amount


class ModelStatus(NamedTuple):
    """What one model cost in the main window."""

    model: str
    sums: Sums


class BudgetStatus(NamedTuple):
    """A budget at an instant: its configuration and where it stands. Amounts in nano-USD."""

    budget_id: str
    labels: Mapping[str, str]
    #: None: no main limit.
    main_limit: Limit | None
    etag: str
    created_at_us: int
    updated_at_us: int
    #: None: not deleted.
    deleted_at_us: int | None
    current_cost_nano_usd: int
    lifetime_cost_nano_usd: int
    limits: tuple[LimitStatus, ...]
    #: Dearest first; only the models that were read.
    models: tuple[ModelStatus, ...]

    @property
    def used_ratio(self) -> float:
        """That of the main limit; 0 without one."""
        return self.limits[0].used_ratio if self.limits else 0.0


def limit_statuses(budget: BudgetState, now_us: int) -> tuple[LimitStatus, ...]:
    """Where each limit of a budget stands, main limit first."""
    counter = budget.main
    if counter.limit is None:
        return ()
    roll = due_roll(counter, now_us)
    span = counter.span if roll is None else roll.span
    spent = counter.sums.cost_nano_usd if roll is None or roll.keeps_count else 0
    rate = burn_rate_at(counter, now_us)
    return (
        LimitStatus(
            budget.budget_id,
            counter.limit.limit_id,
            counter.limit.amount,
            spent,
            span,
            counter.limit.action,
            rate,
            _exhaustion_at_us(counter.limit.amount - spent, rate, span, now_us),
        ),
    )


def budget_status(budget: BudgetState, now_us: int) -> BudgetStatus:
    """A budget as of now."""
    limits = limit_statuses(budget, now_us)
    is_over = has_ended(budget.main, now_us)
    models = () if is_over else tuple(ModelStatus(model, sums) for model, sums in budget.models.items())
    return BudgetStatus(
        budget_id=budget.budget_id,
        labels=budget.labels,
        main_limit=budget.main.limit,
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
    # Beyond a hundred years the rate is about zero.
    if at_us - now_us > 100 * 366 * 24 * US_PER_HOUR or (span.end_at_us is not None and at_us >= span.end_at_us):
        return None
    return at_us
