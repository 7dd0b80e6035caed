"""How a counter goes from one window to the next: by the server's clock, or when ResetOnDuration asks."""

from dataclasses import replace

from budgetd_server.domain.budget import BudgetState, Limit
from budgetd_server.domain.counting import begin_again, due_roll
from budgetd_server.domain.entry import CLOCK_STEPPED_BACK, REQUESTED, WINDOW_ENDED, EntryKind
from budgetd_server.domain.state import State
from budgetd_server.domain.window import Fixed, window_at


def roll_if_due(state: State, project_id: str, budget: BudgetState, now_us: int, request_id: str = "") -> bool:
    """Let a counter whose window is over by the server's clock take the window of now; True if it begins from zero."""
    roll = due_roll(budget.main, now_us)
    if roll is None:
        return False
    reason = CLOCK_STEPPED_BACK if roll.keeps_count else WINDOW_ENDED
    entry = state.append(
        project_id,
        budget,
        EntryKind.RESET,
        now_us,
        request_id=request_id,
        reason=reason,
        windows_skipped=roll.windows_skipped,
    )
    if roll.keeps_count:
        budget.main.span = roll.span
        budget.is_configured = True
        return False
    begin_again(budget, span=roll.span, since_seq=entry.seq)
    return True


def roll_on_request(state: State, project_id: str, budget: BudgetState, now_us: int, request_id: str) -> bool:
    """Begin the main limit's count again if its window is over, whoever ends it; True if it was."""
    counter, limit = budget.main, budget.main.limit
    if limit is None or counter.span.end_at_us is None:
        return False
    if due_roll(counter, now_us) is not None:
        return roll_if_due(state, project_id, budget, now_us, request_id)
    if now_us < counter.span.end_at_us:
        return False
    span = window_at(limit.window, now_us)
    assert span.start_at_us is not None and counter.span.start_at_us is not None, "it has a fixed window"  # noqa: PT018
    skipped = (span.start_at_us - counter.span.end_at_us) // (counter.span.end_at_us - counter.span.start_at_us)
    entry = state.append(
        project_id,
        budget,
        EntryKind.RESET,
        now_us,
        request_id=request_id,
        reason=REQUESTED,
        windows_skipped=skipped,
    )
    begin_again(budget, span=span, since_seq=entry.seq)
    counter.limit = reanchored(limit, span.start_at_us)
    return True


def reanchored(limit: Limit, start_at_us: int | None) -> Limit:
    """The same limit, its fixed window anchored at the start of the current one."""
    if isinstance(limit.window, Fixed) and start_at_us is not None:
        return replace(limit, window=replace(limit.window, anchor_at_us=start_at_us))
    return limit
