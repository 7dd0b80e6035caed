"""What a saved record comes to, beside what its client was given, has saved before, and what others have done since."""

import pytest

from budgetd_server.domain.budget import Counter, Limit, ResetMode
from budgetd_server.domain.counting import first_span
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.errors import CounterOverflow, IsTemplate
from budgetd_server.domain.record import LATE_US_MAX, Record
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed
from tests.domain.desk import ALICE, DAY_US, PROJECT, Desk, charge, create, delete, limited, reset
from tests.domain.saving_clients import SECOND_US, Client, deliver


@pytest.fixture
def desk() -> Desk:
    """A desk with one budget, of which 100 are spent."""
    desk = Desk()
    desk.decide(create(limited(1_000)))
    desk.decide(charge(100, model="gpt-4o"))
    return desk


def spent(desk: Desk, user: str = ALICE) -> int:
    """What was spent in the window of now."""
    return desk.status(user).current_cost_nano_usd


def by_model(desk: Desk, user: str = ALICE) -> dict[str, int]:
    """The same by model."""
    return {each.model: each.sums.cost_nano_usd for each in desk.status(user).models}


def later(desk: Desk) -> None:
    """So much later that nothing sent before can still arrive."""
    desk.now_us += LATE_US_MAX


def test_what_a_client_adds_is_charged_beside_what_others_add(desk: Desk) -> None:
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
    assert [outcome.result for outcome in again] == [0]


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
    assert outcome.more == (0, 1, 0)


def test_a_cost_below_what_was_given_is_a_reset_at_once(desk: Desk) -> None:
    client = Client(desk)
    client.reset(ALICE)
    client.charge(ALICE, 5, "o3")

    client.save()

    assert spent(desk) == 5
    assert by_model(desk) == {"o3": 5}
    assert desk.status().lifetime_cost_nano_usd == 105
    assert EntryKind.RESET in {entry.kind for entry in desk.entries()}


def test_a_cost_below_what_was_known_ten_seconds_ago_is_a_reset_at_once(desk: Desk) -> None:
    client = Client(desk)
    for cost in (50, 60, 70):
        client.charge(ALICE, cost)
        client.save()
        desk.now_us += LATE_US_MAX - SECOND_US

    client.reset(ALICE)
    client.charge(ALICE, 120)
    client.save()

    assert spent(desk) == 120


