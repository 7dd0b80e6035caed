"""Admission: every limit is checked on every level, and a refusal reports when to retry."""

import pytest

from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.budget import Action, Limit, Unit
from budgetd_server.domain.errors import CounterOverflow
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed
from tests.domain.desk import DAY_US, HOUR_US, MONDAY_US, Desk, charge, limited
from tests.domain.holding_desk import MINUTE_US, commit_hold, rejecting, reserve, with_limits

HOURLY = limited(10, every_us=HOUR_US)
TOKENS = Limit(limit_id="tpm", unit=Unit.TOKENS, amount=100, window=Fixed(length_us=MINUTE_US, anchor_at_us=MONDAY_US))
CALLS = Limit(limit_id="calls", unit=Unit.CALLS, amount=2, window=Fixed(length_us=DAY_US, anchor_at_us=MONDAY_US))


@pytest.fixture
def desk() -> Desk:
    """A desk on Monday morning, ten minutes into an hour."""
    return Desk(now_us=MONDAY_US + 10 * MINUTE_US)


def refused(desk: Desk, command: object) -> BudgetExceeded:
    """The refusal of a command."""
    with pytest.raises(BudgetExceeded) as refusal:
        desk.decide(command)  # type: ignore[arg-type]
    return refusal.value


# --- Whether.


def test_a_hold_that_just_fits_passes_and_one_nano_dollar_more_does_not(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))
    desk.decide(charge(4))
    desk.decide(reserve(6))

    refused(desk, reserve(1))
    assert desk.decide(reserve(0)).result.granted_nano_usd == 0, "a part of zero always passes"


def test_three_limits_of_one_budget_work_together(desk: Desk) -> None:
    desk.decide(with_limits(limited(1_000), TOKENS, CALLS))

    hold = desk.decide(reserve(1, usage=Usage(60, 40))).entry_seq
    over_tokens = refused(desk, reserve(1, usage=Usage(1, 0)))
    desk.decide(commit_hold(hold, 1, usage=Usage(60, 40)))
    desk.now_us += MINUTE_US
    desk.decide(reserve(1, usage=Usage(1, 0)))
    over_calls = refused(desk, reserve(1))

    assert [limit.limit_id for limit in over_tokens.limits] == ["tpm"]
    assert [limit.limit_id for limit in over_calls.limits] == ["calls"]
    assert "has no room for 1 token: 0 spent and 100 held" in over_tokens.message
    assert "has no room for 1 call: 1 spent and 1 held" in over_calls.message


def test_every_limit_and_level_without_room_is_reported_the_fullest_first(desk: Desk) -> None:
    desk.decide(with_limits(limited(100), budget_id="org"))
    desk.decide(with_limits(limited(10), budget_id="team", parent_id="org"))
    desk.decide(with_limits(limited(5), CALLS, parent_id="team"))
    desk.decide(charge(4))

    refusal = refused(desk, reserve(8))

    assert [(each.budget_id, each.limit_id, each.remaining) for each in refusal.limits] == [
        ("alice", "", 1),
        ("team", "", 6),
    ]
    assert refusal.message.endswith("; in all, 2 limits have no room")
    assert (refusal.metadata["budget_id"], refusal.metadata["requested"], refusal.metadata["spent"]) == (
        "alice",
        "8",
        "4",
    )


def test_a_limit_that_warns_refuses_nothing(desk: Desk) -> None:
    desk.decide(with_limits(limited(5, action=Action.WARN)))

    assert desk.decide(reserve(50)).result.granted_nano_usd == 50
    assert desk.decide(rejecting(50)).limits[0].is_exceeded


def test_a_limit_with_patterns_counts_only_what_they_match(desk: Desk) -> None:
    desk.decide(with_limits(Limit(limit_id="gpt", amount=5, models=("gpt-4*", "o3"))))

    desk.decide(reserve(50, model="claude"))
    desk.decide(reserve(50))
    refused(desk, reserve(6, model="gpt-4o"))
    refused(desk, reserve(6, model="o3"))
    desk.decide(reserve(6, model="o3-mini"))


