"""Create and change budgets."""

from collections.abc import Mapping, Sequence

from budgetd_server.domain.alerting import rearmed
from budgetd_server.domain.bounds import DEPTH_MAX
from budgetd_server.domain.budget import MAIN, BudgetState, Counter, Limit, ResetMode
from budgetd_server.domain.commands import CreateBudget, LimitDraft, Outcome, Rpc, UpdateBudget
from budgetd_server.domain.counting import begin_again, first_span, held_part
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import (
    BrokenRule,
    BudgetExists,
    EtagMismatch,
    InvalidField,
    IsTemplate,
    ParentCycle,
    Term,
    TooDeep,
    short_repr,
)
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.recount import (
    LimitRecount,
    StaleRecount,
    apply_recount,
    complete_recount,
    fits,
    limits_to_recount,
)
from budgetd_server.domain.results import Configured
from budgetd_server.domain.rolling import reanchored, roll_if_due
from budgetd_server.domain.rule import Rule, with_budget
from budgetd_server.domain.state import State
from budgetd_server.domain.status import budget_status
from budgetd_server.domain.touching import upwards
from budgetd_server.domain.turn import Turn


def create_budget(turn: Turn, command: CreateBudget) -> Outcome[Configured]:
    """Create a budget, or replace the budget of that id if the command says so.

    Raises:
        BudgetExists, BudgetNotFound, IsTemplate, TooDeep, InvalidField: It is refused.
    """
    state, now_us = turn.state, turn.now_us
    key = (command.project_id, command.budget_id)
    budget = state.budgets.get(key)
    if budget is not None and not command.replace_existing:
        raise BudgetExists(*key)
    limits = anchored(command.limits, now_us)
    cause = Cause.NONE if budget is None else Cause.REPLACED
    if budget is None:
        budget = _new_budget(turn, command)
        state.add_budget(budget)
    else:
        _check_replacement(budget, command, limits)
        budget.labels, budget.created_at_us = command.labels, now_us
        for counter in budget.counters():
            counter.limit = None  # Every count starts again, whatever the limit was.
        _configured(budget, now_us)
    entry = state.append(
        budget,
        EntryKind.CREATE,
        now_us,
        request_id=turn.request_id,
        labels=command.labels or None,
        cause=cause,
    )
    _set_limits(turn, budget, limits, {})
    for counter in budget.counters():
        begin_again(budget, counter, span=first_span(counter.limit, now_us), since_seq=entry.seq)
    return Outcome(entry.seq, Configured(), budget=budget_status(budget, now_us))


def update_budget(turn: Turn, command: UpdateBudget) -> Outcome[Configured]:
    """Change a configuration, but never what is spent.

    Raises:
        StaleRecount: The new windows have to be counted from the ledger, or counted again.
        EtagMismatch, BudgetNotFound, IsTemplate, ParentCycle, TooDeep, InvalidField, BelowZero, CounterOverflow:
            It is refused.
    """
    state, now_us = turn.state, turn.now_us
    budget = state.budget(command.project_id, command.budget_id)
    check_etag(budget, command.etag)
    parent = _new_parent(state, command, budget)
    if command.sets_limits:
        limits = anchored(command.limits, budget.created_at_us)
        _check_units(budget, limits)
        totals = _recounted(turn, budget, command, limits)
        # A window that is over has ended under the old rule, before the new one begins.
        roll_if_due(turn, budget)
        _set_limits(turn, budget, limits, totals)
    if command.labels is not None:
        budget.labels = command.labels
    if command.parent_id is not None:
        state.move(budget, parent)
    _configured(budget, now_us)
    entry = state.append(budget, EntryKind.UPDATE, now_us, request_id=turn.request_id)
    return Outcome(entry.seq, Configured(), budget=budget_status(budget, now_us))


