"""Expire holds: what they keep is released, or booked as an estimate."""

from collections.abc import Sequence

from budgetd_server.domain.alerting import fire_all
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.counting import count, held_part, hold
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.releasing import release_hold
from budgetd_server.domain.reservation import OnExpiry, Reservation, ReservationState
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.state import State
from budgetd_server.domain.touching import budgets_of
from budgetd_server.domain.turn import Turn

#: At most this many holds of deleted budgets are released before a refusal, on each budget without room.
RELEASED_MAX = 32


def expire_due(turn: Turn, budgets: Sequence[BudgetState], *, released_max: int = RELEASED_MAX) -> bool:
    """Expire the due holds on some budgets of a project, and release the holds that were made on deleted budgets.

    Returns:
        True if any hold ended.
    """
    state, now_us = turn.state, turn.now_us
    due: dict[int, Reservation] = {}
    is_deleting = state.is_deleting(budgets[0])
    for budget in budgets:
        released = 0
        for each in state.next_holds(budget):
            if each.expires_at_us > now_us:
                if not is_deleting:
                    break
                if released == released_max or deleted_by(state, each) is None:
                    continue
                released += 1
            due[each.seq] = each
    for seq in sorted(due):
        expire(turn, due[seq])
    return bool(due)


def expire(turn: Turn, reservation: Reservation) -> None:
    """Expire one hold now, or release it if its budget was deleted before and its release is still pending."""
    state, now_us = turn.state, turn.now_us
    request_id = deleted_by(state, reservation)
    if request_id is not None:
        release_hold(Turn(turn.state, now_us, request_id), reservation, Cause.BUDGET_DELETED)
        return
    budgets = budgets_of(state, reservation)
    for budget in budgets:
        roll_if_due(turn, budget)
    books = reservation.on_expiry is OnExpiry.COMMIT
    kept = held_part(reservation)
    entry = state.append(
        budgets[0],
        EntryKind.EXPIRE,
        now_us,
        cost_nano_usd=kept.cost_nano_usd if books else 0,
        usage=kept.usage if books else None,
        calls=kept.calls if books else 0,
        model=reservation.model,
        other_names=reservation.other_names,
        labels=reservation.labels,
        reservation_seq=reservation.seq,
        is_estimated=books,
        other_keys=reservation.other_keys,
    )
    for budget in budgets:
        hold(budget, kept, sign=-1)
        if books:
            count(budget, kept, now_us)
            fire_all(state, budget)
    reservation.end(ReservationState.ESTIMATED if books else ReservationState.EXPIRED, entry.seq, now_us)
    state.tally.count_hold("estimated" if books else "expired")


def deleted_by(state: State, reservation: Reservation) -> str | None:
    """Return the request id of the deletion that has not yet released a hold. None if there is no such deletion."""
    return state.by_key[(reservation.project_key, reservation.budget_key)].deleted_by
