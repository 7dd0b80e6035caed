"""How a saved record becomes commands, given what its client received and saved before, and what others did since."""

from dataclasses import replace

import pytest

from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.errors import CounterOverflow
from budgetd_server.litellm.record import LATE_US_MAX, Record
from budgetd_server.litellm.saving import RecordSaved
from tests.domain.desk import ALICE, Desk, charge, reset
from tests.litellm.saving_clients import Client, by_model, deliver, desk_with_alice, spent


@pytest.fixture
def desk() -> Desk:
    """A desk with one budget, of which 100 are spent."""
    return desk_with_alice()


def test_what_a_client_adds_is_charged_in_addition_to_what_others_add(desk: Desk) -> None:
    client = Client(desk)
    desk.decide(charge(7))

    client.charge(ALICE, 30, "o3")
    client.save()

    assert spent(desk) == 137
    assert by_model(desk) == {"gpt-4o": 100, "": 7, "o3": 30}


def test_two_clients_of_the_same_view_of_things_are_added(desk: Desk) -> None:
    first, second = Client(desk), Client(desk)

    for client in (first, second, first):
        client.charge(ALICE, 10)
        client.save()

    assert spent(desk) == 130


def test_a_save_that_is_sent_twice_counts_once(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 30)
    sent = client.snapshot()
    deliver(desk, sent)
    entries = len(desk.entries())

    again = deliver(desk, sent)

    assert spent(desk) == 130
    assert len(desk.entries()) == entries
    assert [outcome.result.charged_nano_usd for outcome in again] == [0]


def test_a_save_that_was_lost_is_made_up_for_by_the_next(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 30)
    client.snapshot()
    client.charge(ALICE, 5)

    client.save()

    assert spent(desk) == 135


def test_a_save_that_comes_late_changes_nothing(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 30)
    late = client.snapshot()
    client.charge(ALICE, 5)
    client.save()

    (outcome,) = deliver(desk, late)

    assert spent(desk) == 135
    assert outcome.result == RecordSaved(is_late=True)


def test_a_cost_below_what_was_given_is_a_reset_at_once(desk: Desk) -> None:
    client = Client(desk)
    client.reset(ALICE)
    client.charge(ALICE, 5, "o3")

    client.save()

    assert spent(desk) == 5
    assert by_model(desk) == {"o3": 5}
    assert desk.status().lifetime_cost_nano_usd == 105
    assert EntryKind.RESET in {entry.kind for entry in desk.entries()}


def test_a_cost_below_a_save_of_ten_seconds_ago_is_a_reset_at_once(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 50)
    client.save()
    desk.now_us += LATE_US_MAX

    client.reset(ALICE)
    client.charge(ALICE, 120)
    client.save()

    assert spent(desk) == 120


def test_a_lower_cost_is_passed_over_while_what_was_accepted_is_still_seen(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 50)
    client.save()
    desk.now_us += LATE_US_MAX
    client.reset(ALICE)

    desk.decide(replace(client.command(ALICE), seen_at_us=desk.now_us - 1).command())

    assert spent(desk) == 150


def test_a_lower_cost_that_could_be_late_becomes_a_reset_once_it_cannot(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob")
    client.charge("bob", 50)
    client.save()
    client.reset("bob")
    client.charge("bob", 20)

    client.save()
    held_back = spent(desk, "bob")
    desk.now_us += LATE_US_MAX
    client.save()

    assert (held_back, spent(desk, "bob")) == (50, 20)


def test_a_model_that_is_gone_shows_a_reset_that_the_sum_does_not(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob")
    client.charge("bob", 5, "o3")
    client.save()
    client.reset("bob")
    client.charge("bob", 9, "gpt-4o")

    client.save()

    assert by_model(desk, "bob") == {"gpt-4o": 9}
    assert desk.status("bob").lifetime_cost_nano_usd == 14


def test_a_reset_by_others_is_kept_and_what_the_client_adds_counts(desk: Desk) -> None:
    client = Client(desk)
    desk.decide(reset())

    client.charge(ALICE, 5)
    client.save()

    assert spent(desk) == 5


def test_a_cost_that_was_lowered_by_hand_on_one_model_is_taken_back(desk: Desk) -> None:
    client = Client(desk)
    client.users[ALICE] = client.users[ALICE]._replace(spent_nano_usd=130, models=(("gpt-4o", 90), ("o3", 40)))

    client.save()

    assert spent(desk) == 130
    assert by_model(desk) == {"o3": 40, "gpt-4o": 90}


def test_a_snapshot_taken_between_the_two_sums_is_put_right_by_the_next(desk: Desk) -> None:
    client = Client(desk)
    whole = client.users[ALICE]
    client.users[ALICE] = whole._replace(spent_nano_usd=160)
    client.save()
    torn = (spent(desk), by_model(desk))

    client.users[ALICE] = whole._replace(spent_nano_usd=160, models=(("gpt-4o", 160),))
    client.save()

    assert torn == (160, {"gpt-4o": 100, "": 60})
    assert (spent(desk), by_model(desk)) == (160, {"gpt-4o": 160, "": 0})


def test_sums_of_floats_that_are_a_nano_dollar_apart_are_the_same() -> None:
    assert Record(1, spent_nano_usd=301, models=(("a", 100), ("b", 200))).parts() == {"a": 100, "b": 200}


def test_models_that_come_to_more_than_the_whole_are_cut_to_it() -> None:
    parts = Record(1, spent_nano_usd=50, models=(("a", 40), ("b", 200))).parts()

    assert parts == {"a": 40, "b": 10, "": 0}


def test_what_would_pass_a_counters_largest_value_changes_nothing(desk: Desk) -> None:
    client = Client(desk)
    desk.budget().lifetime_cost_nano_usd = 9 * 10**18 - 1
    client.charge(ALICE, 5)
    entries = len(desk.entries())

    with pytest.raises(CounterOverflow):
        client.save()

    assert len(desk.entries()) == entries
