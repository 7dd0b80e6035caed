"""Resets that somebody asks for: counts begin again at zero, in the windows in which they stand."""

from budgetd_server.domain.budget import MAIN
from budgetd_server.domain.commands import Outcome, ResetCost
from budgetd_server.domain.counting import begin_again
from budgetd_server.domain.entry import REQUESTED, EntryKind
from budgetd_server.domain.errors import FieldViolation, InvalidField, shown
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.state import State
from budgetd_server.domain.status import budget_status


def reset_cost(state: State, command: ResetCost, now_us: int) -> Outcome:
    """Begin the counts of some limits, or of all, at zero.

    Raises:
        BudgetNotFound, InvalidField: It is refused; nothing has changed.
    """
    budget = state.budget(command.project_id, command.budget_id)
    for index, limit_id in enumerate(command.limit_ids):
        if budget.counter(limit_id) is None:
            rule = f"budget {shown(command.budget_id)} has no limit of that id, got {shown(limit_id)}"
            raise InvalidField([FieldViolation(f"limit_ids[{index}]", rule)])
    roll_if_due(state, command.project_id, budget, now_us)
    seq = 0
    for limit_id in command.limit_ids or (MAIN, *budget.named):
        counter = budget.counter(limit_id)
        assert counter is not None, "it was looked for above"
        entry = state.append(
            command.project_id,
            budget,
            EntryKind.RESET,
            now_us,
            request_id=command.request.request_id,
            reason=REQUESTED,
            limit_id=limit_id,
        )
        seq = entry.seq
        begin_again(budget, counter, span=counter.span, since_seq=seq)
    return Outcome(seq, 0, budget=budget_status(budget, now_us))
