"""Bugs to be planted in the rules, one at a time; each breaks what one sentence of the design says."""

from collections.abc import Callable
from typing import Any

import pytest

from budgetd_server.domain import (
    admission,
    charging,
    configure,
    correcting,
    counting,
    decide,
    deleting,
    expiry,
    holding,
    settling,
    touching,
)
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Charge, CommitReservation, Outcome, ReserveCost
from budgetd_server.domain.counting import Part
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.state import State
from budgetd_server.domain.touching import Touched
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.window import Roll, Span, Window, length_us, rolled, window_at

Patch = pytest.MonkeyPatch
Plant = Callable[[Patch], None]


def keeps_expired_holds(patch: Patch) -> None:
    """What a hold kept is not released when it expires."""
    patch.setattr(expiry, "hold", lambda *_, **__: None)


def charges_the_parent_twice(patch: Patch) -> None:
    """A parent is charged twice for one charge."""
    touched_by = touching.touched_by

    def doubled(turn: Turn, command: Charge | ReserveCost) -> Touched:
        touched = touched_by(turn, command)
        parent = turn.state.parent(touched.budgets[0])
        return touched if parent is None else touched._replace(budgets=[*touched.budgets, parent])

    patch.setattr(charging, "touched_by", doubled)
    _names_each_once(patch)


def charges_additional_ancestors_twice(patch: Patch) -> None:
    """An additional budget is charged twice if it is an ancestor, too."""
    touched_by = touching.touched_by

    def doubled(turn: Turn, command: Charge | ReserveCost) -> Touched:
        touched = touched_by(turn, command)
        above = list(touching.upwards(turn.state, touched.budgets[0]))
        again = [budget for budget in above if budget.budget_id in command.additional_ids]
        return touched._replace(budgets=touched.budgets + again)

    patch.setattr(charging, "touched_by", doubled)
    _names_each_once(patch)


def _names_each_once(patch: Patch) -> None:
    """The entry does not contain what is counted twice."""

    def once(touched: Touched) -> tuple[int, ...]:
        _, *others = dict.fromkeys(budget.budget_key for budget in touched.budgets)
        return tuple(others)

    patch.setattr(Touched, "other_keys", property(once))


def steps_windows(patch: Patch) -> None:
    """The next window is stepped to from the last one, not computed."""

    def stepped(window: Window, stored: Span, now_us: int) -> Roll | None:
        roll, length = rolled(window, stored, now_us), length_us(stored)
        if roll is None or roll.keeps_count or stored.end_at_us is None or length is None:
            return roll
        return roll._replace(span=Span(stored.end_at_us, stored.end_at_us + length))

    patch.setattr(counting, "rolled", stepped)


def rolls_backwards(patch: Patch) -> None:
    """A clock that is set back wipes a count."""

    def back(window: Window, stored: Span, now_us: int) -> Roll | None:
        if stored.start_at_us is not None and now_us < stored.start_at_us:
            return Roll(window_at(window, now_us), windows_skipped=0, keeps_count=False)
        return rolled(window, stored, now_us)

    patch.setattr(counting, "rolled", back)


def charges_again(patch: Patch) -> None:
    """A replay is charged again."""
    replay = decide._replay  # noqa: SLF001

    def again(turn: Turn, rule: Rule[Any], command: Any, stored: Any) -> Outcome[Any]:
        outcome = replay(turn, rule, command, stored)
        if isinstance(command, Charge):
            charging.charge(turn, command)
        return outcome

    patch.setattr(decide, "_replay", again)


def settles_with_the_tree_of_today(patch: Patch) -> None:
    """A hold is settled on the ancestors that its budget has by now."""

    def today(state: State, reservation: Reservation) -> list[BudgetState]:
        own = state.by_key[(reservation.project_key, reservation.budget_key)]
        return [own, *touching.upwards(state, own)]

    patch.setattr(settling, "budgets_of", today)


def refunds_into_later_windows(patch: Patch) -> None:
    """A refund counts in the window of now, although the entry that it names does not."""

    def everywhere(budget: BudgetState, part: Part, now_us: int, **_: Any) -> None:
        counting.count(budget, part, now_us)

    patch.setattr(correcting, "count", everywhere)


def frees_where_the_commit_matches(patch: Patch) -> None:
    """Release a hold where the model of its commit matches, not where it was held."""
    free = settling._free  # noqa: SLF001

    def misplaced(
        reservation: Reservation, budgets: list[BudgetState], command: CommitReservation, rest_nano_usd: int
    ) -> None:
        model, other_names = reservation.model, reservation.other_names
        if command.model:
            reservation.model, reservation.other_names = command.model, command.other_names
        free(reservation, budgets, command, rest_nano_usd)
        reservation.model, reservation.other_names = model, other_names

    patch.setattr(settling, "_free", misplaced)


def ignores_what_is_held(patch: Patch) -> None:
    """An admission looks at what is spent alone."""
    without_room = admission.without_room

    def unheld(budgets: Any, part: Part, now_us: int, **options: Any) -> Any:
        counters = [counter for budget in budgets for counter in budget.counters()]
        held = [counter.held for counter in counters]
        for counter in counters:
            counter.held = 0
        failing = without_room(budgets, part, now_us, **options)
        for counter, kept in zip(counters, held, strict=True):
            counter.held = kept
        return failing

    patch.setattr(admission, "without_room", unheld)


def leaves_the_copy_of_a_template(patch: Patch) -> None:
    """A hold that is refused leaves the budget that was to be made of a template."""
    touched_by = touching.touched_by

    def made_at_once(turn: Turn, command: Charge | ReserveCost) -> Touched:
        touched = touched_by(turn, command)
        touching.make_if_new(turn, command, touched)
        return touched._replace(new=None)

    patch.setattr(holding, "touched_by", made_at_once)


def recounts_without_holds(patch: Patch) -> None:
    """A limit that is added or counts other models holds nothing."""
    patch.setattr(configure, "held_part", lambda _: Part(0, None, 0))


def deletes_without_releasing(patch: Patch) -> None:
    """A forced deletion leaves the holds open."""
    patch.setattr(deleting, "release_hold", lambda *_: 0)


def keeps_nothing_open(patch: Patch) -> None:
    """A commit in part gives the whole hold free."""
    free = settling._free  # noqa: SLF001

    def whole(
        reservation: Reservation, budgets: list[BudgetState], command: CommitReservation, rest_nano_usd: int
    ) -> None:
        free(reservation, budgets, command, 0 if command.keeps_open else rest_nano_usd)

    patch.setattr(settling, "_free", whole)


def refuses_over_due_holds(patch: Patch) -> None:
    """A hold that is due still keeps others out."""
    patch.setattr(admission, "expire_due", lambda *_: False)


PLANTS: tuple[Plant, ...] = (
    keeps_expired_holds,
    charges_the_parent_twice,
    charges_additional_ancestors_twice,
    steps_windows,
    rolls_backwards,
    charges_again,
    settles_with_the_tree_of_today,
    refunds_into_later_windows,
    frees_where_the_commit_matches,
    ignores_what_is_held,
    leaves_the_copy_of_a_template,
    recounts_without_holds,
    deletes_without_releasing,
    keeps_nothing_open,
    refuses_over_due_holds,
)
