"""How counts change: an entry is added, a window ends, a rate decays."""

from math import exp2, log

from budgetd_server.domain.bounds import COUNTER_MAX, MODELS_PER_WINDOW_MAX, OTHER_MODELS, US_PER_HOUR
from budgetd_server.domain.budget import BudgetState, Counter, Limit, ResetMode, Sums
from budgetd_server.domain.errors import CounterOverflow
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime, Roll, Span, length_us, rolled, window_at

_LN_2 = log(2)


def first_span(limit: Limit | None, now_us: int) -> Span:
    """The window in which a limit begins to count."""
    if limit is None:
        return window_at(Lifetime(), now_us)
    if limit.reset_mode is ResetMode.ON_REQUEST and isinstance(limit.window, Fixed):
        return Span(limit.window.anchor_at_us, limit.window.anchor_at_us + limit.window.length_us)
    return window_at(limit.window, now_us)


def due_roll(counter: Counter, now_us: int) -> Roll | None:
    """The step into another window that the counter has to make at `now_us`; None: it stays where it is."""
    start_at_us, end_at_us = counter.span
    if start_at_us is None or end_at_us is None or start_at_us <= now_us < end_at_us:
        return None
    if counter.limit is None or counter.limit.reset_mode is ResetMode.ON_REQUEST:
        return None
    return rolled(counter.limit.window, counter.span, now_us)


def has_ended(counter: Counter, now_us: int) -> bool:
    """True if the counter's window is over by itself, so that it counts from zero."""
    roll = due_roll(counter, now_us)
    return roll is not None and not roll.keeps_count


def check_room(budget: BudgetState, cost_nano_usd: int, usage: Usage | None, now_us: int) -> None:
    """Make sure that no counter would pass its largest value.

    The lifetime is never less than any window, so it speaks for the money of all of them.

    Raises:
        CounterOverflow: One would.
    """
    if budget.lifetime_cost_nano_usd + cost_nano_usd > COUNTER_MAX:
        raise CounterOverflow(
            counter="the lifetime cost in nano-USD", value=budget.lifetime_cost_nano_usd, added=cost_nano_usd
        )
    if usage is not None:
        sums = budget.main.sums
        tokens = sums.input_tokens + sums.output_tokens
        passes = tokens + usage.input_tokens + usage.output_tokens > COUNTER_MAX
        if passes and not has_ended(budget.main, now_us):
            raise CounterOverflow(counter="the count of tokens", value=tokens, added=usage.tokens)


def count(budget: BudgetState, model: str, cost_nano_usd: int, usage: Usage | None, *, calls: int, now_us: int) -> None:
    """Add one entry to everything that it counts on."""
    budget.is_counted = True
    budget.lifetime_cost_nano_usd += cost_nano_usd
    counter = budget.main
    counter.sums.add(cost_nano_usd, usage, calls)
    model_sums(budget, model).add(cost_nano_usd, usage, calls)
    _burn(counter, cost_nano_usd, now_us)


def counted_model(budget: BudgetState, model: str) -> str:
    """The name under which a model counts: its own, or that of the rest once a window has seen too many."""
    if model in budget.models or budget.models_count < MODELS_PER_WINDOW_MAX:
        return model
    return OTHER_MODELS


def model_sums(budget: BudgetState, model: str) -> Sums:
    """The sums that a model's entries count on, made if this is the first of them."""
    sums = budget.models.get(model)
    if sums is None:
        name = counted_model(budget, model)
        sums = budget.models.get(name)
        if sums is None:
            sums = budget.models[name] = Sums()
            budget.models_count += 1
    return sums


def begin_again(budget: BudgetState, *, span: Span, since_seq: int) -> None:
    """Let the main counter count from zero, in `span`, what comes after `since_seq`. The burn rate goes on."""
    counter = budget.main
    counter.span = span
    counter.since_seq = since_seq
    counter.sums = Sums()
    budget.clear_models()
    budget.is_counted = True
    budget.is_configured = True


def burn_rate_at(counter: Counter, now_us: int) -> int | None:
    """The decayed rate of spending in nano-USD per hour; None: nothing was ever counted."""
    if counter.burn_at_us is None:
        return None
    elapsed_us = now_us - counter.burn_at_us
    if elapsed_us <= 0:
        return counter.burn_rate_per_hour
    return round(counter.burn_rate_per_hour * exp2(-elapsed_us / _half_life_us(counter)))


def _burn(counter: Counter, cost_nano_usd: int, now_us: int) -> None:
    """Let the rate decay until now and add a cost: over all time, the rate's integral is the sum of the costs."""
    start_at_us, end_at_us = counter.span
    if start_at_us is None or end_at_us is None:
        added = cost_nano_usd * _LN_2  # The half-life is an hour.
    else:
        added = cost_nano_usd * _LN_2 * US_PER_HOUR / _half_life_us(counter)
    burnt_at_us = counter.burn_at_us
    if burnt_at_us is None or now_us > burnt_at_us:  # Not so for most charges of a batch, which share one instant.
        counter.burn_rate_per_hour = burn_rate_at(counter, now_us) or 0
        counter.burn_at_us = now_us
    rate = counter.burn_rate_per_hour + round(added)
    counter.burn_rate_per_hour = 0 if rate < 0 else min(rate, COUNTER_MAX)


def _half_life_us(counter: Counter) -> int:
    window_us = length_us(counter.span)
    return US_PER_HOUR if window_us is None else min(US_PER_HOUR, max(window_us // 10, 1))
