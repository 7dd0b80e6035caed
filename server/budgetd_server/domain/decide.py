"""What comes of each command: a function of the working set, the command and the time, and of nothing else.

The commands of a batch are decided in turn, each on what those before it have left. A command that is refused raises
before it has changed anything, so it disturbs no other. A command whose request id has taken effect before, in the
store or earlier in the same batch, changes nothing and gets the first outcome again. All of this happens inside one
transaction of the ledger; nothing is told to anybody before that transaction is durable.

A counter whose window is over rolls when a command touches it: an entry says so, and the count starts from zero after
that entry. It rolls only forward (see window.py), so clocks that step back neither wipe nor repeat a count.
"""

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CreateBudget,
    DeleteBudget,
    Outcome,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Rpc,
    UpdateBudget,
)
from budgetd_server.domain.configure import create_budget, delete_budget, update_budget
from budgetd_server.domain.counting import begin_again, check_room, count, counted_model, has_ended
from budgetd_server.domain.entry import REQUESTED, EntryKind
from budgetd_server.domain.errors import BelowZero, NoWindow, RequestIdReused
from budgetd_server.domain.rolling import roll_if_due, roll_on_request
from budgetd_server.domain.state import NewRequest, State, StoredRequest
from budgetd_server.domain.status import budget_status, limit_statuses
from budgetd_server.domain.window import Lifetime


def decide(state: State, command: Command, now_us: int) -> Outcome:
    """Carry out one command on the working set.

    Raises:
        Refusal: It is refused; the working set is as it was.
    """
    rpc = Rpc.UPDATE_COST if isinstance(command, Charge) else command.rpc
    stored = state.requests.get((command.project_id, rpc, command.request.request_id))
    if stored is not None:
        return _replay(state, command, stored, now_us)
    outcome = _carry_out(state, command, now_us)
    if not isinstance(command, ResetManyOnDuration) or command.is_last:
        state.remember(command, rpc, outcome, now_us)
    return outcome


def _carry_out(state: State, command: Command, now_us: int) -> Outcome:
    match command:
        case Charge():
            return _charge(state, command, now_us)
        case CreateBudget():
            return create_budget(state, command, now_us)
        case UpdateBudget():
            return update_budget(state, command, now_us)
        case DeleteBudget():
            return delete_budget(state, command, now_us)
        case AdjustCost():
            return _adjust(state, command, now_us)
        case ResetCost():
            return _reset_cost(state, command, now_us)
        case ResetOnDuration():
            return _reset_on_duration(state, command, now_us)
        case ResetManyOnDuration():
            return _reset_many(state, command, now_us)


def _replay(state: State, command: Command, stored: StoredRequest | NewRequest, now_us: int) -> Outcome:
    """The first outcome again, with limits and budget as of now."""
    if command.request.fingerprint != stored.fingerprint:
        raise RequestIdReused(command.request.request_id)
    outcome = Outcome(stored.entry_seq, stored.result, replayed=True)
    if isinstance(command, ResetManyOnDuration):
        return outcome
    budget = state.budgets.get((command.project_id, command.budget_id))
    if budget is None:
        return outcome
    if isinstance(command, Charge):
        return outcome._replace(limits=limit_statuses(budget, now_us)) if command.wants_limits else outcome
    return outcome._replace(limits=limit_statuses(budget, now_us), budget=budget_status(budget, now_us))


def _charge(state: State, command: Charge, now_us: int) -> Outcome:
    if command.refusal is not None:
        raise command.refusal
    budget = state.budget(command.project_id, command.budget_id)
    cost_nano_usd, usage = command.cost_nano_usd, command.usage
    check_room(budget, cost_nano_usd, usage, now_us)
    roll_if_due(state, command.project_id, budget, now_us)
    entry = state.append(
        command.project_id,
        budget,
        EntryKind.CHARGE,
        now_us,
        cost_nano_usd=cost_nano_usd,
        usage=usage,
        model=command.model,
        request_id=command.request.request_id,
        labels=command.labels,
        event_at_us=command.event_at_us,
        price_version=command.price_version,
    )
    count(budget, command.model, cost_nano_usd, usage, calls=1, now_us=now_us)
    limits = limit_statuses(budget, now_us) if command.wants_limits else ()
    return Outcome(entry.seq, cost_nano_usd, limits=limits)


def _adjust(state: State, command: AdjustCost, now_us: int) -> Outcome:
    budget = state.budget(command.project_id, command.budget_id)
    amount = command.amount_nano_usd
    check_room(budget, amount, None, now_us)
    _check_not_below_zero(budget, command, now_us)
    roll_if_due(state, command.project_id, budget, now_us)
    entry = state.append(
        command.project_id,
        budget,
        EntryKind.ADJUST,
        now_us,
        cost_nano_usd=amount,
        model=command.model,
        request_id=command.request.request_id,
        labels=command.labels,
        reason=command.reason,
    )
    count(budget, command.model, amount, None, calls=0, now_us=now_us)
    return Outcome(entry.seq, amount, limits=limit_statuses(budget, now_us), budget=budget_status(budget, now_us))


def _check_not_below_zero(budget: BudgetState, command: AdjustCost, now_us: int) -> None:
    """Neither the window's count nor the model's part of it may fall below zero."""
    amount, is_over = command.amount_nano_usd, has_ended(budget.main, now_us)
    spent = 0 if is_over else budget.main.sums.cost_nano_usd
    if spent + amount < 0:
        raise BelowZero(amount_nano_usd=amount, spent_nano_usd=spent, of="what was spent in this window")
    sums = budget.models.get(counted_model(budget, command.model))
    of_model = 0 if is_over or sums is None else sums.cost_nano_usd
    if of_model + amount < 0:
        raise BelowZero(amount_nano_usd=amount, spent_nano_usd=of_model, of="what was spent on this model")


def _reset_cost(state: State, command: ResetCost, now_us: int) -> Outcome:
    budget = state.budget(command.project_id, command.budget_id)
    roll_if_due(state, command.project_id, budget, now_us)
    entry = state.append(
        command.project_id,
        budget,
        EntryKind.RESET,
        now_us,
        request_id=command.request.request_id,
        reason=REQUESTED,
    )
    begin_again(budget, span=budget.main.span, since_seq=entry.seq)
    return Outcome(entry.seq, 0, budget=budget_status(budget, now_us))


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
