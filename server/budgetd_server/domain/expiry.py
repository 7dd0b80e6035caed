"""Holds that end without a settlement: released, or expired, and then free again or booked as an estimate."""

from collections.abc import Iterable

from budgetd_server.domain.alerting import fire, is_far_below
from budgetd_server.domain.budget import BudgetState, Counter
from budgetd_server.domain.counting import Part, count, hold
from budgetd_server.domain.entry import BUDGET_DELETED, EntryKind
from budgetd_server.domain.reservation import OnExpiry, Reservation, ReservationState
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.state import State
from budgetd_server.domain.touching import of_keys

#: How many holds of deleted budgets are released before a refusal, at most, on each budget that has no room.
RELEASED_MAX = 32


def expire_due(
    state: State, project_id: str, budgets: Iterable[BudgetState], now_us: int, *, released_max: int = RELEASED_MAX
) -> bool:
    """Expire what is due of the holds on some budgets, and release those of deleted ones; True if any was."""
    due: dict[int, Reservation] = {}
    is_deleting = state.is_deleting(project_id)
    for budget in budgets:
        released = 0
        for each in state.next_holds(budget):
            if each.expires_at_us > now_us:
                if not is_deleting:
                    break
                if released == released_max or _deleted_by(state, each) is None:
                    continue
                released += 1
            due[each.seq] = each
    for seq in sorted(due):
        expire(state, project_id, due[seq], now_us)
    return bool(due)


def expire(state: State, project_id: str, reservation: Reservation, now_us: int) -> None:
    """Expire one hold, now; or release it, if its budget was deleted before and the hold's turn had not come yet."""
    request_id = _deleted_by(state, reservation)
    if request_id is not None:
        release_hold(state, project_id, reservation, now_us, request_id, BUDGET_DELETED)
        return
    budgets = budgets_of(state, reservation)
    for budget in budgets:
        roll_if_due(state, project_id, budget, now_us)
    books = reservation.on_expiry is OnExpiry.COMMIT
    kept = held_part(reservation)
    entry = state.append(
        project_id,
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
    end(reservation, ReservationState.ESTIMATED if books else ReservationState.EXPIRED, entry.seq, now_us)
    state.tally.count_hold("estimated" if books else "expired")


def release_hold(
    state: State, project_id: str, reservation: Reservation, now_us: int, request_id: str, reason: str = ""
) -> int:
    """Release an open hold; returns the number of the entry that says so."""
    budgets = budgets_of(state, reservation)
    for budget in budgets:
        roll_if_due(state, project_id, budget, now_us)
    entry = state.append(
        project_id,
        budgets[0],
        EntryKind.RELEASE,
        now_us,
        model=reservation.model,
        other_names=reservation.other_names,
        request_id=request_id,
        labels=reservation.labels,
        reason=reason,
        reservation_seq=reservation.seq,
        other_keys=reservation.other_keys,
    )
    kept = held_part(reservation)
    for budget in budgets:
        hold(budget, kept, sign=-1)
    end(reservation, ReservationState.RELEASED, entry.seq, now_us)
    state.tally.count_hold("released")
    return entry.seq


def end(reservation: Reservation, how: ReservationState, seq: int | None, now_us: int) -> None:
    """Note that a reservation has ended, and by which entry."""
    reservation.state = how
    reservation.ended_at_us = now_us
    reservation.ended_seq = seq
    reservation.is_changed = True


def held_part(reservation: Reservation) -> Part:
    """What a reservation keeps of each limit that it matches."""
    return Part(
        reservation.held_nano_usd,
        reservation.held_usage,
        reservation.held_calls,
        reservation.model,
        reservation.other_names,
    )


def budgets_of(state: State, reservation: Reservation) -> list[BudgetState]:
    """The budgets that a reservation counts on, its own first."""
    return of_keys(state, reservation.project_key, (reservation.budget_key, *reservation.other_keys))


def _deleted_by(state: State, reservation: Reservation) -> str | None:
    """The request id of a deletion that has yet to release a hold; None: there is none."""
    return state.by_key[(reservation.project_key, reservation.budget_key)].deleted_by


def fire_all(state: State, budget: BudgetState) -> None:
    """Let the limits of a budget tell of the ratios that they have reached."""
    _fire(state, budget.main)
    if budget.named:
        for counter in budget.named.values():
            _fire(state, counter)


def _fire(state: State, counter: Counter) -> None:
    if is_far_below(counter):  # As nearly always: every charge asks.
        return
    if ratios := fire(counter):
        state.tally.alerts.extend((counter.unit, ratio) for ratio in ratios)
