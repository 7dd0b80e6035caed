"""How counts change: an entry is added, a window ends, a rate decays."""

from math import exp2, log
from typing import NamedTuple

from budgetd_server.domain.bounds import COUNTER_MAX, MODELS_PER_WINDOW_MAX, OTHER_MODELS, US_PER_HOUR
from budgetd_server.domain.budget import BudgetState, Counter, Limit, ResetMode, Sums, Unit
from budgetd_server.domain.errors import CounterOverflow
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime, Roll, Span, length_us, rolled, window_at

_LN_2 = log(2)


def first_span(limit: Limit | None, now_us: int) -> Span:
    """Return the window in which a limit begins to count."""
    if limit is None:
        return window_at(Lifetime(), now_us)
    if limit.reset_mode is ResetMode.ON_REQUEST and isinstance(limit.window, Fixed):
        return Span(limit.window.anchor_at_us, limit.window.anchor_at_us + limit.window.length_us)
    return window_at(limit.window, now_us)


def due_roll(counter: Counter, now_us: int) -> Roll | None:
    """Return the step into another window that is due for the counter at `now_us`. None if none is due."""
    start_at_us, end_at_us = counter.span
    if start_at_us is None or end_at_us is None or start_at_us <= now_us < end_at_us:
        return None
    if counter.limit is None or counter.limit.reset_mode is ResetMode.ON_REQUEST:
        return None
    return rolled(counter.limit.window, counter.span, now_us)


def has_ended(counter: Counter, now_us: int) -> bool:
    """Return True if the clock has ended the counter's window, so that it counts from zero."""
    roll = due_roll(counter, now_us)
    return roll is not None and not roll.keeps_count


class Part(NamedTuple):
    """What an entry or a hold adds to each limit that it matches."""

    cost_nano_usd: int
    usage: Usage | None
    calls: int
    model: str = ""
    other_names: tuple[str, ...] = ()

    def of(self, unit: Unit) -> int:
        """Return this part's amount in the given unit."""
        if unit is Unit.NANO_USD:
            return self.cost_nano_usd
        if unit is Unit.TOKENS:
            return 0 if self.usage is None else self.usage.tokens
        return self.calls

    def matches(self, counter: Counter) -> bool:
        """Return True if it counts on the counter."""
        return counter.limit is None or counter.limit.matches(self.model, self.other_names)


def spent_at(counter: Counter, now_us: int) -> int:
    """Return what was spent in the current window, whether or not the counter has been rolled into it."""
    return 0 if has_ended(counter, now_us) else counter.spent


def check_room(budget: BudgetState, part: Part, now_us: int, *, freed_nano_usd: int = 0) -> None:
    """Make sure that no counter would exceed its largest value, even if all holds are charged in full.

    Args:
        budget: The budget whose counters are checked.
        part: The amounts to be added.
        now_us: The time.
        freed_nano_usd: The money of a hold that the same command releases.

    Raises:
        CounterOverflow: A counter would.
    """
    main = budget.main
    # Refunds of entries of earlier windows may have made the lifetime cost smaller than this window's.
    money = max(budget.lifetime_cost_nano_usd, main.sums.cost_nano_usd)
    money += main.held - freed_nano_usd
    if money + part.cost_nano_usd > COUNTER_MAX:
        raise CounterOverflow(counter="the lifetime cost in nano-USD", value=money, added=part.cost_nano_usd)
    if part.usage is not None:
        _check_tokens(main, part.usage, now_us)
        if budget.named:
            for counter in budget.named.values():
                _check_tokens(counter, part.usage, now_us)


def _check_tokens(counter: Counter, usage: Usage, now_us: int) -> None:
    tokens = counter.sums.input_tokens + counter.sums.output_tokens
    if tokens + usage.input_tokens + usage.output_tokens > COUNTER_MAX and not has_ended(counter, now_us):
        raise CounterOverflow(counter="the count of tokens", value=tokens, added=usage.tokens)


