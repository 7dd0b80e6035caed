"""Resets on request: counts restart at zero, in their current windows."""

from budgetd_server.domain.budget import MAIN
from budgetd_server.domain.commands import Outcome, ResetCost, ResetManyOnDuration, ResetOnDuration, Rpc
from budgetd_server.domain.counting import begin_again
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import BrokenRule, InvalidField, NoWindow, Term, short_repr
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.results import Configured, WindowsReset
from budgetd_server.domain.rolling import roll_if_due, roll_on_request
from budgetd_server.domain.rule import Rule, with_budget
from budgetd_server.domain.status import budget_status
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.window import Lifetime


def reset_cost(turn: Turn, command: ResetCost) -> Outcome[Configured]:
    """Restart the counts of some limits, or of all, at zero.

    Raises:
        BudgetNotFound, InvalidField: It is refused; nothing has changed.
    """
    state, now_us = turn.state, turn.now_us
    budget = state.budget(command.project_id, command.budget_id)
    for index, limit_id in enumerate(command.limit_ids):
        if budget.counter(limit_id) is None:
            rule = f"budget {short_repr(command.budget_id)} has no such limit, got {short_repr(limit_id)}"
            raise InvalidField(broken=[BrokenRule(Term.LIMIT_TO_RESET, rule, index)])
    roll_if_due(turn, budget)
    seq = 0
    for limit_id in command.limit_ids or (MAIN, *budget.named):
        counter = budget.counter(limit_id)
        assert counter is not None, "it was looked for above"
        entry = state.append(
            budget,
            EntryKind.RESET,
            now_us,
            request_id=turn.request_id,
            cause=Cause.REQUESTED,
            limit_id=limit_id,
        )
        seq = entry.seq
        begin_again(budget, counter, span=counter.span, since_seq=seq)
    return Outcome(seq, Configured(), budget=budget_status(budget, now_us))


def reset_on_duration(turn: Turn, command: ResetOnDuration) -> Outcome[WindowsReset]:
    """Restart the main limit's count if its window is over.

    Raises:
        BudgetNotFound, NoWindow: It is refused; nothing has changed.
    """
    state, now_us = turn.state, turn.now_us
    budget = state.budget(command.project_id, command.budget_id)
    limit = budget.main.limit
    if limit is None or isinstance(limit.window, Lifetime):
        raise NoWindow(command.project_id, command.budget_id)
    was_reset = roll_on_request(turn, budget)
    entry_seq = budget.last_seq if was_reset else 0
    return Outcome(entry_seq, WindowsReset(int(was_reset)), budget=budget_status(budget, now_us))


def reset_many(turn: Turn, command: ResetManyOnDuration) -> Outcome[WindowsReset]:
    """Restart the main counts of the budgets whose windows are over; skip budgets that do not exist."""
    state = turn.state
    reset_count = command.reset_count_before
    for budget_id in command.budget_ids:
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            reset_count += roll_on_request(turn, budget)
    return Outcome(0, WindowsReset(reset_count))


def _needs(needs: Needs, command: ResetCost | ResetOnDuration) -> None:
    needs.add_budgets(command.project_id, command.budget_id)


RESET_COST = Rule(
    command=ResetCost,
    result=Configured,
    rpc=Rpc.RESET_COST,
    needs=_needs,
    carry_out=reset_cost,
    replay=with_budget,
)
RESET_ON_DURATION = Rule(
    command=ResetOnDuration,
    result=WindowsReset,
    rpc=Rpc.RESET_ON_DURATION,
    needs=_needs,
    carry_out=reset_on_duration,
    replay=with_budget,
)
RESET_MANY_ON_DURATION = Rule(
    command=ResetManyOnDuration,
    result=WindowsReset,
    rpc=Rpc.RESET_ALL_ON_DURATION,
    needs=lambda needs, command: needs.add_budgets(command.project_id, *command.budget_ids),
    carry_out=reset_many,
    completes=lambda command: command.is_last,
)
