"""Bugs to be planted one at a time in how budgets count, begin again and are counted again from their entries."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from budgetd_server.domain import configure, correcting, counting, deleting, recount, resetting, rolling, status
from budgetd_server.domain import decide as deciding
from budgetd_server.domain.budget import BudgetState, Counter
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.state import State
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.window import Fixed, Roll, Span, rolled, window_at

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]

_BEGINNERS = (resetting, configure, rolling)


def begins_again_always(patch: Patch) -> None:
    """Whatever window now is in, the counter takes it and begins again."""
    patch.setattr(counting, "rolled", lambda window, _, now_us: Roll(window_at(window, now_us), 0, keeps_count=False))


def steps_from_now(patch: Patch) -> None:
    """The next fixed window begins at the next command, not on its grid."""

    def stepped(window: Any, stored: Span, now_us: int) -> Roll | None:
        roll = rolled(window, stored, now_us)
        if roll is None or not isinstance(window, Fixed):
            return roll
        return roll._replace(span=Span(now_us, now_us + window.length_us))

    patch.setattr(counting, "rolled", stepped)


def closes_late(patch: Patch) -> None:
    """The instant of closing still belongs to the window."""
    patch.setattr(
        counting,
        "rolled",
        lambda window, stored, now_us: None if now_us == stored[1] else rolled(window, stored, now_us),
    )


def drops_what_is_kept(patch: Patch) -> None:
    """A clock that steps far back wipes the count."""

    def dropping(counter: Counter, now_us: int) -> Roll | None:
        roll = counting.due_roll(counter, now_us)
        return roll._replace(keeps_count=False) if roll is not None else None

    patch.setattr(rolling, "due_roll", dropping)


def ends_by_itself(patch: Patch) -> None:
    """A window that is reset on request ends with the clock."""

    def due(counter: Counter, now_us: int) -> Roll | None:
        return rolled(counter.limit.window, counter.span, now_us) if counter.limit is not None else None

    for module in (counting, rolling, status):
        patch.setattr(module, "due_roll", due)


def carries_out_replays(patch: Patch) -> None:
    """A replay takes effect once more."""
    patch.setattr(deciding, "_replay", lambda turn, rule, command, _: rule.carry_out(turn, command))


def forgets_refused_content(patch: Patch) -> None:
    """The same id with other content is taken for a retry."""
    replay = deciding._replay  # noqa: SLF001
    patch.setattr(
        deciding,
        "_replay",
        lambda turn, rule, command, stored: replay(
            turn, rule, command, stored._replace(fingerprint=command.request.fingerprint)
        ),
    )


def erases_lifetime(patch: Patch) -> None:
    """A count that begins again also resets the lifetime."""

    def begin(budget: BudgetState, counter: Counter, **options: Any) -> None:
        counting.begin_again(budget, counter, **options)
        budget.lifetime_cost_nano_usd = 0

    for module in _BEGINNERS:
        patch.setattr(module, "begin_again", begin)


def counts_one_entry_too_few(patch: Patch) -> None:
    """The first entry after a reset is taken for one before it."""

    def begin(budget: BudgetState, counter: Counter, *, since_seq: int, **options: Any) -> None:
        counting.begin_again(budget, counter, since_seq=since_seq + 1, **options)

    for module in _BEGINNERS:
        patch.setattr(module, "begin_again", begin)


def keeps_models(patch: Patch) -> None:
    """The parts by model go on when the count begins again."""
    patch.setattr(BudgetState, "clear_models", lambda _: None)


def loses_the_second_step(patch: Patch) -> None:
    """Entries that come between the two steps of a recount are not counted."""
    patch.setattr(State, "entries_after", lambda *_: ())


def recounts_what_was_reset(patch: Patch) -> None:
    """A recount goes behind a reset."""
    patch.setattr(recount, "_begins_count", lambda entry, _: entry.kind is EntryKind.CREATE)


def recounts_one_entry_too_many(patch: Patch) -> None:
    """A recount says that it counts the entry before the window."""
    apply = recount.apply_recount
    patch.setattr(
        configure,
        "apply_recount",
        lambda budget, counter, total: apply(budget, counter, replace(total, since_seq=total.since_seq - 1)),
    )


def leaves_a_trace(patch: Patch) -> None:
    """A refused adjustment has rolled the window already."""
    check = correcting.check_not_below_zero

    def late(budget: BudgetState, part: Any, now_us: int, *, corrects_seq: int | None) -> None:
        if counting.has_ended(budget.main, now_us):
            budget.main.span = window_at(budget.main.limit.window, now_us)  # type: ignore[union-attr]
        check(budget, part, now_us, corrects_seq=corrects_seq)

    patch.setattr(correcting, "check_not_below_zero", late)


def inherits_lifetime(patch: Patch) -> None:
    """An id that is created again begins with what its former budget spent."""
    new = configure._new_budget  # noqa: SLF001

    def heir(turn: Turn, command: Any) -> BudgetState:
        budget = new(turn, command)
        for former in turn.state.by_key.values():
            if former.deleted_at_us is not None and (former.project_key, former.budget_id) == (
                budget.project_key,
                budget.budget_id,
            ):
                budget.lifetime_cost_nano_usd = former.lifetime_cost_nano_usd
        return budget

    patch.setattr(configure, "_new_budget", heir)


def accepts_any_etag(patch: Patch) -> None:
    """An etag of the past is as good as the current one."""
    for module in (configure, deleting):
        patch.setattr(module, "check_etag", lambda *_: None)


COUNT_PLANTS: tuple[Plant, ...] = (
    begins_again_always,
    steps_from_now,
    closes_late,
    drops_what_is_kept,
    ends_by_itself,
    carries_out_replays,
    forgets_refused_content,
    erases_lifetime,
    counts_one_entry_too_few,
    keeps_models,
    loses_the_second_step,
    recounts_what_was_reset,
    recounts_one_entry_too_many,
    leaves_a_trace,
    inherits_lifetime,
    accepts_any_etag,
)
