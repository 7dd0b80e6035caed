"""A changed window is counted from the ledger, in two steps, and never from sums that no longer fit."""

from dataclasses import replace
from typing import Any

import pytest

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.budget import Limit, Sums
from budgetd_server.domain.commands import Command
from budgetd_server.domain.decide import decide
from budgetd_server.domain.errors import BelowZero, CounterOverflow
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.usage import Usage
from tests.domain.desk import (
    DAY_US,
    HOUR_US,
    MONDAY_US,
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

HOURLY = limited(100, every_us=HOUR_US)
DAILY = limited(100, every_us=DAY_US)
WEEKLY = limited(100, every_us=7 * DAY_US)
FOREVER = limited(100)


@pytest.fixture
def desk() -> Desk:
    """Alice has a week, and spent 10 on Monday, 20 on Tuesday and 40 on Wednesday, which it is."""
    desk = Desk()
    desk.decide(create(WEEKLY))
    for days, cost in enumerate((10, 20, 40)):
        desk.now_us = MONDAY_US + days * DAY_US
        desk.decide(charge(cost, model=f"model {days}", usage=Usage(cost, 1)))
    return desk


@pytest.mark.parametrize(
    ("limit", "spent"),
    [
        pytest.param(DAILY, 40, id="a shorter window counts less"),
        pytest.param(FOREVER, 70, id="the lifetime counts all"),
        pytest.param(None, 70, id="no limit counts all"),
        pytest.param(limited(100, every_us=2 * DAY_US), 40, id="two days from Monday, the second pair"),
        pytest.param(limited(100, every_us=2 * DAY_US, anchor_at_us=MONDAY_US + DAY_US), 60, id="from Tuesday"),
    ],
)
def test_another_window_counts_the_entries_of_its_span(desk: Desk, limit: Limit | None, spent: int) -> None:
    desk.decide(update(limit=limit))

    assert desk.status().current_cost_nano_usd == spent
    assert desk.budget().lifetime_cost_nano_usd == 70
    assert sum(sums.cost_nano_usd for sums in desk.budget().models.values()) == spent
    assert desk.budget().main.sums.usage.tokens == spent + desk.budget().main.sums.calls


def test_a_recount_remembers_since_when_it_counts(desk: Desk) -> None:
    desk.decide(update(limit=DAILY))

    assert desk.budget().main.since_seq == 3, "the charge of Tuesday"
    assert desk.budget().models == {"model 2": Sums(40, 40, 1, calls=1)}


def test_a_window_can_be_changed_there_and_back(desk: Desk) -> None:
    before = desk.budget().main.sums

    desk.decide(update(limit=DAILY))
    desk.decide(update(limit=WEEKLY))

    assert desk.budget().main.sums == before


def test_a_recount_goes_behind_rolls_but_not_behind_a_reset(desk: Desk) -> None:
    desk.decide(update(limit=DAILY))
    desk.now_us += DAY_US
    desk.decide(charge(5))
    desk.decide(update(limit=WEEKLY))
    behind_rolls = desk.status().current_cost_nano_usd

    desk.decide(reset())
    desk.decide(charge(1))
    desk.decide(update(limit=FOREVER))

    assert behind_rolls == 75
    assert desk.status().current_cost_nano_usd == 1


@pytest.mark.parametrize(
    "barrier",
    [
        pytest.param([create(WEEKLY, replaces=True)], id="a replacement"),
        pytest.param([delete(), create(WEEKLY)], id="a deletion and a new creation"),
    ],
)
def test_a_recount_does_not_go_behind_a_new_beginning(desk: Desk, barrier: list[Command[Any]]) -> None:
    for command in barrier:
        desk.decide(command)
    desk.decide(charge(1))

    desk.decide(update(limit=FOREVER))

    assert desk.status().current_cost_nano_usd == 1


def test_a_recount_counts_adjustments_and_no_calls_for_them(desk: Desk) -> None:
    desk.decide(adjust(-15, model="model 2"))

    desk.decide(update(limit=DAILY))

    assert desk.budget().main.sums == Sums(25, 40, 1, calls=1)


# --- Between the two steps.


def test_entries_that_come_between_the_steps_are_counted_once(desk: Desk) -> None:
    prepared = desk.with_recount(update(limit=DAILY))
    desk.decide(charge(5))
    desk.decide(adjust(-2))

    desk.decide(prepared)

    assert desk.status().current_cost_nano_usd == 43


def test_a_roll_between_the_steps_does_no_harm_to_a_window_that_stays(desk: Desk) -> None:
    desk.now_us += 3 * DAY_US + 23 * HOUR_US
    prepared = desk.with_recount(update(limit=FOREVER))
    desk.now_us += 2 * DAY_US
    desk.decide(charge(5))

    desk.decide(prepared)

    assert desk.status().current_cost_nano_usd == 75


@pytest.mark.parametrize(
    "between",
    [
        pytest.param([reset()], id="a reset"),
        pytest.param([create(WEEKLY, replaces=True)], id="a replacement"),
        pytest.param([delete(), create(WEEKLY)], id="another incarnation"),
    ],
)
def test_sums_from_before_a_new_beginning_are_stale(desk: Desk, between: list[Command[Any]]) -> None:
    prepared = desk.with_recount(update(limit=DAILY))
    for command in between:
        desk.decide(command)

    with pytest.raises(StaleRecount):
        desk.decide(prepared)
    desk.decide(desk.with_recount(replace(prepared, recount=None)))

    assert desk.status().current_cost_nano_usd == 0


def test_sums_of_a_window_that_has_ended_since_are_stale(desk: Desk) -> None:
    prepared = desk.with_recount(update(limit=DAILY))
    desk.now_us += DAY_US

    with pytest.raises(StaleRecount):
        desk.decide(prepared)


def test_an_entry_written_by_a_clock_that_stepped_back_makes_sums_stale(desk: Desk) -> None:
    prepared = desk.with_recount(update(limit=DAILY))
    desk.now_us -= HOUR_US
    desk.decide(charge(5))
    desk.now_us += HOUR_US

    with pytest.raises(StaleRecount):
        desk.decide(prepared)


def test_a_reset_of_the_window_between_the_steps_makes_sums_stale() -> None:
    desk = Desk()
    desk.decide(create(limited(100, every_us=DAY_US, on_request=True)))
    desk.now_us += DAY_US
    desk.decide(charge(5))
    prepared = desk.with_recount(update(limit=FOREVER))
    desk.decide(reset_on_duration())

    with pytest.raises(StaleRecount):
        desk.decide(prepared)


def test_a_new_window_without_a_first_step_is_stale(desk: Desk) -> None:
    with pytest.raises(StaleRecount):
        decide(desk.state, update(limit=DAILY), desk.now_us)


def test_a_stale_recount_leaves_no_trace_even_if_a_window_has_ended(desk: Desk) -> None:
    desk.now_us += 7 * DAY_US
    entries, budget = list(desk.state.new_entries), repr(desk.budget())

    with pytest.raises(StaleRecount):
        decide(desk.state, update(limit=DAILY), desk.now_us)

    assert desk.state.new_entries == entries
    assert repr(desk.budget()) == budget


def test_the_second_step_leaves_the_sums_of_the_first_as_they_are(desk: Desk) -> None:
    prepared = desk.with_recount(update(limit=DAILY))
    assert prepared.recount is not None
    models = repr(prepared.recount.limits)
    desk.decide(charge(5, model="model 2"))

    desk.decide(prepared)

    assert repr(prepared.recount.limits) == models


# --- What no count can hold.


def test_a_window_in_which_more_was_taken_back_than_spent_is_refused(desk: Desk) -> None:
    desk.decide(adjust(-9, model="model 0"))
    desk.now_us += DAY_US
    desk.decide(adjust(-11, model="model 1"))
    entries, budget = list(desk.state.new_entries), repr(desk.budget())

    with pytest.raises(BelowZero) as refusal:
        desk.decide(update(limit=DAILY))

    assert refusal.value.metadata["amount_nano_usd"] == "-11"
    assert str(refusal.value) == "what was spent in the new window on model 'model 1' would be below zero: -11 nano-USD"
    assert desk.state.new_entries == entries
    assert repr(desk.budget()) == budget


def test_a_window_in_which_more_was_taken_back_from_a_model_than_spent_on_it_is_refused(desk: Desk) -> None:
    desk.decide(adjust(-20, model="model 1"))

    with pytest.raises(BelowZero):
        desk.decide(update(limit=DAILY))
    desk.now_us += DAY_US
    desk.decide(update(limit=DAILY))

    assert desk.status().current_cost_nano_usd == 0


def test_a_window_with_more_tokens_than_a_counter_holds_is_refused() -> None:
    desk = Desk()
    desk.decide(create(HOURLY))
    for _ in range(2):
        desk.decide(charge(1, usage=Usage(COUNTER_MAX, 0)))
        desk.now_us += HOUR_US

    with pytest.raises(CounterOverflow):
        desk.decide(update(limit=DAILY))
