"""Find the budgets that a charge or a hold counts on: its own, the additional ones, and all ancestors, each once."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from budgetd_server.domain.bounds import TOUCHED_BUDGETS_MAX
from budgetd_server.domain.budget import BudgetState, Counter, Limit
from budgetd_server.domain.commands import Charge, Outcome, ReserveCost
from budgetd_server.domain.counting import first_span
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import BrokenRule, BudgetNotFound, InvalidField, IsTemplate, Term, short_repr
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.state import State
from budgetd_server.domain.status import LimitStatus, limit_statuses
from budgetd_server.domain.turn import Turn


class Touched(NamedTuple):
    """The budgets that a charge or hold counts on."""

    #: First its own with its ancestors, then each additional one with its ancestors.
    budgets: list[BudgetState]
    #: The first one, if it does not exist yet. It is not added to the state before `make_if_new`.
    new: BudgetState | None = None

    @property
    def other_keys(self) -> tuple[int, ...]:
        """The keys of all budgets except its own."""
        if len(self.budgets) == 1:
            return ()
        return tuple(budget.budget_key for budget in self.budgets[1:])


def touched_by(turn: Turn, command: Charge | ReserveCost) -> Touched:
    """Return the budgets that a charge or hold counts on.

    Raises:
        BudgetNotFound, IsTemplate, InvalidField: It names a budget that it must not, or too many. Nothing has changed.
    """
    state = turn.state
    project_id = command.project_id
    own, new = state.budgets.get((project_id, command.budget_id)), None
    if own is None:
        own = new = _copy_of_template(turn, command)
    budgets = [_chargeable(own), *upwards(state, own)]
    seen = {id(budget) for budget in budgets}
    for additional_id in command.additional_ids:
        additional = state.budgets.get((project_id, additional_id))
        if additional is None:
            if command.skips_missing or additional_id == command.budget_id:
                continue
            raise BudgetNotFound(project_id, additional_id)
        for budget in (_chargeable(additional), *upwards(state, additional)):
            if id(budget) not in seen:
                seen.add(id(budget))
                budgets.append(budget)
    check_not_too_many(budgets)
    return Touched(budgets, new)


def check_not_too_many(budgets: Sequence[BudgetState]) -> None:
    """Raise InvalidField for a charge or hold that would count on too many budgets."""
    if len(budgets) > TOUCHED_BUDGETS_MAX:
        rule = f"must count on at most {TOUCHED_BUDGETS_MAX} budgets, ancestors included, got {len(budgets)}"
        raise InvalidField(broken=[BrokenRule(Term.ADDITIONAL_BUDGETS, rule)])


def make_if_new(turn: Turn, command: Charge | ReserveCost, touched: Touched) -> None:
    """Create the budget of an admitted charge or hold, if it does not exist yet."""
    state, now_us = turn.state, turn.now_us
    budget = touched.new
    if budget is None:
        return
    project_id = command.project_id
    project = state.projects[project_id]
    project.last_budget_key += 1
    budget.budget_key = project.last_budget_key
    budget.last_seq = state.last_seqs.get((project_id, budget.budget_id), 0)
    budget.is_new = True
    state.add_budget(budget)
    entry = state.append(
        budget,
        EntryKind.CREATE,
        now_us,
        request_id=turn.request_id,
        labels=budget.labels or None,
        cause=Cause.FROM_TEMPLATE,
    )
    for counter in budget.counters():
        counter.since_seq = entry.seq


def upwards(state: State, budget: BudgetState) -> Iterator[BudgetState]:
    """Yield the ancestors of a budget, the nearest first."""
    above = state.parent(budget)
    while above is not None:
        yield above
        above = state.parent(above)


def budgets_by_keys(state: State, project_key: int, keys: Sequence[int]) -> list[BudgetState]:
    """Return the budgets with the keys that are stored in an entry or a hold."""
    return [state.by_key[(project_key, key)] for key in keys]


def budgets_of(state: State, reservation: Reservation) -> list[BudgetState]:
    """Return the budgets that a reservation counts on, its own first."""
    return budgets_by_keys(state, reservation.project_key, (reservation.budget_key, *reservation.other_keys))


def _chargeable(budget: BudgetState) -> BudgetState:
    if budget.is_template:
        raise IsTemplate(budget.budget_id)
    return budget


def _copy_of_template(turn: Turn, command: Charge | ReserveCost) -> BudgetState:
    """Return a new budget made from the template of the command. It is not added to the state yet."""
    state, now_us = turn.state, turn.now_us
    if not command.template_id:
        raise BudgetNotFound(command.project_id, command.budget_id)
    template = state.budget(command.project_id, command.template_id)
    if not template.is_template:
        rule = f"must name a template, got {short_repr(command.template_id)}"
        raise InvalidField(broken=[BrokenRule(Term.TEMPLATE_OF_BUDGET, rule)])

    def fresh(limit: Limit | None) -> Counter:
        return Counter(limit, first_span(limit, now_us), since_seq=0)

    return BudgetState(
        project_key=template.project_key,
        budget_key=0,
        budget_id=command.budget_id,
        parent_key=template.parent_key,
        parent_id=template.parent_id,
        labels=template.labels,
        version=1,
        created_at_us=now_us,
        updated_at_us=now_us,
        main=fresh(template.main.limit),
        named={limit_id: fresh(counter.limit) for limit_id, counter in template.named.items()},
    )


def add_touched(needs: Needs, command: Charge | ReserveCost, *, may_refuse: bool) -> None:
    """Add what `touched_by` and the limits of these budgets need. Budgets that may refuse also need their holds."""
    project_id = command.project_id
    # A copy of the template is charged together with the template's ancestors.
    budget_ids = (command.budget_id, *command.additional_ids, *filter(None, [command.template_id]))
    needs.add_budgets(project_id, *budget_ids)
    needs.models.update((project_id, each, command.model) for each in budget_ids)
    if command.template_id:
        needs.creating.add(project_id)
    if may_refuse:
        needs.refusing.update((project_id, each) for each in budget_ids)


def replay_touched(turn: Turn, command: Charge | ReserveCost, first: Outcome[Any]) -> Outcome[Any]:
    """Replay: add the current limits of the budgets that the command would touch now, if they still exist."""
    state, now_us = turn.state, turn.now_us
    seen: dict[int, tuple[LimitStatus, ...]] = {}
    for budget_id in (command.budget_id, *command.additional_ids):
        budget = state.budgets.get((command.project_id, budget_id))
        if budget is not None:
            for each in (budget, *upwards(state, budget)):
                seen.setdefault(each.budget_key, limit_statuses(each, now_us))
    return first._replace(limits=tuple(status for statuses in seen.values() for status in statuses))
