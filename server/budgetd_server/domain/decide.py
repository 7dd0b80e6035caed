"""What comes of each command: a function of the working set, the command and the time, and of nothing else.

The commands of a batch are decided in turn, each on what those before it have left. A command that is refused raises
before it has changed anything, so it disturbs no other. A command whose request id has taken effect before, in the
store or earlier in the same batch, changes nothing and gets the first outcome again. All of this happens inside one
transaction of the ledger; nothing is told to anybody before that transaction is durable.

A counter whose window is over rolls when a command touches it: an entry says so, and the count starts from zero after
that entry. It rolls only forward (see window.py), so clocks that step back neither wipe nor repeat a count.
"""

from collections.abc import Callable
from typing import Any

from budgetd_server.domain.charging import charge
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CommitReservation,
    CreateBudget,
    DeleteBudget,
    DropRecord,
    ExtendReservation,
    Outcome,
    ReleaseReservation,
    Requested,
    ReserveCost,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Rpc,
    SaveRecord,
    Sweep,
    UpdateBudget,
)
from budgetd_server.domain.configure import create_budget, update_budget
from budgetd_server.domain.correcting import adjust
from budgetd_server.domain.deleting import delete_budget
from budgetd_server.domain.errors import NoWindow, RequestIdReused
from budgetd_server.domain.expiry import budgets_of, expire
from budgetd_server.domain.holding import reserve
from budgetd_server.domain.resetting import reset_cost
from budgetd_server.domain.rolling import roll_if_due, roll_on_request
from budgetd_server.domain.saving import drop_record, save_record
from budgetd_server.domain.settling import commit, extend, release
from budgetd_server.domain.state import NewRequest, State, StoredRequest
from budgetd_server.domain.status import LimitStatus, budget_status, limit_statuses
from budgetd_server.domain.touching import upwards
from budgetd_server.domain.window import Lifetime


def decide(state: State, command: Command, now_us: int) -> Outcome:
    """Carry out one command on the working set.

    Raises:
        Refusal: It is refused; the working set is as it was.
    """
    if isinstance(command, Sweep):
        return _sweep(state, command, now_us)
    if isinstance(command, SaveRecord):
        return save_record(state, command, now_us)
    if isinstance(command, DropRecord):
        return drop_record(state, command, now_us)
    rpc = Rpc.UPDATE_COST if isinstance(command, Charge) else command.rpc
    stored = state.requests.get((command.project_id, rpc, command.request.request_id))
    if stored is not None:
        return _replay(state, command, stored, now_us)
    outcome = _RULES[type(command)](state, command, now_us)
    if not isinstance(command, ResetManyOnDuration) or command.is_last:
        state.remember(command, rpc, outcome, now_us)
    return outcome


def _replay(state: State, command: Requested, stored: StoredRequest | NewRequest, now_us: int) -> Outcome:
    """The first outcome again, with limits and budget as of now."""
    if command.request.fingerprint != stored.fingerprint:
        raise RequestIdReused(command.request.request_id)
    outcome = Outcome(stored.entry_seq, stored.result, replayed=True, more=stored.more)
    if isinstance(command, Charge | ReserveCost):
        if isinstance(command, Charge) and not command.wants_limits:
            return outcome
        return outcome._replace(limits=_limits_of_places(state, command, now_us))
    if isinstance(command, CommitReservation | ReleaseReservation | ExtendReservation):
        reservation = state.reservations.get((command.project_id, command.reservation_seq))
        if reservation is None or not isinstance(command, CommitReservation):
            return outcome
        budgets = budgets_of(state, reservation)
        return outcome._replace(limits=tuple(each for budget in budgets for each in limit_statuses(budget, now_us)))
    if isinstance(command, ResetManyOnDuration):
        return outcome
    budget = state.budgets.get((command.project_id, command.budget_id))
    if budget is None:
        return outcome
    limits = limit_statuses(budget, now_us)
    if isinstance(command, AdjustCost):
        limits += tuple(each for above in upwards(state, budget) for each in limit_statuses(above, now_us))
    return outcome._replace(limits=limits, budget=budget_status(budget, now_us))


def _limits_of_places(state: State, command: Charge | ReserveCost, now_us: int) -> tuple[LimitStatus, ...]:
    """Where the limits stand of those budgets that a charge or hold would touch now and that still are."""
    seen: dict[int, tuple[LimitStatus, ...]] = {}
    for budget_id in (command.budget_id, *command.additional_ids):
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            for each in (budget, *upwards(state, budget)):
                seen.setdefault(each.budget_key, limit_statuses(each, now_us))
    return tuple(status for statuses in seen.values() for status in statuses)


def _reset_on_duration(state: State, command: ResetOnDuration, now_us: int) -> Outcome:
    budget = state.budget(command.project_id, command.budget_id)
    limit = budget.main.limit
    if limit is None or isinstance(limit.window, Lifetime):
        raise NoWindow(command.project_id, command.budget_id)
    was_reset = roll_on_request(state, command.project_id, budget, now_us, command.request.request_id)
    entry_seq = budget.last_seq if was_reset else 0
    return Outcome(entry_seq, int(was_reset), budget=budget_status(budget, now_us))


def _reset_many(state: State, command: ResetManyOnDuration, now_us: int) -> Outcome:
    reset_count = command.reset_count_before
    for budget_id in command.budget_ids:
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            request_id = command.request.request_id
            reset_count += roll_on_request(state, command.project_id, budget, now_us, request_id)
    return Outcome(0, reset_count)


def _sweep(state: State, command: Sweep, now_us: int) -> Outcome:
    """Expire the holds and roll the windows that are due, of those that are named; the others are passed by.

    Of deletions it counts the budgets below which it had to look: none, once all are finished.
    """
    done = len(state.looked_below.get(state.projects[command.project_id].project_key, ()))
    for seq in command.reservation_seqs:
        reservation = state.reservations.get((command.project_id, seq))
        if reservation is not None and reservation.is_due(now_us):
            expire(state, command.project_id, reservation, now_us)
            done += 1
    for budget_id in command.budget_ids:
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            before = budget.last_seq
            roll_if_due(state, command.project_id, budget, now_us)
            done += budget.last_seq != before
    return Outcome(0, done)


_RULES: dict[type[Any], Callable[[State, Any, int], Outcome]] = {
    Charge: charge,
    CreateBudget: create_budget,
    UpdateBudget: update_budget,
    DeleteBudget: delete_budget,
    AdjustCost: adjust,
    ResetCost: reset_cost,
    ResetOnDuration: _reset_on_duration,
    ResetManyOnDuration: _reset_many,
    ReserveCost: reserve,
    CommitReservation: commit,
    ReleaseReservation: release,
    ExtendReservation: extend,
}
