"""What becomes of users, their configuration and their windows, when a client creates, changes or resets them."""

from dataclasses import replace

import pytest

from budgetd_server.domain.budget import Counter, Limit, ResetMode
from budgetd_server.domain.counting import first_span
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.errors import CounterOverflow, HasChildren, IsTemplate
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed
from budgetd_server.litellm.saving import RecordSaved
from tests.domain.desk import ALICE, DAY_US, PROJECT, Desk, charge, create, delete, limited
from tests.litellm.saving_clients import SECOND_US, Client, by_model, deliver, desk_with_alice, spent


@pytest.fixture
def desk() -> Desk:
    """A desk with one budget, of which 100 are spent."""
    return desk_with_alice()


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


def test_templates_are_refused(desk: Desk) -> None:
    client = Client(desk)
    desk.budget().is_template = True
    client.charge(ALICE, 5)

    with pytest.raises(IsTemplate):
        client.save()


def test_a_user_that_a_client_has_no_more_is_deleted_once(desk: Desk) -> None:
    client = Client(desk)

    first, again = (desk.decide(client.drop(ALICE).command()) for _ in range(2))

    assert (PROJECT, ALICE) not in desk.state.budgets
    assert [outcome.result for outcome in (first, again)] == [RecordSaved(has_changed=True), RecordSaved()]


def test_a_user_that_others_have_created_again_is_not_deleted(desk: Desk) -> None:
    client = Client(desk)
    desk.decide(delete())
    desk.decide(create(limited(7)))

    desk.decide(client.drop(ALICE).command())

    assert desk.status().main_limit == limited(7)


def test_a_user_that_was_deleted_and_is_created_again_as_before_is_there(desk: Desk) -> None:
    client = Client(desk)
    client.create(ALICE, 50)
    client.save()
    desk.decide(client.drop(ALICE).command())

    client.create(ALICE, 50)
    client.save()

    assert desk.status().main_limit == Limit(amount=50)


def test_a_user_with_children_is_not_deleted(desk: Desk) -> None:
    client = Client(desk)
    desk.decide(replace(create(budget_id="bob"), parent_id=ALICE))

    with pytest.raises(HasChildren):
        desk.decide(client.drop(ALICE).command())

    assert spent(desk) == 100


def test_a_reset_of_a_user_that_never_spent_is_seen(desk: Desk) -> None:
    client = Client(desk)
    client.create("bob")
    client.save()

    client.reset("bob")
    client.save()

    assert [entry.kind for entry in desk.chain("bob")] == [EntryKind.RESET, EntryKind.CREATE]


def test_a_model_that_cost_nothing_is_there(desk: Desk) -> None:
    client = Client(desk)
    client.charge(ALICE, 0, "o3")

    client.save()

    assert by_model(desk) == {"gpt-4o": 100, "o3": 0}


def test_a_user_whose_models_cost_more_than_a_budget_can_count_is_refused_and_not_created() -> None:
    desk = Desk()
    client = Client(desk)
    client.create("bob")
    for model in range(10):
        client.charge("bob", 10**18, f"model-{model}")

    with pytest.raises(CounterOverflow):
        client.save()

    assert (desk.entries(), desk.state.budgets, desk.state.new_notes) == ([], {}, {})
