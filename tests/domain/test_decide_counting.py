"""Parts by model, burn rates and the moment of exhaustion."""

from math import exp, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd_server.domain.bounds import (
    COST_NANO_USD_MAX,
    COUNTER_MAX,
    MODELS_PER_WINDOW_MAX,
    OTHER_MODELS,
)
from budgetd_server.domain.budget import Limit, Sums
from budgetd_server.domain.commands import CreateBudget, ResetCost
from budgetd_server.domain.errors import BelowZero
from budgetd_server.domain.status import LimitStatus
from budgetd_server.domain.usage import Usage
from tests.domain.desk import DAY_US, HOUR_US, MONDAY_US, Desk, adjust, charge, create, limited, reset, update

WEEK_US = 7 * DAY_US
WEEKLY = limited(10**15, every_us=WEEK_US)


def a_desk(limit: Limit | None = WEEKLY) -> Desk:
    desk = Desk()
    desk.decide(create(limit))
    return desk


def the_limit(desk: Desk) -> LimitStatus:
    return desk.status().limits[0]


# --- Models.


def test_two_hundred_models_are_counted_apart_and_the_rest_together() -> None:
    desk = a_desk()
    for number in range(MODELS_PER_WINDOW_MAX + 3):
        desk.decide(charge(number + 1, model=f"model {number}", usage=Usage(1, 1)))

    budget = desk.budget()
    assert len(budget.models) == budget.models_count == MODELS_PER_WINDOW_MAX + 1
    assert budget.models[OTHER_MODELS] == Sums(201 + 202 + 203, 3, 3, calls=3)
    assert budget.models["model 199"].cost_nano_usd == 200
    assert sum(sums.cost_nano_usd for sums in budget.models.values()) == budget.main.sums.cost_nano_usd


def test_a_model_that_has_its_own_count_keeps_it_when_the_window_is_full_of_models() -> None:
    desk = a_desk()
    for number in range(MODELS_PER_WINDOW_MAX + 1):
        desk.decide(charge(1, model=f"model {number}"))

    desk.decide(charge(5, model="model 7"))
    desk.decide(charge(5, model="model 200"))

    assert desk.budget().models["model 7"].cost_nano_usd == 6
    assert desk.budget().models[OTHER_MODELS].cost_nano_usd == 6


def test_an_adjustment_of_a_model_without_its_own_count_is_taken_from_the_rest() -> None:
    desk = a_desk()
    for number in range(MODELS_PER_WINDOW_MAX + 1):
        desk.decide(charge(1, model=f"model {number}"))

    desk.decide(adjust(-1, model="model 200"))
    with pytest.raises(BelowZero):
        desk.decide(adjust(-1, model="model 201"))

    assert desk.budget().models[OTHER_MODELS].cost_nano_usd == 0


def test_a_new_window_has_room_for_two_hundred_models_again() -> None:
    desk = a_desk()
    for number in range(MODELS_PER_WINDOW_MAX + 1):
        desk.decide(charge(1, model=f"model {number}"))
    desk.now_us += WEEK_US

    desk.decide(charge(1, model="model 200"))

    assert desk.budget().models == {"model 200": Sums(1, calls=1)}


def test_a_recount_puts_no_more_than_two_hundred_models_apart() -> None:
    desk = a_desk()
    for number in range(MODELS_PER_WINDOW_MAX + 50):
        desk.decide(charge(1, model=f"model {number}"))

    desk.decide(update(limit=limited(5)))

    assert desk.budget().models_count == len(desk.budget().models) == MODELS_PER_WINDOW_MAX + 1
    assert desk.budget().models[OTHER_MODELS] == Sums(50, calls=50)


def test_models_are_reported_dearest_first_and_then_by_name() -> None:
    desk = a_desk()
    for model, cost in (("b", 5), ("c", 9), ("a", 5), ("", 1)):
        desk.decide(charge(cost, model=model))

    assert [each.model for each in desk.status().models] == ["c", "a", "b", ""]


# --- Burn rates. The half-life of a week's window is one hour.


def test_a_budget_on_which_nothing_was_ever_counted_has_a_burn_rate_of_zero() -> None:
    limit = the_limit(a_desk())

    assert (limit.burn_rate_per_hour, limit.exhaustion_at_us) == (0, None)


def test_the_burn_rate_halves_with_every_half_life() -> None:
    desk = a_desk()
    desk.decide(charge(10**12))
    rates = []
    for _ in range(4):
        rates.append(the_limit(desk).burn_rate_per_hour)
        desk.now_us += HOUR_US

    first = round(10**12 * log(2))
    assert rates == [pytest.approx(first / 2**hours, abs=1) for hours in range(4)]


@pytest.mark.parametrize(
    ("every_us", "half_life_us"),
    [
        pytest.param(None, HOUR_US, id="one hour for the lifetime"),
        pytest.param(WEEK_US, HOUR_US, id="one hour for a week"),
        pytest.param(HOUR_US, HOUR_US // 10, id="a tenth of an hour's window"),
        pytest.param(1_000_000, 100_000, id="a tenth of a second's window"),
    ],
)
def test_the_half_life_is_a_tenth_of_the_window_and_at_most_one_hour(every_us: int | None, half_life_us: int) -> None:
    desk = a_desk(limited(10**18, every_us=every_us))
    desk.decide(charge(10**9))
    before = the_limit(desk).burn_rate_per_hour

    desk.now_us += half_life_us

    assert before == round(10**9 * log(2) * HOUR_US / half_life_us)
    assert the_limit(desk).burn_rate_per_hour == pytest.approx(before / 2, abs=1)


@settings(max_examples=100, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.integers(0, 3 * HOUR_US), st.integers(0, 10**12)),
        min_size=1,
        max_size=30,
    )
)
def test_the_burn_rate_is_the_sum_of_all_costs_each_decayed_by_its_own_age(steps: list[tuple[int, int]]) -> None:
    desk = a_desk(limited(10**15))
    charged: list[tuple[int, int]] = []
    for elapsed_us, cost in steps:
        desk.now_us += elapsed_us
        desk.decide(charge(cost))
        charged.append((desk.now_us, cost))

    expected = sum(cost * log(2) * exp(-log(2) * (desk.now_us - at_us) / HOUR_US) for at_us, cost in charged)

    assert the_limit(desk).burn_rate_per_hour == pytest.approx(expected, abs=len(steps))


