"""Charges and adjustments: what they count on, and when they are refused."""

import pytest

from budgetd_server.domain.bounds import COST_NANO_USD_MAX, COUNTER_MAX
from budgetd_server.domain.budget import Sums
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.errors import BelowZero, BudgetNotFound, CounterOverflow, UnknownModel
from budgetd_server.domain.results import Charged
from budgetd_server.domain.usage import Usage
from tests.domain.desk import DAY_US, Desk, adjust, charge, create, limited, reset

USAGE = Usage(100, 20, 30, 10, 5)


@pytest.fixture
def desk() -> Desk:
    """One project with alice, who may spend 100 nano-USD a day."""
    desk = Desk()
    desk.decide(create(limited(100, every_us=DAY_US)))
    return desk


def test_a_charge_adds_its_cost_its_tokens_and_one_call_to_the_budget_and_to_its_model(desk: Desk) -> None:
    desk.decide(charge(7, model="gpt", usage=USAGE))
    desk.decide(charge(5, model="gpt", usage=USAGE))

    expected = Sums(12, 200, 40, 60, 20, 10, 2)
    assert desk.budget().main.sums == expected
    assert desk.budget().models == {"gpt": expected}
    assert desk.budget().lifetime_cost_nano_usd == 12


def test_a_charge_answers_with_its_entry_its_cost_and_the_limits_after_it(desk: Desk) -> None:
    outcome = desk.decide(charge(7))

    (limit,) = outcome.limits
    assert (outcome.entry_seq, outcome.result, outcome.replayed, outcome.budget) == (2, Charged(7), False, None)
    assert (limit.spent, limit.remaining, limit.amount, limit.is_exceeded) == (7, 93, 100, False)


def test_a_charge_that_wants_no_limits_gets_none(desk: Desk) -> None:
    assert desk.decide(charge(7, wants_limits=False)).limits == ()


def test_a_charge_on_a_budget_without_a_limit_counts_and_has_no_limits_to_tell() -> None:
    desk = Desk()
    desk.decide(create(None))

    outcome = desk.decide(charge(7))

    assert outcome.limits == ()
    assert desk.status().current_cost_nano_usd == 7


@pytest.mark.parametrize(
    ("spent", "is_exceeded"),
    [
        pytest.param(100, False, id="exactly the amount is within the limit"),
        pytest.param(101, True, id="one more is over it"),
    ],
)
def test_a_charge_is_recorded_however_far_it_goes_over_the_limit(desk: Desk, spent: int, is_exceeded: bool) -> None:
    outcome = desk.decide(charge(spent))

    assert outcome.limits[0].is_exceeded is is_exceeded
    assert desk.budget().main.sums.cost_nano_usd == spent


def test_an_entry_has_everything_that_the_charge_gave(desk: Desk) -> None:
    command = charge(7, model="gpt", usage=USAGE, labels={"team": "red"}, request_id="one")._replace(event_at_us=5)

    desk.decide(command)

    entry = desk.entries()[-1]
    assert (entry.kind, entry.cost_nano_usd, entry.usage, entry.model) == (EntryKind.CHARGE, 7, USAGE, "gpt")
    assert (entry.request_id, entry.labels, entry.event_at_us) == ("one", {"team": "red"}, 5)
    assert (entry.price_version, entry.created_at_us) == ("v1", desk.now_us)


def test_a_charge_without_usage_counts_no_tokens_and_one_call(desk: Desk) -> None:
    desk.decide(charge(7))

    assert desk.budget().main.sums == Sums(7, calls=1)
    assert desk.entries()[-1].usage is None


def test_a_charge_of_nothing_is_an_entry_and_a_call(desk: Desk) -> None:
    outcome = desk.decide(charge(0))

    assert outcome.entry_seq == 2
    assert desk.budget().main.sums == Sums(calls=1)


def test_a_charge_that_could_not_be_priced_is_refused_with_the_reason(desk: Desk) -> None:
    refused = charge(0, model="gtp")._replace(refusal=UnknownModel("gtp"))

    with pytest.raises(UnknownModel):
        desk.decide(refused)

    assert [entry.kind for entry in desk.entries()] == [EntryKind.CREATE]


def test_a_charge_on_a_budget_that_does_not_exist_is_refused_and_names_it(desk: Desk) -> None:
    with pytest.raises(BudgetNotFound) as refusal:
        desk.decide(charge(1, budget_id="bob"))

    assert refusal.value.metadata == {"project_id": "shop", "budget_id": "bob"}


def test_entries_are_numbered_without_a_gap_and_chained_by_budget(desk: Desk) -> None:
    desk.decide(create(budget_id="bob"))
    desk.decide(charge(1))
    desk.decide(charge(1, budget_id="bob"))
    desk.decide(charge(1))

    assert [entry.seq for entry in desk.entries()] == [1, 2, 3, 4, 5]
    assert [entry.previous_seq for entry in desk.entries()] == [0, 0, 1, 2, 3]


