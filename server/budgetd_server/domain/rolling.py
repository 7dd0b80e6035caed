"""Roll counters into the next window: by the server's clock, or at the request of ResetOnDuration."""

from dataclasses import replace

from budgetd_server.domain.budget import MAIN, BudgetState, Counter, Limit
from budgetd_server.domain.counting import begin_again, due_roll
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.window import Fixed, window_at


def roll_if_due(turn: Turn, budget: BudgetState) -> bool:
    """Roll the counters whose windows are over by the server's clock into the current window.

    A deleted budget does not roll: its history is closed, though earlier holds may still be settled on it.

    Returns:
        True if the main counter restarts at zero.
    """
    now_us = turn.now_us
    was_reset = _is_past(budget.main, now_us) and _roll(turn, budget, budget.main)
    if budget.named:
        for counter in budget.named.values():
            if _is_past(counter, now_us):
                _roll(turn, budget, counter)
    return was_reset


def _is_past(counter: Counter, now_us: int) -> bool:
    """Return True if now is outside of the stored window. Fast, because every charge checks it."""
    start_at_us, end_at_us = counter.span
    return start_at_us is not None and end_at_us is not None and not start_at_us <= now_us < end_at_us


def _roll(turn: Turn, budget: BudgetState, counter: Counter, request_id: str = "") -> bool:
    """Roll one counter if it is due. Return True if it restarts at zero."""
    state, now_us = turn.state, turn.now_us
    roll = due_roll(counter, now_us)
    if roll is None or budget.deleted_at_us is not None:
        return False
    entry = state.append(
        budget,
        EntryKind.RESET,
        now_us,
        request_id=request_id,
        cause=Cause.CLOCK_STEPPED_BACK if roll.keeps_count else Cause.WINDOW_ENDED,
        windows_skipped=roll.windows_skipped,
        limit_id=MAIN if counter.limit is None else counter.limit.limit_id,
    )
    if roll.keeps_count:
        counter.span = roll.span
        budget.is_configured = True
        return False
    begin_again(budget, counter, span=roll.span, since_seq=entry.seq, keeps_rate=True)
    return True


def roll_on_request(turn: Turn, budget: BudgetState) -> bool:
    """Restart the main limit's count if its window is over, in any reset mode. Return True if it was over."""
    state, now_us = turn.state, turn.now_us
    counter, limit = budget.main, budget.main.limit
    if limit is None or counter.span.end_at_us is None:
        return False
    if due_roll(counter, now_us) is not None:
        return _roll(turn, budget, counter, turn.request_id)
    if now_us < counter.span.end_at_us:
        return False
    span = window_at(limit.window, now_us)
    assert span.start_at_us is not None and counter.span.start_at_us is not None, "it has a fixed window"  # noqa: PT018
    skipped = (span.start_at_us - counter.span.end_at_us) // (counter.span.end_at_us - counter.span.start_at_us)
    entry = state.append(
        budget,
        EntryKind.RESET,
        now_us,
        request_id=turn.request_id,
        cause=Cause.REQUESTED,
        windows_skipped=skipped,
    )
    begin_again(budget, counter, span=span, since_seq=entry.seq)
    counter.limit = reanchored(limit, span.start_at_us)
    return True


def reanchored(limit: Limit, start_at_us: int | None) -> Limit:
    """Return the same limit, with its fixed window anchored at the start of the current one."""
    if isinstance(limit.window, Fixed) and start_at_us is not None:
        return replace(limit, window=replace(limit.window, anchor_at_us=start_at_us))
    return limit