def test_a_charge_is_refused_only_if_it_asks_to_be(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))

    refused(desk, rejecting(11))
    desk.decide(charge(11))
    refused(desk, rejecting(1))
    assert desk.status().current_cost_nano_usd == 11


def test_as_much_as_is_left_is_granted_if_that_is_enough(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))
    desk.decide(charge(4))

    assert desk.decide(reserve(50, least_nano_usd=1)).result.granted_nano_usd == 6
    refused(desk, reserve(50, least_nano_usd=1))


def test_an_amount_that_overflows_with_what_is_spent_is_refused_whatever_the_limits(desk: Desk) -> None:
    desk.decide(with_limits())
    for _ in range(9):
        desk.decide(charge(10**18))

    with pytest.raises(CounterOverflow):
        desk.decide(reserve(1))


def test_a_hold_that_is_due_refuses_no_other(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))
    desk.decide(reserve(10, ttl_us=MINUTE_US))
    desk.now_us += MINUTE_US

    assert desk.decide(reserve(10)).result.granted_nano_usd == 10


# --- When to come again.


@pytest.mark.parametrize(
    ("asked", "after_us"),
    [
        pytest.param(3, 5 * MINUTE_US, id="when enough holds have expired"),
        pytest.param(6, 20 * MINUTE_US, id="when more of them have"),
        pytest.param(8, 50 * MINUTE_US, id="when the window ends"),
        pytest.param(11, None, id="never"),
    ],
)
def test_a_refusal_reports_how_long_until_there_could_be_room(desk: Desk, asked: int, after_us: int | None) -> None:
    desk.decide(with_limits(HOURLY))
    desk.decide(charge(3))
    desk.decide(reserve(4, ttl_us=5 * MINUTE_US))
    desk.decide(reserve(3, ttl_us=20 * MINUTE_US))

    refusal = refused(desk, reserve(asked))

    assert refusal.retry_after_us == after_us
    if after_us is None:
        return
    desk.now_us += after_us - 1
    refused(desk, reserve(asked))
    desk.now_us += 1
    assert desk.decide(reserve(asked)).result.granted_nano_usd == asked


def test_money_that_is_spent_for_a_lifetime_never_comes_back(desk: Desk) -> None:
    desk.decide(with_limits(limited(10)))
    desk.decide(charge(10))

    assert refused(desk, reserve(1)).retry_after_us is None


def test_an_estimate_gives_nothing_free_before_its_window_ends(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))
    desk.decide(reserve(10, ttl_us=MINUTE_US, on_expiry=OnExpiry.COMMIT))

    assert refused(desk, reserve(1)).retry_after_us == 50 * MINUTE_US


def test_the_last_of_several_limits_to_have_room_is_the_one_that_is_reported(desk: Desk) -> None:
    desk.decide(with_limits(limited(10, every_us=DAY_US), budget_id="team"))
    desk.decide(with_limits(HOURLY, parent_id="team"))
    desk.decide(charge(10))

    assert refused(desk, reserve(1)).retry_after_us == DAY_US - 10 * MINUTE_US


# --- Thresholds.


def test_a_threshold_fires_once_per_window_at_the_charge_or_hold_that_reaches_it(desk: Desk) -> None:
    desk.decide(with_limits(HOURLY))
    alerts = desk.state.tally.alerts

    desk.decide(charge(4))
    assert alerts == []
    hold = desk.decide(reserve(1)).entry_seq
    assert alerts == [(Unit.NANO_USD, 0.5)]
    desk.decide(commit_hold(hold, 5))
    desk.decide(charge(1))
    assert alerts == [(Unit.NANO_USD, 0.5), (Unit.NANO_USD, 0.8), (Unit.NANO_USD, 1.0)]
    desk.decide(charge(1))
    desk.now_us += HOUR_US
    desk.decide(charge(8))
    assert alerts[3:] == [(Unit.NANO_USD, 0.5), (Unit.NANO_USD, 0.8)]