def test_each_project_numbers_its_own_entries() -> None:
    desk = Desk("shop", "bank")
    for project_id in ("shop", "bank"):
        desk.decide(create(project_id=project_id))

    outcomes = [desk.decide(charge(1, project_id=project_id)) for project_id in ("shop", "bank")]

    assert [outcome.entry_seq for outcome in outcomes] == [2, 2]
    assert desk.budget(project_id="bank").main.sums.cost_nano_usd == 1


# --- Adjustments.


def test_an_adjustment_changes_money_alone_and_is_no_call(desk: Desk) -> None:
    desk.decide(charge(10, model="gpt", usage=USAGE))

    outcome = desk.decide(adjust(-4, model="gpt"))

    assert desk.budget().main.sums == Sums(6, *USAGE[:-1], calls=1)
    assert desk.budget().models["gpt"].cost_nano_usd == 6
    assert desk.budget().lifetime_cost_nano_usd == 6
    assert (outcome.result, outcome.limits[0].spent) == (Charged(-4), 6)
    assert desk.entries()[-1].reason == "a refund"


def test_an_adjustment_may_take_back_all_that_was_spent_and_no_more(desk: Desk) -> None:
    desk.decide(charge(10))

    with pytest.raises(BelowZero) as refusal:
        desk.decide(adjust(-11))
    desk.decide(adjust(-10))

    assert refusal.value.metadata == {"amount_nano_usd": "-11", "spent_nano_usd": "10"}
    spent = "what budget 'alice' has spent in this window"
    assert str(refusal.value) == f"{spent} would be below zero: -1 nano-USD, the sum of 10 and -11"
    assert desk.budget().main.sums.cost_nano_usd == 0


def test_an_adjustment_takes_no_model_below_zero(desk: Desk) -> None:
    desk.decide(charge(10, model="gpt"))
    desk.decide(charge(3, model="claude"))

    with pytest.raises(BelowZero) as refusal:
        desk.decide(adjust(-4, model="claude"))
    with pytest.raises(BelowZero):
        desk.decide(adjust(-1, model="never seen"))

    assert refusal.value.metadata["spent_nano_usd"] == "3"
    assert desk.budget().main.sums.cost_nano_usd == 13


def test_an_adjustment_cannot_take_back_what_an_ended_window_counted(desk: Desk) -> None:
    desk.decide(charge(10))
    desk.now_us += DAY_US

    with pytest.raises(BelowZero):
        desk.decide(adjust(-1))

    assert desk.budget().main.sums.cost_nano_usd == 10, "nothing has rolled, since nothing was recorded"


def test_an_adjustment_cannot_take_back_what_was_reset(desk: Desk) -> None:
    desk.decide(charge(10))
    desk.decide(reset())

    with pytest.raises(BelowZero):
        desk.decide(adjust(-1))


# --- Overflow.


def test_a_counter_reaches_its_largest_value_and_never_passes_it(desk: Desk) -> None:
    desk.decide(charge(COUNTER_MAX - 5))

    with pytest.raises(CounterOverflow) as refusal:
        desk.decide(charge(6))
    desk.decide(charge(5))

    assert refusal.value.metadata["value"] == str(COUNTER_MAX - 5)
    assert desk.budget().lifetime_cost_nano_usd == COUNTER_MAX


def test_an_overflow_refuses_its_own_command_and_no_other(desk: Desk) -> None:
    desk.decide(charge(COUNTER_MAX))

    for command in (charge(1), adjust(1)):
        with pytest.raises(CounterOverflow):
            desk.decide(command)
    desk.decide(charge(0))
    desk.decide(adjust(-COST_NANO_USD_MAX))

    assert desk.budget().main.sums.cost_nano_usd == COUNTER_MAX - COST_NANO_USD_MAX


def test_the_lifetime_is_full_even_when_the_window_is_new(desk: Desk) -> None:
    desk.decide(charge(COUNTER_MAX))
    desk.now_us += DAY_US

    with pytest.raises(CounterOverflow):
        desk.decide(charge(1))


def test_tokens_never_pass_the_largest_count_within_a_window(desk: Desk) -> None:
    desk.decide(charge(1, usage=Usage(COUNTER_MAX, 0)))

    with pytest.raises(CounterOverflow, match="tokens"):
        desk.decide(charge(1, usage=Usage(0, 1)))


def test_a_window_full_of_tokens_does_not_refuse_the_next_window(desk: Desk) -> None:
    desk.decide(charge(1, usage=Usage(COUNTER_MAX, 0)))
    desk.now_us += DAY_US

    desk.decide(charge(1, usage=Usage(3, 1)))

    assert desk.budget().main.sums.usage.tokens == 4
