"""Creating, changing and deleting budgets."""

from budgetd_server.domain.budget import BudgetState, Counter, Limit, ResetMode
from budgetd_server.domain.commands import CreateBudget, DeleteBudget, Outcome, UpdateBudget
from budgetd_server.domain.counting import begin_again, first_span
from budgetd_server.domain.entry import REPLACED, EntryKind
from budgetd_server.domain.errors import BudgetExists, EtagMismatch
from budgetd_server.domain.recount import Recount, StaleRecount, apply_recount, complete_recount, needs_recount
from budgetd_server.domain.rolling import reanchored, roll_if_due
from budgetd_server.domain.state import State
from budgetd_server.domain.status import budget_status


def create_budget(state: State, command: CreateBudget, now_us: int) -> Outcome:
    """Create a budget, or replace the one of that id if asked to."""
    key = (command.project_id, command.budget_id)
    budget = state.budgets.get(key)
    if budget is not None and not command.replace_existing:
        raise BudgetExists(*key)
    limit = command.main_limit.anchored(now_us) if command.main_limit is not None else None
    reason = "" if budget is None else REPLACED
    if budget is None:
        budget = state.budgets[key] = _new_budget(state, command, limit, now_us)
    else:
        budget.labels, budget.created_at_us = command.labels, now_us
        _configured(budget, now_us)
    entry = state.append(
        command.project_id,
        budget,
        EntryKind.CREATE,
        now_us,
        request_id=command.request.request_id,
        labels=command.labels or None,
        reason=reason,
    )
    budget.main.limit = limit
    begin_again(budget, span=first_span(limit, now_us), since_seq=entry.seq)
    return Outcome(entry.seq, 0, budget=budget_status(budget, now_us))


def update_budget(state: State, command: UpdateBudget, now_us: int) -> Outcome:
    """Change a configuration, and never what is spent.

    Raises:
        StaleRecount: The new window has to be counted from the ledger, anew.
        EtagMismatch, BelowZero, CounterOverflow: It is refused.
    """
    budget = state.budget(command.project_id, command.budget_id)
    _check_etag(budget, command.etag)
    if command.sets_limits:
        draft = command.main_limit
        limit = draft.anchored(budget.created_at_us) if draft else None
        recount = _recounted(state, budget, command, limit, now_us)
        # A window that is over has ended under the old rule, before the new one begins.
        roll_if_due(state, command.project_id, budget, now_us)
        _set_main_limit(budget, limit, recount, now_us)
    if command.labels is not None:
        budget.labels = command.labels
    _configured(budget, now_us)
    entry = state.append(command.project_id, budget, EntryKind.UPDATE, now_us, request_id=command.request.request_id)
    return Outcome(entry.seq, 0, budget=budget_status(budget, now_us))


def delete_budget(state: State, command: DeleteBudget, now_us: int) -> Outcome:
    """Delete a budget: its id is free, its history stays."""
    budget = state.budget(command.project_id, command.budget_id)
    _check_etag(budget, command.etag)
    entry = state.append(command.project_id, budget, EntryKind.DELETE, now_us, request_id=command.request.request_id)
    budget.deleted_at_us = now_us
    _configured(budget, now_us)
    key = (command.project_id, command.budget_id)
    state.deleted_budgets.append(state.budgets.pop(key))
    state.last_seqs[key] = entry.seq
    return Outcome(entry.seq, 1)


def _new_budget(state: State, command: CreateBudget, limit: Limit | None, now_us: int) -> BudgetState:
    project = state.projects[command.project_id]
    project.last_budget_key += 1
    return BudgetState(
        project_key=project.project_key,
        budget_key=project.last_budget_key,
        budget_id=command.budget_id,
        labels=command.labels,
        version=1,
        created_at_us=now_us,
        updated_at_us=now_us,
        main=Counter(limit, first_span(limit, now_us), since_seq=0),
        last_seq=state.last_seqs.get((command.project_id, command.budget_id), 0),
        is_new=True,
    )


def _recounted(
    state: State, budget: BudgetState, command: UpdateBudget, limit: Limit | None, now_us: int
) -> Recount | None:
    """The count of the new window, complete; None: the count stays as it is. Changes nothing, since it may raise."""
    if not needs_recount(budget, limit):
        return None
    recount = command.recount
    if recount is None or recount.budget_key != budget.budget_key or recount.span != first_span(limit, now_us):
        raise StaleRecount
    return complete_recount(recount, state.entries_after(budget, recount.until_seq))


def _set_main_limit(budget: BudgetState, limit: Limit | None, recount: Recount | None, now_us: int) -> None:
    counter = budget.main
    if recount is not None:
        apply_recount(budget, recount)
    elif limit is not None and (counter.limit is None or counter.limit.window != limit.window):
        counter.span = first_span(limit, now_us)  # Reset on request: another window, the same count.
    elif limit is not None and limit.reset_mode is ResetMode.ON_REQUEST:
        limit = reanchored(limit, counter.span.start_at_us)
    counter.limit = limit


def _configured(budget: BudgetState, now_us: int) -> None:
    budget.version += 1
    budget.updated_at_us = now_us
    budget.is_configured = True


def _check_etag(budget: BudgetState, etag: str) -> None:
    if etag and etag != budget.etag:
        raise EtagMismatch(etag, budget.etag)