def set_main_limit(
    turn: Turn,
    budget: BudgetState,
    limit: Limit | None,
    labels: Mapping[str, str],
) -> None:
    """Change the main limit and the labels of a budget, and keep what is counted, whatever the window."""
    state, now_us = turn.state, turn.now_us
    roll_if_due(turn, budget)
    counter = budget.main
    former = counter.limit
    if limit is not None and (former is None or former.window != limit.window):
        counter.span = first_span(limit, now_us)
    counter.limit = limit
    counter.alerts_fired = rearmed(counter, former)
    budget.labels = labels
    _configured(budget, now_us)
    state.append(budget, EntryKind.UPDATE, now_us)


def anchored(drafts: Sequence[LimitDraft], created_at_us: int) -> tuple[Limit, ...]:
    """Return the limits of a budget that was created at `created_at_us`, the main one first, then by id."""
    return tuple(sorted((draft.anchored(created_at_us) for draft in drafts), key=lambda limit: limit.limit_id))


def _new_budget(turn: Turn, command: CreateBudget) -> BudgetState:
    state, now_us = turn.state, turn.now_us
    parent = None
    if command.parent_id:
        parent = _parent(state, command.project_id, command.parent_id)
        _check_depth(command.budget_id, _depth(state, parent) + 1)
    project = state.projects[command.project_id]
    project.last_budget_key += 1
    return BudgetState(
        project_key=project.project_key,
        budget_key=project.last_budget_key,
        budget_id=command.budget_id,
        parent_key=None if parent is None else parent.budget_key,
        parent_id=command.parent_id,
        is_template=command.is_template,
        labels=command.labels,
        version=1,
        created_at_us=now_us,
        updated_at_us=now_us,
        main=Counter(None, first_span(None, now_us), since_seq=0),
        last_seq=state.last_seqs.get((command.project_id, command.budget_id), 0),
        is_new=True,
    )


def _check_replacement(budget: BudgetState, command: CreateBudget, limits: Sequence[Limit]) -> None:
    """Refuse a replacement that would change what a replacement always keeps."""
    broken = []
    if command.parent_id not in ("", budget.parent_id):
        rule = (
            f"must be empty or the current parent {short_repr(budget.parent_id)}, got {short_repr(command.parent_id)}"
        )
        broken.append(BrokenRule(Term.PARENT_OF_BUDGET, rule))
    if command.is_template != budget.is_template:
        rule = f"must stay {budget.is_template}, got {command.is_template}"
        broken.append(BrokenRule(Term.IS_TEMPLATE, rule))
    if broken:
        raise InvalidField(broken=broken)
    _check_units(budget, limits)


def _check_units(budget: BudgetState, limits: Sequence[Limit]) -> None:
    """Refuse a change of a limit's unit: a count in one unit cannot be converted to another."""
    for limit in limits:
        counter = budget.counter(limit.limit_id)
        if counter is not None and counter.limit is not None and counter.unit is not limit.unit:
            rule = f"the unit of limit {short_repr(limit.limit_id)} is {counter.unit.name} and never changes"
            rule = f"{rule}, got {limit.unit.name}"
            raise InvalidField(broken=[BrokenRule(Term.LIMITS_OF_BUDGET, rule)])


def _new_parent(state: State, command: UpdateBudget, budget: BudgetState) -> BudgetState | None:
    """Return the parent that a command names. None if it names none or removes the parent."""
    if not command.parent_id:
        return None
    parent = _parent(state, command.project_id, command.parent_id)
    if any(each is budget for each in (parent, *upwards(state, parent))):
        raise ParentCycle(command.budget_id, command.parent_id)
    _check_depth(command.budget_id, _depth(state, parent) + _height(state, budget))
    return parent


def _parent(state: State, project_id: str, parent_id: str) -> BudgetState:
    parent = state.budget(project_id, parent_id)
    if parent.is_template:
        raise IsTemplate(parent_id)
    return parent


