"""Recount a window from the ledger, when a limit is added, or its window or models are changed.

There are two steps, so that a long ledger does not block other commands. First a reader sums the entries up to a
sequence number, while the server goes on. Then the queued command adds the entries written since. If the window ended
or the count was reset in between, the command raises StaleRecount, and both steps are repeated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.budget import MAIN, BudgetState, Counter, Limit, ResetMode, Sums, Unit
from budgetd_server.domain.counting import first_span, model_sums
from budgetd_server.domain.entry import Cause, Entry, EntryKind
from budgetd_server.domain.errors import BelowZero, CounterOverflow, short_repr
from budgetd_server.domain.window import Lifetime, Span, Window

_COUNTED = frozenset({EntryKind.CHARGE, EntryKind.SETTLE, EntryKind.ADJUST})


class StaleRecount(Exception):
    """The sums of the first step no longer fit the budget, so it has to be repeated. Never reaches a caller."""


class _Correction(NamedTuple):
    """A correction: it counts only if the older entry that it corrects counts."""

    adjusted_seq: int
    model: str
    sums: Sums


@dataclass(slots=True, kw_only=True)
class LimitRecount:
    """The sums of the entries that one limit counts in one window."""

    #: None: the main count of a budget without a main limit.
    limit: Limit | None
    span: Span
    #: The newest entry that does not count any more. Zero: all entries count.
    since_seq: int = 0
    has_ended: bool = False
    models: dict[str, Sums] = field(default_factory=dict)
    corrections: list[_Correction] = field(default_factory=list)

    @property
    def limit_id(self) -> str:
        """The id of the limit."""
        return MAIN if self.limit is None else self.limit.limit_id

    def take(self, entry: Entry, budget_key: int) -> None:
        """Count one more entry, unless an earlier call found the start of the window. Entries come newest first."""
        if self.has_ended:
            return
        if self._ends_with(entry, budget_key):
            self.has_ended, self.since_seq = True, entry.seq
        elif _is_counted(entry):
            limit = self.limit
            if limit is None or limit.matches(entry.model, entry.other_names):
                self._add(entry)

    def _ends_with(self, entry: Entry, budget_key: int) -> bool:
        """Return True if neither this entry nor an older one counts: it precedes the window or restarted the count."""
        if entry.budget_key == budget_key and _begins_count(entry, self.limit_id):
            return True
        return self.span.start_at_us is not None and entry.created_at_us < self.span.start_at_us

    def _add(self, entry: Entry) -> None:
        if entry.adjusted_seq is not None:
            sums = Sums()
            sums.add(entry.cost_nano_usd, entry.usage, entry.calls)
            self.corrections.append(_Correction(entry.adjusted_seq, entry.model, sums))
        else:
            self.models.setdefault(entry.model, Sums()).add(entry.cost_nano_usd, entry.usage, entry.calls)

    def completed(self) -> "LimitRecount":
        """Return a copy that includes the corrections of those entries that count."""
        models: dict[str, Sums] = {}
        for model, sums in self.models.items():
            models.setdefault(model, Sums()).merge(sums)
        for correction in self.corrections:
            if correction.adjusted_seq > self.since_seq:
                models.setdefault(correction.model, Sums()).merge(correction.sums)
        return replace(self, models=models, corrections=[])

    def copy(self) -> "LimitRecount":
        """Return an independent copy."""
        models = {model: replace(sums) for model, sums in self.models.items()}
        return replace(self, models=models, corrections=list(self.corrections))


@dataclass(slots=True, kw_only=True)
class Recount:
    """The sums of a budget's entries in the windows of some limits, up to a sequence number."""

    budget_key: int
    #: The newest entry that was read, of any budget. Set by the first read.
    until_seq: int = 0
    limits: Mapping[str, LimitRecount]

    def take(self, newest_first: Iterable[Entry]) -> bool:
        """Sum entries, newest first, while they are in any of the windows. Returns True once no window needs more."""
        limits = list(self.limits.values())
        for entry in newest_first:
            for limit in limits:
                limit.take(entry, self.budget_key)
            if all(limit.has_ended for limit in limits):
                return True
        return False


def limits_to_recount(budget: BudgetState, limits: Sequence[Limit]) -> dict[str, Limit | None]:
    """Return the limits of a new list that count other entries than the current counters of the same ids.

    A limit that is reset on request counts from its last reset, independent of its window.
    """
    wanted: dict[str, Limit | None] = {limit.limit_id: limit for limit in limits}
    wanted.setdefault(MAIN, None)
    return {limit_id: limit for limit_id, limit in wanted.items() if _starts_over(budget.counter(limit_id), limit)}


