"""Charges: count a real cost on its budget, on additional budgets and on all their ancestors."""

from budgetd_server.domain.admission import admit
from budgetd_server.domain.alerting import fire_all, reach_silently
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Charge, Outcome, Rpc
from budgetd_server.domain.counting import Part, check_room, count
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.results import Charged
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.status import LimitStatus, limit_statuses
from budgetd_server.domain.touching import add_touched, make_if_new, replay_touched, touched_by
from budgetd_server.domain.turn import Turn


def charge(turn: Turn, command: Charge) -> Outcome[Charged]:
    """Record a cost.

    Raises:
        BudgetNotFound, IsTemplate, InvalidField, CounterOverflow, BudgetExceeded: It is refused; nothing has changed.
    """
    state, now_us = turn.state, turn.now_us
    if command.refusal is not None:
        raise command.refusal
    part = Part(command.cost_nano_usd, command.usage, 1, command.model, command.other_names)
    budget = state.budgets.get((command.project_id, command.budget_id))
    # Most budgets have no parent. Without this fast path their batches take 8 % longer (docs/performance.md).
    if (
        budget is not None
        and budget.parent_key is None
        and not (command.additional_ids or command.rejects_over_limit or command.is_history or budget.is_template)
    ):
        check_room(budget, part, now_us)
        roll_if_due(turn, budget)
        seq = _append_charge(turn, command, budget, ())
        count(budget, part, now_us)
        fire_all(state, budget)
        limits = limit_statuses(budget, now_us) if command.wants_limits else ()
        return Outcome(seq, Charged(command.cost_nano_usd), False, limits)  # noqa: FBT003 - by name it takes twice as long.
    return _charge_touched(turn, command, part)


def _charge_touched(turn: Turn, command: Charge, part: Part) -> Outcome[Charged]:
    """Charge all touched budgets."""
    state, now_us = turn.state, turn.now_us
    touched = touched_by(turn, command)
    budgets = touched.budgets
    for budget in budgets:
        check_room(budget, part, now_us)
    if command.rejects_over_limit:
        admit(turn, touched, part)
    if touched.new is not None:
        make_if_new(turn, command, touched)
    for budget in budgets:
        roll_if_due(turn, budget)
    seq = _append_charge(turn, command, budgets[0], touched.other_keys)
    for budget in budgets:
        count(budget, part, now_us, is_history=command.is_history)
        if command.is_history:
            reach_silently(budget)
        else:
            fire_all(state, budget)
    limits: tuple[LimitStatus, ...] = ()
    if command.wants_limits:
        limits = tuple(status for budget in budgets for status in limit_statuses(budget, now_us))
    return Outcome(seq, Charged(command.cost_nano_usd), limits=limits)


def _append_charge(turn: Turn, command: Charge, budget: BudgetState, other_keys: tuple[int, ...]) -> int:
    """Append the entry of a charge; return its sequence number."""
    if command.unread_fields:
        turn.state.tally.count_unread(command.usage_dialect)
    return turn.state.append(
        budget,
        EntryKind.CHARGE,
        turn.now_us,
        cost_nano_usd=command.cost_nano_usd,
        usage=command.usage,
        model=command.model,
        request_id=turn.request_id,
        labels=command.labels,
        event_at_us=command.event_at_us,
        price_version=command.price_version,
        calls=1,
        cost_source=command.cost_source,
        other_names=command.other_names,
        terms=command.terms,
        unread_fields=command.unread_fields,
        other_keys=other_keys,
    ).seq


def _needs(needs: Needs, command: Charge) -> None:
    if command.additional_ids or command.template_id or command.rejects_over_limit:
        add_touched(needs, command, may_refuse=command.rejects_over_limit)
        return
    project_id, budget_id = command.project_id, command.budget_id
    needs.budgets.setdefault(project_id, set()).add(budget_id)
    needs.models.add((project_id, budget_id, command.model))


def _replay(turn: Turn, command: Charge, first: Outcome[Charged]) -> Outcome[Charged]:
    return replay_touched(turn, command, first) if command.wants_limits else first


def _charged_nano_usd(command: Charge, charged: Charged) -> int:
    """Return the cost that the metrics count: zero for history, which was spent before."""
    return 0 if command.is_history else charged.cost_nano_usd


CHARGE = Rule(
    command=Charge,
    result=Charged,
    rpc=Rpc.UPDATE_COST,
    needs=_needs,
    carry_out=charge,
    replay=_replay,
    is_charge=True,
    charged_nano_usd=_charged_nano_usd,
)