def _check_depth(budget_id: str, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise TooDeep(budget_id, depth=depth, depth_max=DEPTH_MAX)


def _depth(state: State, budget: BudgetState) -> int:
    """Return the number of levels from the root down to a budget."""
    return 1 + sum(1 for _ in upwards(state, budget))


def _height(state: State, budget: BudgetState) -> int:
    """Return the number of levels from a budget down to its lowest descendant."""
    tree = state.large_tree(budget)
    if tree is not None:
        return tree.levels
    return 1 + max((_height(state, child) for child in state.children(budget)), default=0)


def _recounted(
    turn: Turn, budget: BudgetState, command: UpdateBudget, limits: Sequence[Limit]
) -> dict[str, LimitRecount]:
    """Return the complete counts of the limits that have to be recounted. Changes nothing, since it may raise."""
    state, now_us = turn.state, turn.now_us
    wanted = limits_to_recount(budget, limits)
    if not wanted:
        return {}
    recount = command.recount
    if recount is None or not fits(recount, budget, wanted, now_us):
        raise StaleRecount
    return complete_recount(recount, state.entries_after(budget, recount.until_seq))


def _set_limits(turn: Turn, budget: BudgetState, limits: Sequence[Limit], totals: Mapping[str, LimitRecount]) -> None:
    """Replace the limits of a budget; those in `totals` get these counts, the others keep theirs."""
    state, now_us = turn.state, turn.now_us
    wanted = {limit.limit_id: limit for limit in limits}
    main = wanted.pop(MAIN, None)
    budget.removed_limits |= budget.named.keys() - wanted.keys()
    budget.removed_limits -= wanted.keys()
    former = budget.named
    budget.named = {}
    _set_limit(budget, budget.main, main, totals.get(MAIN), now_us)
    for limit_id, limit in wanted.items():
        counter = former.get(limit_id) or Counter(None, first_span(limit, now_us), since_seq=0)
        budget.named[limit_id] = counter
        if limit_id not in former or counter.limit is None or counter.limit.models != limit.models:
            counter.held = sum(
                held_part(each).of(limit.unit)
                for each in state.open_holds(budget)
                if limit.matches(each.model, each.other_names)
            )
        _set_limit(budget, counter, limit, totals.get(limit_id), now_us)


def _set_limit(
    budget: BudgetState, counter: Counter, limit: Limit | None, total: LimitRecount | None, now_us: int
) -> None:
    former = counter.limit
    if total is not None:
        apply_recount(budget, counter, total)
    elif limit is not None and (former is None or former.window != limit.window):
        counter.span = first_span(limit, now_us)  # Reset on request: another window, the same count.
    elif limit is not None and limit.reset_mode is ResetMode.ON_REQUEST:
        limit = reanchored(limit, counter.span.start_at_us)
    counter.limit = limit
    counter.alerts_fired = rearmed(counter, former)


def _configured(budget: BudgetState, now_us: int) -> None:
    budget.version += 1
    budget.updated_at_us = now_us
    budget.is_configured = True


def check_etag(budget: BudgetState, etag: str) -> None:
    """Refuse a command that was made for another configuration. An empty etag matches any.

    Raises:
        EtagMismatch: The etag is not the current one.
    """
    if etag and etag != budget.etag:
        raise EtagMismatch(etag, budget.etag)


def _needs_of_creation(needs: Needs, command: CreateBudget) -> None:
    needs.add_budgets(command.project_id, command.budget_id, command.parent_id)
    needs.creating.add(command.project_id)
    if command.replace_existing and command.limits:
        needs.holds.add((command.project_id, command.budget_id))


def _needs_of_update(needs: Needs, command: UpdateBudget) -> None:
    place = (command.project_id, command.budget_id)
    needs.add_budgets(command.project_id, command.budget_id, command.parent_id or "")
    if command.parent_id:
        needs.moved.add(place)
    if command.sets_limits:
        needs.holds.add(place)
    if command.recount is not None:
        # Recounts of one budget in a batch may have begun at different times: the oldest needs the most entries.
        seq = command.recount.until_seq
        needs.chains[place] = min(seq, needs.chains.get(place, seq))


CREATE_BUDGET = Rule(
    command=CreateBudget,
    result=Configured,
    rpc=Rpc.CREATE_BUDGET,
    needs=_needs_of_creation,
    carry_out=create_budget,
    replay=with_budget,
)
UPDATE_BUDGET = Rule(
    command=UpdateBudget,
    result=Configured,
    rpc=Rpc.UPDATE_BUDGET,
    needs=_needs_of_update,
    carry_out=update_budget,
    replay=with_budget,
)
