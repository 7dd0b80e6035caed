"""Work without a caller: expire holds, end windows, and continue deletions of large trees."""

from budgetd_server.domain.commands import Outcome, Sweep
from budgetd_server.domain.expiry import expire
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.results import Swept
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.turn import Turn


def sweep(turn: Turn, command: Sweep) -> Outcome[Swept]:
    """Expire the due holds and roll the due windows that the command names; skip those that are not due.

    Of deletions, the outcome counts the budgets below which it had to search: zero once all are finished.
    """
    state, now_us = turn.state, turn.now_us
    done = len(state.looked_below.get(state.projects[command.project_id].project_key, ()))
    for seq in command.reservation_seqs:
        reservation = state.reservations.get((command.project_id, seq))
        if reservation is not None and reservation.is_due(now_us):
            expire(turn, reservation)
            done += 1
    for budget_id in command.budget_ids:
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            before = budget.last_seq
            roll_if_due(turn, budget)
            done += budget.last_seq != before
    return Outcome(0, Swept(done))


def _needs(needs: Needs, command: Sweep) -> None:
    needs.add_budgets(command.project_id, *command.budget_ids)
    for seq in command.reservation_seqs:
        needs.reservations.setdefault((command.project_id, seq), set())
    if command.finishes_deletions:
        needs.deleting.add(command.project_id)


SWEEP = Rule(command=Sweep, result=Swept, needs=_needs, carry_out=sweep)
