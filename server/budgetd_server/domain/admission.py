"""Admit a charge or hold only if every blocking limit of every budget that it touches has room for it."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from budgetd_server.domain.budget import Action, BudgetState, Counter, ResetMode, Unit
from budgetd_server.domain.counting import Part, due_roll, held_part, spent_at
from budgetd_server.domain.errors import Refusal, short_repr
from budgetd_server.domain.expiry import deleted_by, expire_due
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.status import LimitStatus, limit_status
from budgetd_server.domain.touching import Touched
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.window import window_at

#: When to retry if a deletion in steps may soon make room: the sweeper takes several steps a second.
DELETION_STEP_US = 1_000_000

#: Singular and plural.
_UNIT_NAMES = {Unit.NANO_USD: ("nano-USD", "nano-USD"), Unit.TOKENS: ("token", "tokens"), Unit.CALLS: ("call", "calls")}


class BudgetExceeded(Refusal):
    """A limit that blocks has no room; nothing was recorded.

    Args:
        limits: Every limit without room, the most used one first.
        requested: The amounts that were asked for.
        retry_at_us: The earliest moment at which all of them could have room, if nothing else is spent. None if one of
            them never has room.
        now_us: The time of the refusal.
    """

    reason = "BUDGET_EXCEEDED"

    def __init__(
        self, limits: Sequence[LimitStatus], requested: Part, retry_at_us: int | None, *, now_us: int = 0
    ) -> None:
        worst = limits[0]
        asked = requested.of(worst.unit)
        name = f"limit {short_repr(worst.limit_id)}" if worst.limit_id else "the main limit"
        units = _UNIT_NAMES[worst.unit][asked != 1]
        more = f"; in all, {len(limits)} limits have no room" if len(limits) > 1 else ""
        super().__init__(
            f"{name} of budget {short_repr(worst.budget_id)} has no room for {asked} {units}: "
            f"{worst.spent} spent and {worst.held} held of {worst.amount}{more}",
            metadata={
                "budget_id": worst.budget_id,
                "limit_id": worst.limit_id,
                "unit": worst.unit.name,
                "requested": str(asked),
                "amount": str(worst.amount),
                "spent": str(worst.spent),
                "held": str(worst.held),
                "limits": str(len(limits)),
            },
        )
        self.limits = tuple(limits)
        self.requested = requested
        self.retry_at_us = retry_at_us
        #: How long to wait until `retry_at_us`.
        self.retry_after_us = None if retry_at_us is None else max(retry_at_us - now_us, 0)


class Failing(NamedTuple):
    """A limit that has no room."""

    budget: BudgetState
    counter: Counter


def admit(turn: Turn, touched: Touched, part: Part) -> None:
    """Admit a hold or charge, or refuse it. Expires the holds that are due before it refuses.

    Raises:
        BudgetExceeded: A limit has no room for its part.
    """
    now_us = turn.now_us
    failing = without_room(touched.budgets, part, now_us)
    if failing and expire_due(turn, [each.budget for each in failing]):
        failing = without_room(touched.budgets, part, now_us)
    if failing:
        raise _refusal(turn, failing, part)


def grant(turn: Turn, touched: Touched, part: Part, *, least_nano_usd: int) -> int:
    """Return as much of the money as every limit has room for, at least `least_nano_usd`.

    Raises:
        BudgetExceeded: There is no room even for `least_nano_usd`, or a limit in another unit has no room.
    """
    now_us = turn.now_us
    room = _money_left(touched.budgets, part, now_us)
    if room < part.cost_nano_usd and expire_due(turn, touched.budgets):
        room = _money_left(touched.budgets, part, now_us)
    least = min(least_nano_usd, part.cost_nano_usd)
    granted = max(least, min(part.cost_nano_usd, room))
    admit(turn, touched, part._replace(cost_nano_usd=granted))
    return granted


def without_room(budgets: Iterable[BudgetState], part: Part, now_us: int, *, warns: bool = False) -> list[Failing]:
    """Return the blocking limits that have no room for their part; with `warns`, all limits that have none."""
    failing: list[Failing] = []
    for budget in budgets:
        for counter in budget.counters():
            limit = counter.limit
            if limit is None or not (warns or limit.action is Action.BLOCK):
                continue
            units = part.of(limit.unit)
            if (
                units > 0
                and spent_at(counter, now_us) + counter.held + units > limit.amount
                and limit.matches(part.model, part.other_names)
            ):
                failing.append(Failing(budget, counter))
    return failing


def _money_left(budgets: Iterable[BudgetState], part: Part, now_us: int) -> int:
    left = [
        counter.limit.amount - spent_at(counter, now_us) - counter.held
        for budget in budgets
        for counter in budget.counters()
        if counter.limit is not None
        and counter.limit.action is Action.BLOCK
        and counter.limit.unit is Unit.NANO_USD
        and part.matches(counter)
    ]
    return min(left, default=part.cost_nano_usd)


def _refusal(turn: Turn, failing: Sequence[Failing], part: Part) -> BudgetExceeded:
    state, now_us = turn.state, turn.now_us
    is_deleting = state.is_deleting(failing[0].budget)
    moments = [_moment_of_room(turn, each, part, is_deleting=is_deleting) for each in failing]
    known = [moment for moment in moments if moment is not None]
    statuses = [limit_status(each.budget, each.counter, now_us) for each in failing]
    statuses.sort(key=lambda status: status.used_ratio, reverse=True)
    retry_at_us = max(known) if len(known) == len(moments) else None
    return BudgetExceeded(statuses, part, retry_at_us, now_us=now_us)


def _moment_of_room(turn: Turn, failing: Failing, part: Part, *, is_deleting: bool) -> int | None:
    """Return the earliest moment at which a limit could have room: holds have expired, or its window has ended.

    Only the holds that expire first are loaded. If more of them have to expire, the result is when the last loaded one
    does, since no earlier moment can suffice. While budgets are deleted in steps, the other holds may be on them, and
    are released by the next step. Returns None if no moment is known at which there is room.
    """
    state, now_us = turn.state, turn.now_us
    budget, counter = failing
    limit = counter.limit
    assert limit is not None, "a counter without a limit refuses nothing"
    units = part.of(limit.unit)
    if units > limit.amount:
        return None
    spent, held, end_at_us, moment = spent_at(counter, now_us), counter.held, _end_at_us(counter, now_us), now_us
    known = [each for each in state.next_holds(budget) if held_part(each).matches(counter)]
    if is_deleting:
        living = sum(held_part(each).of(limit.unit) for each in known if deleted_by(state, each) is None)
        if living < held and spent + living + units <= limit.amount:
            return now_us + DELETION_STEP_US
    for reservation in known:
        expires_at_us, freed = reservation.expires_at_us, held_part(reservation).of(limit.unit)
        if end_at_us is not None and end_at_us <= expires_at_us:
            spent = 0
            if held + units <= limit.amount:
                return end_at_us
            end_at_us = window_at(limit.window, expires_at_us).end_at_us
        moment, held = expires_at_us, held - freed
        if reservation.on_expiry is OnExpiry.COMMIT:
            spent += freed
        if spent + held + units <= limit.amount:
            return moment
    if end_at_us is not None:
        return max(moment, end_at_us)
    # Either holds that are not loaded have to end, or the limit is spent and nothing ends its window.
    return moment if spent + units <= limit.amount else None


def _end_at_us(counter: Counter, now_us: int) -> int | None:
    """Return when the current window ends by the clock. None if it never does."""
    limit = counter.limit
    if limit is None or limit.reset_mode is ResetMode.ON_REQUEST:
        return None
    roll = due_roll(counter, now_us)
    return (counter.span if roll is None else roll.span).end_at_us