def count(
    budget: BudgetState, part: Part, now_us: int, *, corrects_seq: int | None = None, is_history: bool = False
) -> None:
    """Add one entry to all counts of a budget that it matches.

    Args:
        budget: One of the entry's budgets.
        part: The amounts that it adds.
        now_us: The time.
        corrects_seq: The entry that it corrects; it counts only where that one does. None: it counts everywhere.
        is_history: True: it was spent long ago, so the burn rates do not change.
    """
    cost_nano_usd, usage, calls = part.cost_nano_usd, part.usage, part.calls
    budget.is_counted = True
    budget.lifetime_cost_nano_usd += cost_nano_usd
    main = budget.main
    if corrects_seq is None or corrects_seq > main.since_seq:
        main.sums.add(cost_nano_usd, usage, calls)
        model_sums(budget, part.model).add(cost_nano_usd, usage, calls)
        if not is_history:
            _burn(main, cost_nano_usd, now_us)
    if not budget.named:
        return
    for counter in budget.named.values():
        if part.matches(counter) and (corrects_seq is None or corrects_seq > counter.since_seq):
            counter.sums.add(cost_nano_usd, usage, calls)
            if not is_history:
                _burn(counter, part.of(counter.unit), now_us)


def hold(budget: BudgetState, part: Part, *, sign: int) -> None:
    """Hold a part on each limit that it matches; with the sign -1, release it."""
    budget.is_counted = True
    for counter in budget.counters():
        if part.matches(counter):
            counter.held += sign * part.of(counter.unit)


def held_part(reservation: Reservation) -> Part:
    """Return what a reservation holds on each limit that it matches."""
    return Part(
        reservation.held_nano_usd,
        reservation.held_usage,
        reservation.held_calls,
        reservation.model,
        reservation.other_names,
    )


def counted_model(budget: BudgetState, model: str) -> str:
    """Return the name under which a model counts: its own, or OTHER_MODELS once a window has too many models."""
    if budget.part(model) is not None or budget.models_count < MODELS_PER_WINDOW_MAX:
        return model
    return OTHER_MODELS


def model_sums(budget: BudgetState, model: str) -> Sums:
    """Return the sums that a model's entries count on; create them for the first entry."""
    sums = budget.models.get(model)
    if sums is None:
        name = counted_model(budget, model)
        sums = budget.part(name)
        if sums is None:
            sums = budget.models[name] = Sums()
            budget.models_count += 1
    return sums


def begin_again(budget: BudgetState, counter: Counter, *, span: Span, since_seq: int, keeps_rate: bool = False) -> None:
    """Restart a counter at zero, in `span`, for the entries after `since_seq`. Holds stay.

    Args:
        budget: The budget of the counter.
        counter: The counter.
        span: The window that it counts in.
        since_seq: The entry after which it counts.
        keeps_rate: True: the burn rate is kept, since the window has only ended and no caller asked for a reset.
    """
    counter.span = span
    counter.since_seq = since_seq
    counter.sums = Sums()
    counter.alerts_fired = 0
    if not keeps_rate:
        counter.burn_rate_per_hour, counter.burn_at_us = 0, None
    if counter is budget.main:
        budget.clear_models()
    budget.is_counted = True
    budget.is_configured = True


def burn_rate_at(counter: Counter, now_us: int) -> int | None:
    """Return the decayed rate of spending in units per hour. None if nothing was counted that affects it."""
    if counter.burn_at_us is None:
        return None
    elapsed_us = now_us - counter.burn_at_us
    if elapsed_us <= 0:
        return counter.burn_rate_per_hour
    return round(counter.burn_rate_per_hour * exp2(-elapsed_us / _half_life_us(counter)))


def _burn(counter: Counter, units: int, now_us: int) -> None:
    """Decay the rate until now and add what was spent. Over all time, the integral of the rate is the sum spent."""
    start_at_us, end_at_us = counter.span
    if start_at_us is None or end_at_us is None:
        added = units * _LN_2  # The half-life is an hour.
    else:
        added = units * _LN_2 * US_PER_HOUR / _half_life_us(counter)
    burnt_at_us = counter.burn_at_us
    if burnt_at_us is None or now_us > burnt_at_us:  # False for most charges of a batch, which share one instant.
        counter.burn_rate_per_hour = burn_rate_at(counter, now_us) or 0
        counter.burn_at_us = now_us
    rate = counter.burn_rate_per_hour + round(added)
    counter.burn_rate_per_hour = 0 if rate < 0 else min(rate, COUNTER_MAX)


def _half_life_us(counter: Counter) -> int:
    window_us = length_us(counter.span)
    return US_PER_HOUR if window_us is None else min(US_PER_HOUR, max(window_us // 10, 1))