def test_a_lower_cost_that_could_be_late_becomes_a_reset_once_it_cannot(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob")
    client.charge("bob", 50)
    client.save()
    client.reset("bob")
    client.charge("bob", 20)

    client.save()
    held_back = spent(desk, "bob")
    later(desk)
    client.save()

    assert (held_back, spent(desk, "bob")) == (50, 20)


def test_a_model_that_is_gone_tells_a_reset_that_the_sum_does_not(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob")
    client.charge("bob", 5, "o3")
    client.save()
    client.reset("bob")
    client.charge("bob", 9, "gpt-4o")

    client.save()

    assert by_model(desk, "bob") == {"gpt-4o": 9}
    assert desk.status("bob").lifetime_cost_nano_usd == 14


def test_a_user_created_by_the_client_is_a_budget_that_resets_on_request(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob", 500, length_us=DAY_US)
    client.charge("bob", 8)

    client.save()

    limit = desk.status("bob").main_limit
    assert limit is not None
    assert (limit.amount, limit.reset_mode) == (500, ResetMode.ON_REQUEST)
    assert limit.window == Fixed(length_us=DAY_US, anchor_at_us=client.imported_at_us)
    assert spent(desk, "bob") == 8


def test_a_user_that_two_clients_create_has_the_costs_of_both(desk: Desk) -> None:
    first, second = Client(desk), Client(desk)
    for client in (first, second):
        client.create("bob", 500, length_us=DAY_US)
        client.charge("bob", 10)
        client.save()
        client.charge("bob", 1)
        client.save()

    assert spent(desk, "bob") == 22


def test_a_known_user_that_is_created_again_begins_at_zero(desk: Desk) -> None:
    client = Client(desk)
    client.create(ALICE, 50)
    client.charge(ALICE, 3)

    client.save()

    status = desk.status()
    assert (status.current_cost_nano_usd, status.lifetime_cost_nano_usd) == (3, 103)
    assert status.main_limit == Limit(amount=50)


def test_a_user_created_again_keeps_the_limits_that_others_have_added(desk: Desk) -> None:
    daily = Limit(limit_id="daily", amount=40, window=Calendar(unit=CalendarUnit.DAY, time_zone="UTC"))
    desk.budget().named["daily"] = Counter(daily, first_span(daily, desk.now_us), since_seq=0)
    client = Client(desk)
    client.create(ALICE, 50)

    client.save()

    assert [limit.limit_id for limit in desk.status().rules] == ["", "daily"]
    assert spent(desk) == 0


def test_without_a_view_a_user_created_later_than_its_budget_takes_its_place(desk: Desk) -> None:
    desk.now_us += SECOND_US
    client = Client(desk, knows_its_view=False)
    client.create(ALICE, 50, length_us=DAY_US)

    client.save()

    assert spent(desk) == 0


def test_without_a_view_or_a_time_a_created_user_is_added_to_its_budget(desk: Desk) -> None:
    client = Client(desk, knows_its_view=False)
    client.create(ALICE, 50)
    client.charge(ALICE, 5)

    client.save()

    assert spent(desk) == 105
    assert desk.status().main_limit == limited(1_000)


def test_a_window_that_a_client_ends_begins_where_it_says(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob", 500, length_us=DAY_US)
    client.charge("bob", 8)
    client.save()
    desk.now_us += 2 * DAY_US

    client.reset_on_duration("bob")
    client.charge("bob", 1)
    client.save()

    status = desk.status("bob")
    assert (status.current_cost_nano_usd, status.lifetime_cost_nano_usd) == (1, 9)
    assert status.limits[0].span.start_at_us == desk.now_us


def test_a_window_that_another_client_has_ended_is_not_ended_twice(desk: Desk) -> None:
    Client(desk).create("bob")
    maker = Client(desk)
    maker.create("bob", 500, length_us=DAY_US)
    maker.save()
    first, second = Client(desk), Client(desk)
    desk.now_us += 2 * DAY_US
    first.reset_on_duration("bob")
    first.charge("bob", 10)
    first.save()
    begun_at_us = desk.now_us
    desk.now_us += SECOND_US

    second.reset_on_duration("bob")
    second.charge("bob", 1)
    second.save()

    assert spent(desk, "bob") == 11
    assert desk.status("bob").limits[0].span.start_at_us == begun_at_us


def test_a_late_save_of_the_window_before_changes_nothing(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob", 500, length_us=DAY_US)
    client.charge("bob", 8)
    client.save()
    desk.now_us += 2 * DAY_US
    late = client.snapshot()
    client.reset_on_duration("bob")
    client.save()

    deliver(desk, late)

    assert spent(desk, "bob") == 0


def test_a_window_that_ends_by_the_clock_is_not_ended_by_a_client(desk: Desk) -> None:
    desk.decide(create(limited(500, every_us=DAY_US), budget_id="bob"))
    desk.decide(charge(40, budget_id="bob"))
    client = Client(desk)
    desk.now_us += SECOND_US

    client.reset_on_duration("bob")
    client.charge("bob", 2)
    client.save()

    assert spent(desk, "bob") == 42


def test_a_change_of_the_amount_is_carried_over_and_a_foreign_one_is_not_taken_back(desk: Desk) -> None:
    first, second = Client(desk), Client(desk)
    first.users[ALICE] = first.users[ALICE]._replace(total_nano_usd=2_000)
    first.save()

    second.charge(ALICE, 5)
    second.save()

    limit = desk.status().main_limit
    assert limit is not None
    assert limit.amount == 2_000


def test_a_window_that_was_moved_by_hand_is_moved(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob", 500, length_us=DAY_US)
    client.charge("bob", 8)
    client.save()
    before = client.users["bob"].window_at_us
    assert before is not None

    client.users["bob"] = client.users["bob"]._replace(window_at_us=before - DAY_US)
    client.save()

    assert desk.status("bob").limits[0].span.start_at_us == before - DAY_US
    assert spent(desk, "bob") == 8


def test_a_duration_that_was_taken_away_by_hand_is_taken_away(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob", 500, length_us=DAY_US)
    client.charge("bob", 8)
    client.save()

    client.users["bob"] = client.users["bob"]._replace(length_us=None, window_at_us=None)
    client.save()

    assert desk.status("bob").main_limit == Limit(amount=500)
    assert spent(desk, "bob") == 8


def test_a_user_that_others_have_deleted_stays_deleted_until_it_spends(desk: Desk) -> None:
    client = Client(desk)
    desk.decide(delete())

    client.save()
    is_gone = (PROJECT, ALICE) not in desk.state.budgets
    client.charge(ALICE, 5)
    client.save()

    assert is_gone
    assert spent(desk) == 5


def test_a_reset_by_others_stands_and_what_the_client_adds_counts(desk: Desk) -> None:
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


def test_templates_are_refused(desk: Desk) -> None:
    client = Client(desk)
    desk.budget().is_template = True
    client.charge(ALICE, 5)

    with pytest.raises(IsTemplate):
        client.save()


def test_what_would_pass_a_counters_largest_value_changes_nothing(desk: Desk) -> None:
    client = Client(desk)
    desk.budget().lifetime_cost_nano_usd = 9 * 10**18 - 1
    client.charge(ALICE, 5)
    entries = len(desk.entries())

    with pytest.raises(CounterOverflow):
        client.save()

    assert len(desk.entries()) == entries
