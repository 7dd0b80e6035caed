"""Creating, replacing, changing and deleting budgets: what stays, what begins again, and whose etag counts."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NoReturn

import pytest

from budgetd_server.domain.budget import Action, BudgetState, Limit, Sums
from budgetd_server.domain.commands import Command
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import BudgetExists, BudgetNotFound, EtagMismatch
from budgetd_server.domain.results import Deleted
from budgetd_server.domain.window import Fixed, Span
from tests.domain.desk import (
    DAY_US,
    HOUR_US,
    MONDAY_US,
    PROJECT,
    Desk,
    adjust,
    charge,
    create,
    delete,
    limited,
    reset,
    reset_on_duration,
    update,
)
from tests.domain.holding_desk import move, with_limits

DAILY = limited(100, every_us=DAY_US)


@pytest.fixture
def desk() -> Desk:
    """Alice may spend 100 nano-USD a day and has spent 10 on one model."""
    desk = Desk()
    desk.decide(create(DAILY, labels={"team": "red"}))
    desk.decide(charge(10, model="gpt"))
    return desk


# --- Creating.


def test_a_new_budget_is_at_zero_in_the_current_window() -> None:
    desk = Desk(now_us=MONDAY_US + 5 * HOUR_US)

    outcome = desk.decide(create(DAILY, labels={"team": "red"}))

    assert outcome.budget is not None
    assert (outcome.budget.current_cost_nano_usd, outcome.budget.lifetime_cost_nano_usd) == (0, 0)
    assert outcome.budget.limits[0].span == Span(MONDAY_US, MONDAY_US + DAY_US)
    assert outcome.budget.created_at_us == outcome.budget.updated_at_us == desk.now_us
    assert outcome.budget.labels == {"team": "red"}


def test_a_fixed_window_without_an_anchor_begins_when_its_budget_is_created() -> None:
    desk = Desk(now_us=MONDAY_US + 5 * HOUR_US)

    desk.decide(create(DAILY, anchors_at_creation=True))

    assert desk.status().limits[0].span == Span(desk.now_us, desk.now_us + DAY_US)


def test_an_id_that_exists_is_refused_and_nothing_changes(desk: Desk) -> None:
    etag = desk.budget().etag

    with pytest.raises(BudgetExists):
        desk.decide(create(limited(7)))

    assert desk.budget().etag == etag
    assert desk.budget().main.limit == DAILY


def test_the_same_id_in_another_project_is_another_budget() -> None:
    desk = Desk("shop", "bank")
    desk.decide(create(limited(1)))
    desk.decide(create(limited(2), project_id="bank"))

    desk.decide(charge(5, project_id="bank"))

    assert desk.budget().main.sums == Sums()
    assert desk.budget(project_id="bank").main.limit == limited(2)


# --- Replacing.


def test_a_replacement_begins_the_counts_again_and_keeps_lifetime_and_history(desk: Desk) -> None:
    key = desk.budget().budget_key
    desk.now_us += HOUR_US

    desk.decide(create(limited(7), replaces=True, labels={"team": "blue"}))

    budget = desk.budget()
    assert (budget.main.sums, budget.models, budget.models_count) == (Sums(), {}, 0)
    assert (budget.lifetime_cost_nano_usd, budget.budget_key) == (10, key)
    assert (budget.main.limit, budget.labels, budget.created_at_us) == (limited(7), {"team": "blue"}, desk.now_us)
    assert [(entry.kind, entry.cause) for entry in desk.chain()] == [
        (EntryKind.CREATE, Cause.REPLACED),
        (EntryKind.CHARGE, Cause.NONE),
        (EntryKind.CREATE, Cause.NONE),
    ]


def test_a_replacement_changes_the_etag(desk: Desk) -> None:
    etag = desk.budget().etag

    desk.decide(create(DAILY, replaces=True))

    assert desk.budget().etag != etag


def test_a_replacement_of_nothing_is_a_creation() -> None:
    desk = Desk()

    desk.decide(create(DAILY, replaces=True))

    assert [(entry.kind, entry.cause) for entry in desk.chain()] == [(EntryKind.CREATE, Cause.NONE)]


# --- Updating.


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(limited(7, every_us=DAY_US), id="another amount"),
        pytest.param(limited(100, every_us=DAY_US, action=Action.WARN), id="another action"),
    ],
)
def test_a_change_of_amount_or_action_keeps_the_count(desk: Desk, limit: Limit) -> None:
    since_seq = desk.budget().main.since_seq

    desk.decide(update(limit=limit))

    assert desk.budget().main.limit == limit
    assert desk.budget().main.since_seq == since_seq
    assert desk.budget().main.sums.cost_nano_usd == 10
    assert desk.budget().models["gpt"].cost_nano_usd == 10


def test_an_update_of_labels_leaves_the_limit_and_an_update_of_the_limit_leaves_the_labels(desk: Desk) -> None:
    desk.decide(update(sets_limits=False, labels={"team": "blue"}))
    desk.decide(update(limit=limited(7, every_us=DAY_US)))

    assert desk.budget().labels == {"team": "blue"}
    assert desk.budget().main.limit == limited(7, every_us=DAY_US)


def test_labels_can_be_taken_away(desk: Desk) -> None:
    desk.decide(update(sets_limits=False, labels={}))

    assert desk.budget().labels == {}


def test_a_budget_without_its_limit_goes_on_counting_over_its_lifetime(desk: Desk) -> None:
    desk.now_us += DAY_US
    desk.decide(charge(5))

    desk.decide(update(limit=None))
    desk.now_us += 400 * DAY_US

    assert desk.status().limits == ()
    assert desk.status().current_cost_nano_usd == 15


def test_an_update_after_the_window_has_ended_ends_it_first(desk: Desk) -> None:
    desk.now_us += DAY_US

    desk.decide(update(limit=limited(7, every_us=DAY_US)))

    assert [entry.kind for entry in desk.chain()[:2]] == [EntryKind.UPDATE, EntryKind.RESET]
    assert desk.budget().main.sums == Sums()


# --- Etags.


def test_the_etag_changes_with_the_configuration_and_with_nothing_else(desk: Desk) -> None:
    etags = [desk.budget().etag]
    counting: list[Command[Any]] = [charge(1), adjust(1), reset(), reset_on_duration()]
    for command in counting:
        desk.now_us += DAY_US
        desk.decide(command)
        etags.append(desk.budget().etag)
    for command in (update(limit=limited(1)), update(sets_limits=False, labels={}), create(DAILY, replaces=True)):
        desk.decide(command)
        etags.append(desk.budget().etag)

    assert len(set(etags[:5])) == 1
    assert len(set(etags[4:])) == 4


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda etag: update(limit=limited(7), etag=etag), id="an update"),
        pytest.param(lambda etag: delete(etag=etag), id="a deletion"),
    ],
)
def test_an_etag_of_the_past_is_refused_and_the_current_one_is_not(
    desk: Desk, make: Callable[[str], Command[Any]]
) -> None:
    old = desk.budget().etag
    desk.decide(update(sets_limits=False, labels={"team": "blue"}))

    with pytest.raises(EtagMismatch) as refusal:
        desk.decide(make(old))
    outcome = desk.decide(make(desk.budget().etag))

    assert refusal.value.metadata["etag"] == old
    assert not outcome.replayed


def test_the_etag_of_a_former_incarnation_is_refused(desk: Desk) -> None:
    old = desk.budget().etag
    desk.decide(delete())
    desk.decide(create(DAILY))

    with pytest.raises(EtagMismatch):
        desk.decide(update(limit=limited(7), etag=old))


# --- Deleting.


@pytest.mark.parametrize("command", [charge(1), adjust(1), update(), delete(), reset(), reset_on_duration()])
def test_a_deleted_budget_is_not_found(desk: Desk, command: Command[Any]) -> None:
    desk.decide(delete())

    with pytest.raises(BudgetNotFound):
        desk.decide(command)


def test_a_deletion_returns_that_one_was_deleted_and_is_an_entry(desk: Desk) -> None:
    outcome = desk.decide(delete())

    assert (outcome.entry_seq, outcome.result, outcome.budget) == (3, Deleted(1), None)
    assert desk.entries()[-1].kind is EntryKind.DELETE


def test_an_id_created_again_starts_at_zero_and_keeps_its_old_history(desk: Desk) -> None:
    old_key = desk.budget().budget_key
    desk.decide(delete())

    desk.decide(create(DAILY))
    desk.decide(charge(3))

    budget = desk.budget()
    assert budget.budget_key != old_key
    assert (budget.main.sums.cost_nano_usd, budget.lifetime_cost_nano_usd, budget.labels) == (3, 3, {})
    assert budget.models.keys() == {""}
    assert [entry.seq for entry in desk.chain()] == [5, 4, 3, 2, 1]
    assert [entry.budget_key for entry in desk.chain()] == [budget.budget_key] * 2 + [old_key] * 3


def test_an_incarnation_counts_nothing_of_the_one_before_when_its_window_is_changed(desk: Desk) -> None:
    desk.decide(delete())
    desk.decide(create(DAILY))
    desk.decide(charge(3))

    desk.decide(update(limit=limited(100)))

    assert desk.budget().main.sums.cost_nano_usd == 3


def test_deleting_and_creating_go_on_and_on(desk: Desk) -> None:
    keys = []
    for spent in (1, 2, 3):
        desk.decide(delete())
        desk.decide(create(limited(5, window=Fixed(length_us=DAY_US, anchor_at_us=0))))
        desk.decide(charge(spent))
        keys.append(desk.budget().budget_key)

    assert len(set(keys)) == 3
    assert desk.budget().lifetime_cost_nano_usd == 3


# --- Large trees.


class _NeverSearched(dict[tuple[str, str], BudgetState]):
    """Budgets found by their ids alone: to look through all of them for each takes the square of their number."""

    def values(self) -> NoReturn:
        raise AssertionError("every budget was looked at")


def test_a_deletion_and_a_move_look_at_no_budgets_but_their_own() -> None:
    desk = Desk()
    for budget_id, parent_id in (("top", ""), ("left", "top"), ("right", "top"), ("leaf", "left"), ("root", "")):
        desk.decide(with_limits(budget_id=budget_id, parent_id=parent_id))
    desk.state.budgets = _NeverSearched(desk.state.budgets)

    desk.decide(move("right", budget_id="leaf"))
    desk.decide(move("root", budget_id="top"))
    desk.decide(delete(budget_id="left"))
    deleted = desk.decide(replace(delete(budget_id="top"), force=True))

    assert deleted.result == Deleted(3)
    assert list(desk.state.budgets) == [(PROJECT, "root")]
