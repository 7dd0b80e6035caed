"""Alert ratios: each one of a limit fires once per window, at the charge or hold that reaches it."""

from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

from budgetd_server.domain.budget import BudgetState, Counter, Limit, Unit
from budgetd_server.domain.state import State

#: Below 1 by more than the error of the floats.
_SAFETY = 0.999_999


def fire_all(state: State, budget: BudgetState) -> None:
    """Fire the alert ratios that the limits of a budget have newly reached."""
    _fire(state, budget.main)
    if budget.named:
        for counter in budget.named.values():
            _fire(state, counter)


def reach_silently(budget: BudgetState) -> None:
    """Mark the ratios that a budget's limits have reached as fired, without an alert: for imported history."""
    for counter in budget.counters():
        _newly_reached(counter)


def reached_alerts(counter: Counter) -> int:
    """Return a bit for each alert ratio that spent and held together have reached."""
    limit = counter.limit
    if limit is None:
        return 0
    used, bits = counter.spent + counter.held, 0
    for index, threshold in enumerate(_thresholds(limit.amount, limit.alert_ratios)):
        if used < threshold:
            break
        bits |= 1 << index
    return bits


def rearmed(counter: Counter, former: Limit | None) -> int:
    """Return the fired bits of a changed limit: the ratios that had fired before and are still reached."""
    limit = counter.limit
    if limit is None or former is None:
        return 0
    fired = {ratio for index, ratio in enumerate(former.alert_ratios) if counter.alerts_fired >> index & 1}
    kept = sum(1 << index for index, ratio in enumerate(limit.alert_ratios) if ratio in fired)
    return kept & reached_alerts(counter)


def _fire(state: State, counter: Counter) -> None:
    if _is_far_below(counter):  # The usual case, kept fast because every charge checks it.
        return
    if ratios := _newly_reached(counter):
        state.tally.alerts.extend((counter.unit, ratio) for ratio in ratios)


def _newly_reached(counter: Counter) -> tuple[float, ...]:
    """Mark the ratios that spent and held have reached; return those that had not fired in this window."""
    limit = counter.limit
    if limit is None or not limit.alert_ratios:
        return ()
    reached = reached_alerts(counter)
    fresh = reached & ~counter.alerts_fired
    if not fresh:
        return ()
    counter.alerts_fired |= reached
    return tuple(ratio for index, ratio in enumerate(limit.alert_ratios) if fresh >> index & 1)


def _is_far_below(counter: Counter) -> bool:
    """Return True if no ratio can be reached yet, or all have fired. A fast check in floats."""
    limit = counter.limit
    if limit is None or not limit.alert_ratios:
        return True
    ratios, sums = limit.alert_ratios, counter.sums
    if counter.alerts_fired and counter.alerts_fired + 1 == 1 << len(ratios):
        return True
    used = sums.cost_nano_usd if limit.unit is Unit.NANO_USD else counter.spent
    return used + counter.held < ratios[0] * limit.amount * _SAFETY


@lru_cache(maxsize=4096)
def _thresholds(amount: int, ratios: tuple[float, ...]) -> tuple[int, ...]:
    """Return the least use that reaches each ratio, ascending. At least 1, since zero use reaches no ratio."""
    return tuple(
        max(1, int((Decimal(repr(ratio)) * amount).to_integral_value(rounding=ROUND_CEILING))) for ratio in ratios
    )