def begin_recount(budget: BudgetState, limits: Mapping[str, Limit | None], now_us: int) -> Recount:
    """Return an empty recount of the windows that the limits would have now."""
    return Recount(
        budget_key=budget.budget_key,
        limits={
            limit_id: LimitRecount(limit=limit, span=first_span(limit, now_us)) for limit_id, limit in limits.items()
        },
    )


def fits(recount: Recount, budget: BudgetState, limits: Mapping[str, Limit | None], now_us: int) -> bool:
    """Return True if a recount counts exactly these limits of this budget in their current windows."""
    if recount.budget_key != budget.budget_key or recount.limits.keys() != limits.keys():
        return False
    return all(
        recount.limits[limit_id].limit == limit and recount.limits[limit_id].span == first_span(limit, now_us)
        for limit_id, limit in limits.items()
    )


def complete_recount(recount: Recount, newer: Iterable[Entry]) -> dict[str, LimitRecount]:
    """Add the entries since the first step, newest first, to the sums of that step.

    Raises:
        StaleRecount: The entries since then end a window.
        BelowZero: Refunds in the window exceed its spending, since they belong to spending before the window.
        CounterOverflow: The window has more tokens than a counter can hold.
    """
    # The newer entries are summed separately: no window may end in them, but it may in the sums of the first step.
    fresh = {limit_id: LimitRecount(limit=each.limit, span=each.span) for limit_id, each in recount.limits.items()}
    for entry in newer:
        for each in fresh.values():
            each.take(entry, recount.budget_key)
    if any(each.has_ended for each in fresh.values()):
        raise StaleRecount
    totals: dict[str, LimitRecount] = {}
    for limit_id, each in recount.limits.items():
        total = each.copy()
        for model, sums in fresh[limit_id].models.items():
            total.models.setdefault(model, Sums()).merge(sums)
        total.corrections.extend(fresh[limit_id].corrections)
        totals[limit_id] = total.completed()
        _check_countable(totals[limit_id])
    return totals


def apply_recount(budget: BudgetState, counter: Counter, total: LimitRecount) -> None:
    """Set a counter to the recounted sums."""
    counter.span, counter.since_seq, counter.sums = total.span, total.since_seq, Sums()
    for sums in total.models.values():
        counter.sums.merge(sums)
    if counter is budget.main:
        budget.clear_models()
        for model, sums in total.models.items():
            model_sums(budget, model).merge(sums)


def _begins_count(entry: Entry, limit_id: str) -> bool:
    """Return True if the limit's count was restarted here on request: recounts stop at this entry."""
    return entry.kind is EntryKind.CREATE or (entry.cause is Cause.REQUESTED and entry.limit_id == limit_id)


def _is_counted(entry: Entry) -> bool:
    """Return True for entries that add an amount, even zero. Of ended holds, only estimates and corrections do."""
    return entry.kind in _COUNTED or entry.is_estimated or entry.adjusted_seq is not None


def _starts_over(counter: Counter | None, limit: Limit | None) -> bool:
    if counter is None:
        return True
    if limit is not None and limit.reset_mode is ResetMode.ON_REQUEST:
        return False
    current = counter.limit
    was_on_request = current is not None and current.reset_mode is ResetMode.ON_REQUEST
    return was_on_request or _scope(current) != _scope(limit)


def _scope(limit: Limit | None) -> tuple[Window, tuple[str, ...]]:
    return (Lifetime(), ()) if limit is None else (limit.window, limit.models)


def _check_countable(total: LimitRecount) -> None:
    """Refuse counts of money below zero, for the main limit by model, and counts of tokens above the largest value."""
    if total.limit_id == MAIN:
        for model, sums in total.models.items():
            _check_money(sums.cost_nano_usd, f"what was spent in the new window on model {short_repr(model)}")
    elif total.limit is not None and total.limit.unit is Unit.NANO_USD:
        cost_nano_usd = sum(sums.cost_nano_usd for sums in total.models.values())
        _check_money(cost_nano_usd, f"what was spent in the new window of limit {short_repr(total.limit_id)}")
    tokens = sum(sums.usage.tokens for sums in total.models.values())
    if tokens > COUNTER_MAX:
        raise CounterOverflow(counter="the count of tokens in the new window", value=0, added=tokens)


def _check_money(cost_nano_usd: int, of: str) -> None:
    if cost_nano_usd < 0:
        raise BelowZero(amount_nano_usd=cost_nano_usd, spent_nano_usd=0, of=of)
