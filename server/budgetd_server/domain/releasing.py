"""Release a hold on all budgets that it counts on."""

from budgetd_server.domain.counting import held_part, hold
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.reservation import Reservation, ReservationState
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.touching import budgets_of
from budgetd_server.domain.turn import Turn


def release_hold(turn: Turn, reservation: Reservation, cause: Cause = Cause.NONE) -> int:
    """Release an open hold; return the number of its entry."""
    state, now_us = turn.state, turn.now_us
    budgets = budgets_of(state, reservation)
    for budget in budgets:
        roll_if_due(turn, budget)
    entry = state.append(
        budgets[0],
        EntryKind.RELEASE,
        now_us,
        model=reservation.model,
        other_names=reservation.other_names,
        request_id=turn.request_id,
        labels=reservation.labels,
        cause=cause,
        reservation_seq=reservation.seq,
        other_keys=reservation.other_keys,
    )
    kept = held_part(reservation)
    for budget in budgets:
        hold(budget, kept, sign=-1)
    reservation.end(ReservationState.RELEASED, entry.seq, now_us)
    state.tally.count_hold("released")
    return entry.seq
