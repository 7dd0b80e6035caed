"""Delete budgets: a small tree at once; of a large tree the root at once, and the rest in steps.

A budget whose ancestor is deleted counts as deleted from that moment on, for all callers. In a large tree, the rows and
holds of the descendants follow later, in steps. Before a batch is decided, the pending deletions of the budgets that
it names, or that a Sweep picked, are written. The order of the steps does not matter: below a deleted budget nothing
changes any more, and each deletion only releases the holds that were made on its budget and writes an entry.
"""

import sys
from collections.abc import Iterator

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import DeleteBudget, Outcome, Rpc
from budgetd_server.domain.configure import check_etag
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import HasChildren, HasOpenReservations
from budgetd_server.domain.expiry import expire_due
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.releasing import release_hold
from budgetd_server.domain.results import Deleted
from budgetd_server.domain.rule import Rule, with_budget
from budgetd_server.domain.state import State
from budgetd_server.domain.turn import Turn


def delete_budget(turn: Turn, command: DeleteBudget) -> Outcome[Deleted]:
    """Delete a budget, with `force` also its descendants. Their ids can be used again, their history stays.

    Raises:
        EtagMismatch, HasChildren, HasOpenReservations: It is refused.
    """
    state = turn.state
    budget = state.budget(command.project_id, command.budget_id)
    check_etag(budget, command.etag)
    tree = state.large_tree(budget)
    if not command.force:
        if children := len(state.children(budget)) if tree is None else tree.children:
            raise HasChildren(budget.budget_id, children)
        expire_due(turn, [budget], released_max=sys.maxsize)
        if holds := state.open_holds(budget):
            raise HasOpenReservations(budget.budget_id, len(holds))
    # In a large tree, the loaded budgets are closed now, since later commands of the batch may name them.
    seq, subtree = 0, list(_subtree(state, budget, is_whole=tree is None))
    for each in reversed(subtree):  # Leaves first: no budget is ever without its parent.
        seq = _close(turn, each)
        if tree is not None:
            state.cut_trees.add(budget.project_key)
            state.deleted_above.append((each, turn.request_id))
    return Outcome(seq, Deleted(len(subtree) if tree is None else tree.budgets))


def finish_deletions(state: State, now_us: int) -> None:
    """Finish the loaded deletions: each budget has a deleted ancestor, and its own row is written now."""
    for budget in state.unfinished:
        request_id = budget.deleted_by
        assert request_id is not None, "an ancestor of it is deleted, and its own row does not say so yet"
        _close(Turn(state, now_us, request_id), budget)
        budget.deleted_by = None
        state.deleted_above.append((budget, request_id))
    state.unfinished.clear()


def _close(turn: Turn, budget: BudgetState) -> int:
    """Release the holds that were made on a budget, and write its deletion. Return the number of that entry."""
    state, now_us = turn.state, turn.now_us
    for reservation in state.own_holds(budget):
        release_hold(turn, reservation, Cause.BUDGET_DELETED)
    if budget.deleted_at_us is None:
        budget.delete(now_us)
    entry = state.append(budget, EntryKind.DELETE, now_us, request_id=turn.request_id)
    state.note_deleted(budget)
    return entry.seq


def _subtree(state: State, budget: BudgetState, *, is_whole: bool) -> Iterator[BudgetState]:
    """Yield a budget and its descendants, each after its parent: all of them, or only the loaded ones."""
    yield budget
    for child in state.children(budget) if is_whole else state.loaded_children(budget):
        yield from _subtree(state, child, is_whole=is_whole)


def _needs(needs: Needs, command: DeleteBudget) -> None:
    needs.add_budgets(command.project_id, command.budget_id)
    (needs.subtrees if command.force else needs.deleted).add((command.project_id, command.budget_id))


DELETE_BUDGET = Rule(
    command=DeleteBudget,
    result=Deleted,
    rpc=Rpc.DELETE_BUDGET,
    needs=_needs,
    carry_out=delete_budget,
    replay=with_budget,
)