def test_spending_evenly_for_a_long_time_gives_the_rate_at_which_it_is_spent() -> None:
    desk = a_desk(limited(10**15))
    for _ in range(24 * 60):
        desk.now_us += HOUR_US // 60
        desk.decide(charge(10**6))

    assert the_limit(desk).burn_rate_per_hour == pytest.approx(60 * 10**6, rel=0.01)


def test_a_clock_that_steps_back_decays_nothing() -> None:
    desk = a_desk()
    desk.decide(charge(10**12))
    rate = the_limit(desk).burn_rate_per_hour
    desk.now_us -= 5 * HOUR_US
    during = the_limit(desk).burn_rate_per_hour
    desk.decide(charge(0))
    desk.now_us += 5 * HOUR_US

    assert (during, the_limit(desk).burn_rate_per_hour) == (rate, rate)


def test_refunds_take_the_burn_rate_down_to_zero_and_never_below() -> None:
    desk = a_desk()
    desk.decide(charge(1000))
    desk.now_us += HOUR_US

    desk.decide(adjust(-1000))

    assert the_limit(desk).burn_rate_per_hour == 0


@pytest.mark.parametrize("again", [reset(), create(limited(10**9), replaces=True)], ids=["reset", "replaced"])
def test_the_burn_rate_starts_over_when_the_count_is_made_to_begin_again(again: CreateBudget | ResetCost) -> None:
    desk = a_desk()
    desk.decide(charge(10**9))

    desk.decide(again)
    after = the_limit(desk)
    desk.decide(charge(100))

    assert (after.burn_rate_per_hour, after.exhaustion_at_us) == (0, None)
    assert the_limit(desk).burn_rate_per_hour == 69  # 100 · ln 2: of the new charge alone.


def test_the_burn_rate_goes_on_when_a_window_ends_by_the_clock() -> None:
    desk = a_desk()
    desk.now_us += 7 * DAY_US - 1
    desk.decide(charge(10**9))
    rate = the_limit(desk).burn_rate_per_hour

    desk.now_us += 1
    desk.decide(charge(0))

    assert (the_limit(desk).spent, the_limit(desk).burn_rate_per_hour) == (0, rate)


def test_the_greatest_cost_in_the_shortest_window_does_not_burst_the_rate() -> None:
    desk = a_desk(limited(10**18, every_us=1_000_000))

    desk.decide(charge(COST_NANO_USD_MAX))

    assert the_limit(desk).burn_rate_per_hour == COUNTER_MAX


def test_a_rate_from_long_ago_is_zero() -> None:
    desk = a_desk(limited(100))
    desk.decide(charge(10))
    desk.now_us += 10_000 * DAY_US

    limit = the_limit(desk)

    assert (limit.burn_rate_per_hour, limit.exhaustion_at_us) == (0, None)


# --- Exhaustion.


def test_the_exhaustion_is_when_the_rest_is_spent_at_the_rate_of_now() -> None:
    desk = a_desk(limited(10**12))
    desk.decide(charge(10**11))

    limit = the_limit(desk)

    assert limit.burn_rate_per_hour is not None
    expected = MONDAY_US + (9 * 10**11) * HOUR_US / limit.burn_rate_per_hour
    assert limit.exhaustion_at_us == pytest.approx(expected, abs=1)


def test_a_window_that_ends_before_the_rest_is_spent_is_never_exhausted() -> None:
    desk = a_desk(limited(1000, every_us=DAY_US))
    desk.decide(charge(20))
    late = the_limit(desk).exhaustion_at_us
    desk.decide(charge(200))

    soon = the_limit(desk).exhaustion_at_us

    assert late is None
    assert soon is not None
    assert soon < MONDAY_US + DAY_US


@pytest.mark.parametrize("spent", [100, 101])
def test_a_limit_of_which_nothing_is_left_has_no_exhaustion_to_come(spent: int) -> None:
    desk = a_desk(limited(100))

    desk.decide(charge(spent))

    assert the_limit(desk).exhaustion_at_us is None


def test_an_exhaustion_centuries_away_is_none() -> None:
    desk = a_desk(limited(10**18))

    desk.decide(charge(1))

    assert the_limit(desk).exhaustion_at_us is None


# --- Ratios.


@pytest.mark.parametrize(
    ("amount", "spent", "ratio"),
    [(100, 25, 0.25), (100, 250, 2.5), (0, 0, 0.0), (0, 1, 1.0), (10**18, 0, 0.0)],
)
def test_the_used_ratio_is_spent_of_amount_and_of_nothing_it_is_none_or_all(
    amount: int, spent: int, ratio: float
) -> None:
    desk = a_desk(limited(amount))
    desk.decide(charge(spent))

    assert the_limit(desk).used_ratio == ratio
    assert desk.status().used_ratio == ratio


def test_the_ratio_of_a_budget_without_a_limit_is_zero() -> None:
    desk = a_desk(None)
    desk.decide(charge(5))

    assert desk.status().used_ratio == 0.0
