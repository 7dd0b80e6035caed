"""Counting anew what the ledger holds of a window, when a budget's window is changed.

Two steps, so that a long ledger stops nobody: a reader sums up to a sequence number while the server works on; the
queued command adds the entries that came since. If the world has moved too far in between (the window ended, the count
was reset), the command says so by StaleRecount, and both steps are taken again.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.budget import BudgetState, Limit, ResetMode, Sums
from budgetd_server.domain.counting import first_span, model_sums
from budgetd_server.domain.entry import BARRIERS, Entry, EntryKind
from budgetd_server.domain.errors import BelowZero, CounterOverflow, shown
from budgetd_server.domain.window import Lifetime, Span, Window

COUNTED_KINDS = frozenset({EntryKind.CHARGE, EntryKind.ADJUST})


class StaleRecount(Exception):
    """The first step's sums no longer fit the budget; take it again. Never reaches a caller."""


@dataclass(slots=True, kw_only=True)
class Recount:
    """The sums of a budget's entries in one window, up to a sequence number."""

    budget_key: int
    span: Span
    #: The newest entry that was looked at.
    until_seq: int
    #: The oldest that did not count any more; zero: all did.
    since_seq: int = 0
    models: dict[str, Sums] = field(default_factory=dict)

    def take(self, newest_first: Iterable[Entry]) -> bool:
        """Sum entries, newest first, while they belong to the window; True once one does not."""
        for entry in newest_first:
            if ends_recount(entry, self.budget_key, self.span):
                self.since_seq = entry.seq
                return True
            if entry.kind in COUNTED_KINDS:
                sums = self.models.setdefault(entry.model, Sums())
                sums.add(entry.cost_nano_usd, entry.usage, calls_of(entry))
        return False


def needs_recount(budget: BudgetState, limit: Limit | None) -> bool:
    """True if another main limit counts another span than the current one does.

    A limit that is reset on request counts since its last reset, whatever its window is.
    """
    if limit is not None and limit.reset_mode is ResetMode.ON_REQUEST:
        return False
    current = budget.main.limit
    was_on_request = current is not None and current.reset_mode is ResetMode.ON_REQUEST
    return was_on_request or _window(current) != _window(limit)


def begin_recount(budget: BudgetState, limit: Limit | None, now_us: int) -> Recount:
    """An empty recount of the window that the limit would have now."""
    return Recount(budget_key=budget.budget_key, span=first_span(limit, now_us), until_seq=budget.last_seq)


def complete_recount(recount: Recount, newer: Iterable[Entry]) -> Recount:
    """The first step's sums and the entries since then, which are given newest first.

    Raises:
        StaleRecount: The entries since then end the window.
        BelowZero: More was taken back in the window than spent in it: the spending was before, in another one.
        CounterOverflow: The window holds more tokens than a counter can.
    """
    models = {model: Sums() for model in recount.models}
    for model, sums in recount.models.items():
        models[model].merge(sums)
    total = replace(recount, models=models)
    if total.take(newer):
        raise StaleRecount
    _check_countable(total)
    return total


def apply_recount(budget: BudgetState, total: Recount) -> None:
    """Let the main counter stand where the ledger says."""
    counter = budget.main
    counter.span, counter.since_seq, counter.sums = total.span, total.since_seq, Sums()
    budget.clear_models()
    for model, sums in total.models.items():
        counter.sums.merge(sums)
        model_sums(budget, model).merge(sums)


def ends_recount(entry: Entry, budget_key: int, span: Span) -> bool:
    """True if neither this entry nor an older one counts in the window: it is older, or the count began again there."""
    if entry.budget_key != budget_key or (entry.kind, entry.reason) in BARRIERS:
        return True
    return span.start_at_us is not None and entry.created_at_us < span.start_at_us


def calls_of(entry: Entry) -> int:
    """How many calls an entry counts as."""
    return 1 if entry.kind is EntryKind.CHARGE else 0


def _check_countable(total: Recount) -> None:
    """No count may be below zero, and none past its largest value."""
    tokens = 0
    for model, sums in total.models.items():
        tokens += sums.usage.tokens
        if sums.cost_nano_usd < 0:
            of = f"what was spent in the new window on model {shown(model)}"
            raise BelowZero(amount_nano_usd=sums.cost_nano_usd, spent_nano_usd=0, of=of)
    if tokens > COUNTER_MAX:
        raise CounterOverflow(counter="the count of tokens in the new window", value=0, added=tokens)


def _window(limit: Limit | None) -> Window:
    return Lifetime() if limit is None else limit.window
