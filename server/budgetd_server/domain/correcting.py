"""Signed corrections of spending: in the current windows, or of one entry wherever that entry still counts."""

from budgetd_server.domain.alerting import fire_all
from budgetd_server.domain.budget import BudgetState, Counter, Unit
from budgetd_server.domain.commands import AdjustCost, Outcome, Rpc
from budgetd_server.domain.counting import Part, check_room, count, counted_model, has_ended
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.errors import (
    BelowZero,
    BrokenRule,
    EntryNotFound,
    InvalidField,
    IsTemplate,
    RefundExceedsEntry,
    Term,
    short_repr,
)
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.results import Charged
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule, with_budget
from budgetd_server.domain.state import Corrected, State
from budgetd_server.domain.status import budget_status, limit_statuses
from budgetd_server.domain.touching import budgets_by_keys, upwards
from budgetd_server.domain.turn import Turn

_CORRECTABLE = frozenset({EntryKind.CHARGE, EntryKind.SETTLE})


def adjust(turn: Turn, command: AdjustCost) -> Outcome[Charged]:
    """Correct spending by a signed amount.

    Raises:
        EntryNotFound, RefundExceedsEntry, BelowZero, CounterOverflow: It is refused.
    """
    state, now_us = turn.state, turn.now_us
    own = state.budget(command.project_id, command.budget_id)
    if own.is_template:
        raise IsTemplate(own.budget_id)
    corrected = _corrected(state, command, own)
    if corrected is None:
        budgets = [own, *upwards(state, own)]
        part = Part(command.amount_nano_usd, None, 0, command.model, command.other_names)
    else:
        entry = corrected.entry
        budgets = budgets_by_keys(state, own.project_key, (entry.budget_key, *entry.other_keys))
        part = Part(command.amount_nano_usd, None, 0, entry.model, entry.other_names)
    for budget in budgets:
        check_room(budget, part, now_us)
        check_not_below_zero(budget, part, now_us, corrects_seq=command.entry_seq)
    for budget in budgets:
        roll_if_due(turn, budget)
    written = state.append(
        own,
        EntryKind.ADJUST,
        now_us,
        cost_nano_usd=part.cost_nano_usd,
        model=part.model,
        other_names=part.other_names,
        request_id=turn.request_id,
        labels=command.labels,
        reason=command.reason,
        adjusted_seq=command.entry_seq,
        other_keys=tuple(budget.budget_key for budget in budgets[1:]),
    )
    for budget in budgets:
        count(budget, part, now_us, corrects_seq=command.entry_seq)
        fire_all(state, budget)
    if corrected is not None:
        corrected.adjusted_nano_usd += part.cost_nano_usd
    limits = tuple(status for budget in budgets for status in limit_statuses(budget, now_us))
    return Outcome(written.seq, Charged(part.cost_nano_usd), limits=limits, budget=budget_status(own, now_us))


def check_not_below_zero(budget: BudgetState, part: Part, now_us: int, *, corrects_seq: int | None) -> None:
    """Refuse a correction that would take a count below zero; counts that it does not change are ignored.

    Raises:
        BelowZero: A count would fall below zero.
    """
    amount = part.cost_nano_usd
    if amount >= 0:
        return
    for counter in budget.counters():
        if (
            counter.unit is not Unit.NANO_USD
            or not part.matches(counter)
            or not _counts(budget, counter, now_us, corrects_seq)
        ):
            continue
        spent = 0 if _is_over(budget, counter, now_us) else counter.sums.cost_nano_usd
        if spent + amount < 0:
            of = f"what budget {short_repr(budget.budget_id)} has spent in this window"
            raise BelowZero(amount_nano_usd=amount, spent_nano_usd=spent, of=of)
    if _counts(budget, budget.main, now_us, corrects_seq):
        sums = budget.part(counted_model(budget, part.model))
        of_model = 0 if sums is None or _is_over(budget, budget.main, now_us) else sums.cost_nano_usd
        if of_model + amount < 0:
            of = f"what budget {short_repr(budget.budget_id)} has spent on this model"
            raise BelowZero(amount_nano_usd=amount, spent_nano_usd=of_model, of=of)
    if budget.lifetime_cost_nano_usd + amount < 0:
        of = f"the lifetime cost of budget {short_repr(budget.budget_id)}"
        raise BelowZero(amount_nano_usd=amount, spent_nano_usd=budget.lifetime_cost_nano_usd, of=of)


def _counts(budget: BudgetState, counter: Counter, now_us: int, corrects_seq: int | None) -> bool:
    """Return True if a correction changes the counter: it names no entry, or one that still counts there."""
    return corrects_seq is None or (corrects_seq > counter.since_seq and not _is_over(budget, counter, now_us))


def _is_over(budget: BudgetState, counter: Counter, now_us: int) -> bool:
    """Return True if the counter will roll before the correction counts. Counters of deleted budgets never roll."""
    return budget.deleted_at_us is None and has_ended(counter, now_us)


def _corrected(state: State, command: AdjustCost, own: BudgetState) -> Corrected | None:
    """Return the entry that a command names. None if it names none."""
    seq = command.entry_seq
    if seq is None:
        return None
    corrected = state.corrected.get((command.project_id, seq))
    if corrected is None:
        corrected = _of_this_batch(state, own, seq)
    if corrected is None or not _is_correctable(corrected.entry, own):
        raise EntryNotFound(command.project_id, command.budget_id, f"e{seq}")
    state.corrected[(command.project_id, seq)] = corrected
    entry, amount = corrected.entry, command.amount_nano_usd
    if command.model and command.model != entry.model:
        rule = f"must be empty or the entry's model {short_repr(entry.model)}, got {short_repr(command.model)}"
        raise InvalidField(broken=[BrokenRule(Term.MODEL_OF_CORRECTION, rule)])
    left = entry.cost_nano_usd + corrected.adjusted_nano_usd
    if amount < 0 and left + amount < 0:
        raise RefundExceedsEntry(f"e{seq}", amount_nano_usd=amount, left_nano_usd=left)
    return corrected


def _of_this_batch(state: State, own: BudgetState, seq: int) -> Corrected | None:
    for entry in state.new_entries:
        if entry.project_key == own.project_key and entry.seq == seq:
            return Corrected(entry)
    return None


def _is_correctable(entry: Entry, own: BudgetState) -> bool:
    """Return True for a charge or settlement of this budget that is not a correction itself.

    A chain of corrections would be hard to follow. An estimate is corrected by settling its hold.
    """
    return entry.budget_key == own.budget_key and entry.kind in _CORRECTABLE and entry.adjusted_seq is None


def _needs(needs: Needs, command: AdjustCost) -> None:
    needs.add_budgets(command.project_id, command.budget_id)
    needs.models.add((command.project_id, command.budget_id, command.model))
    if command.entry_seq is not None:
        needs.entries.add((command.project_id, command.entry_seq))


def _replay(turn: Turn, command: AdjustCost, first: Outcome[Charged]) -> Outcome[Charged]:
    state, now_us = turn.state, turn.now_us
    outcome = with_budget(turn, command, first)
    budget = state.budgets.get((command.project_id, command.budget_id))
    if budget is None:
        return outcome
    above = tuple(each for ancestor in upwards(state, budget) for each in limit_statuses(ancestor, now_us))
    return outcome._replace(limits=outcome.limits + above)


ADJUST_COST = Rule(
    command=AdjustCost, result=Charged, rpc=Rpc.ADJUST_COST, needs=_needs, carry_out=adjust, replay=_replay
)
