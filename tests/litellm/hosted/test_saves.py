"""The effects of saves of LiteLLM's class, seen through gRPC: what its process did, once, and nothing else."""

from typing import Any

import pytest
from google.protobuf import duration_pb2, field_mask_pb2

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from tests.http.conftest import Observed
from tests.litellm.hosted.conftest import Hosted, Start, charge, reset
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US

USD = 10**9
DAY_SECONDS = 86_400


def made(total_budget: float = 10, *, days: int | None = None, at: float = NOW_US / SECOND_US) -> dict[str, Any]:
    """What `create_budget` makes."""
    record: dict[str, Any] = {"total_budget": total_budget}
    return record if days is None else {**record, "duration": days, "created_at": at, "last_updated_at": at}


def budget(hosted: Hosted, budget_id: str = "alice") -> pb.Budget:
    """A budget as gRPC returns it."""
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id, view=pb.BUDGET_VIEW_FULL)
    return hosted.server.stub.GetBudget(request).budget


def daily(amount: int, limit_id: str = "") -> pb.Limit:
    """A limit that the server resets at midnight."""
    window = pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY, time_zone="UTC"))
    return pb.Limit(limit_id=limit_id, amount=amount, window=window, reset_mode=pb.RESET_MODE_AUTOMATIC)


def set_amount(hosted: Hosted, amount: int) -> None:
    """Change alice's main limit by gRPC."""
    limits = list(budget(hosted).limits)
    limits[0].amount = amount
    hosted.server.stub.UpdateBudget(
        service.UpdateBudgetRequest(
            budget=pb.Budget(project_id=PROJECT, budget_id="alice", limits=limits),
            update_mask=field_mask_pb2.FieldMask(paths=["limits"]),
        )
    )


# --- Once.


def test_a_save_that_is_sent_twice_counts_once(hosted: Hosted) -> None:
    view = {"alice": made(), "bob": made(days=28)}
    charge(view["alice"], 0.5)
    charge(view["bob"], 0.25, "o1")

    hosted.save_whole(view)
    stored = hosted.server.stored()
    hosted.save_whole(view)

    assert (hosted.server.spent(), hosted.server.spent("bob")) == (USD // 2, USD // 4)
    assert hosted.server.stored() == stored


def test_a_save_of_what_was_given_changes_nothing(hosted: Hosted) -> None:
    hosted.server.create("alice", daily(USD))
    hosted.server.create("bob")
    hosted.server.charge(123_456_789, "bob", model="o1")
    stored = hosted.server.stored()

    for _ in range(2):
        hosted.save_whole(hosted.load())

    assert hosted.server.stored() == stored


def test_a_save_that_is_sent_again_after_a_restart_counts_once(start: Start) -> None:
    hosted = start()
    hosted.server.create()
    view = hosted.load()
    charge(view["alice"], 0.5)
    view["new"] = made()
    charge(view["new"], 0.25)
    hosted.save_whole(view)

    hosted = start()
    hosted.save_whole(view)

    assert (hosted.server.spent(), hosted.server.spent("new")) == (USD // 2, USD // 4)
    charge(view["alice"], 0.5)
    hosted.save_whole(view)
    assert hosted.server.spent() == USD


def test_an_amount_that_is_changed_back_to_the_given_one_is_carried_out_after_a_restart(start: Start) -> None:
    """What the server remembers of saves is gone, and the record is as it was given."""
    hosted = start()
    hosted.save_whole({"alice": made(10)})
    view = hosted.load()
    view["alice"]["total_budget"] = 20
    hosted.save_whole(view)

    hosted = start()
    view["alice"]["total_budget"] = 10
    hosted.save_whole(view)

    assert budget(hosted).limits[0].amount == 10 * USD


def test_a_reset_to_the_given_costs_is_carried_out_after_a_restart(start: Start) -> None:
    hosted = start()
    hosted.save_whole({"alice": {**made(), "current_cost": 0, "model_cost": {}}})
    view = hosted.load()
    charge(view["alice"], 1)
    hosted.save_whole(view)

    hosted = start()
    hosted.server.clock.advance(seconds=60)
    reset(view["alice"])
    hosted.save_whole(view)

    assert hosted.server.spent() == 0


def test_saves_that_come_in_another_order_than_they_were_made_lose_nothing(hosted: Hosted) -> None:
    hosted.server.create()
    view = hosted.load()
    charge(view["alice"], 1)
    older = {"alice": {**view["alice"], "model_cost": {**view["alice"]["model_cost"]}}}
    charge(view["alice"], 2, "o1")

    hosted.save_whole(view)
    hosted.save_whole(older)

    assert hosted.server.spent() == 3 * USD
    assert hosted.observed.value('budgetd_hosted_records_total{result="late"}') == 1


def test_two_views_of_one_project_are_both_counted(hosted: Hosted) -> None:
    hosted.server.create()
    one, other = hosted.load(), hosted.load()
    for number in range(3):
        charge(one["alice"], 1)
        hosted.save_whole(one)
        charge(other["alice"], 0.5, "o1")
        hosted.save_whole(other)
        assert hosted.server.spent() == (number + 1) * 3 * USD // 2

    assert hosted.load()["alice"]["model_cost"] == {"gpt-4o": 3, "o1": 1.5}


def test_a_reset_takes_back_what_others_have_spent_as_any_reset_does(hosted: Hosted) -> None:
    hosted.server.create()
    hosted.server.charge(5 * USD, model="o1")
    view = hosted.load()
    hosted.server.charge(USD, model="o1")
    reset(view["alice"])

    hosted.save_whole(view)

    assert hosted.server.spent() == 0
    assert hosted.load()["alice"]["current_cost"] == 0


# --- Only what has changed.


def test_a_change_of_the_amount_by_others_is_not_reverted_by_a_save_of_an_older_view(hosted: Hosted) -> None:
    hosted.save_whole({"alice": made(10, days=28)})
    view = hosted.load()
    set_amount(hosted, 77 * USD)
    charge(view["alice"], 1)

    hosted.save_whole(view)

    assert budget(hosted).limits[0].amount == 77 * USD
    assert hosted.server.spent() == USD
    view["alice"]["total_budget"] = 20
    hosted.save_whole(view)
    assert budget(hosted).limits[0].amount == 20 * USD


def test_a_budget_that_others_have_shaped_keeps_its_shape(hosted: Hosted) -> None:
    hosted.server.create("team", daily(500 * USD))
    hosted.server.create("alice", daily(5 * USD), daily(2 * USD, "small"), parent_budget_id="team", labels={"a": "b"})
    before = budget(hosted)
    view = hosted.load()
    for cost in (1, 0.5):
        charge(view["alice"], cost)
        hosted.save_whole(view)

    after = budget(hosted)

    assert (after.parent_budget_id, dict(after.labels), list(after.limits)) == ("team", {"a": "b"}, list(before.limits))
    assert [status.spent for status in after.limit_statuses] == [3 * USD // 2] * 2
    assert hosted.server.spent("team") == 3 * USD // 2


def test_a_window_that_the_server_ends_is_ended_by_the_server_alone(hosted: Hosted) -> None:
    hosted.server.create("alice", daily(5 * USD))
    view = hosted.load()
    assert view["alice"]["duration"] == 1
    charge(view["alice"], 1)
    hosted.save_whole(view)
    hosted.server.clock.advance(days=1)

    charge(view["alice"], 0.25)
    hosted.save_whole(view)

    assert hosted.server.spent() == USD // 4, "midnight has passed"
    (limit,) = budget(hosted).limits
    assert (limit.window.WhichOneof("kind"), limit.reset_mode) == ("calendar", pb.RESET_MODE_AUTOMATIC)


def test_another_duration_of_the_class_becomes_a_window_that_it_ends_itself(hosted: Hosted) -> None:
    hosted.server.create("alice", daily(5 * USD))
    view = hosted.load()
    view["alice"]["duration"] = 7

    hosted.save_whole(view)

    (limit,) = budget(hosted).limits
    assert limit.window.fixed.length == duration_pb2.Duration(seconds=7 * DAY_SECONDS)
    assert (limit.amount, limit.reset_mode) == (5 * USD, pb.RESET_MODE_ON_REQUEST)


def test_a_window_of_the_class_ends_when_it_says_so_and_once_for_all_its_processes(hosted: Hosted) -> None:
    hosted.save_whole({"alice": made(10, days=1)})
    views = [hosted.load(), hosted.load()]
    for view in views:
        charge(view["alice"], 1)
        hosted.save_whole(view)
    hosted.server.clock.advance(days=1.5)
    assert hosted.server.spent() == 2 * USD

    for view in views:
        reset(view["alice"])
        view["alice"]["last_updated_at"] = hosted.server.clock() / SECOND_US
        hosted.save_whole(view)
        charge(view["alice"], 0.5)
        hosted.save_whole(view)
        hosted.server.clock.advance(seconds=1)

    assert hosted.server.spent() == USD


def test_a_budget_without_a_limit_is_given_with_a_finite_one_and_stays_without(hosted: Hosted) -> None:
    hosted.server.create("alice")
    hosted.server.create("bob", daily(USD, "small"))
    view = hosted.load()
    assert [record["total_budget"] for record in view.values()] == [1_000_000_000] * 2

    for record in view.values():
        charge(record, 0.5)
    hosted.save_whole(view)
    hosted.save_whole(hosted.load())

    assert [limit.limit_id for limit in budget(hosted).limits] == []
    assert [limit.limit_id for limit in budget(hosted, "bob").limits] == ["small"]
    view["alice"]["total_budget"] = 3
    hosted.save_whole(view)
    assert [limit.amount for limit in budget(hosted).limits] == [3 * USD]


# --- Users.


def test_templates_are_not_given_and_not_missed(hosted: Hosted) -> None:
    hosted.server.create("gold", is_template=True)
    hosted.server.create("alice")
    hosted.server.create("bob")
    view = hosted.load()
    assert list(view) == ["alice", "bob"]
    del view["bob"]

    hosted.save_whole(view)

    assert budget(hosted, "gold").is_template
    assert list(hosted.load()) == ["alice"]


def test_a_given_user_that_a_save_has_no_more_is_deleted_once(hosted: Hosted) -> None:
    for user in ("alice", "bob", "carol"):
        hosted.server.create(user)
    hosted.server.charge(USD, "bob")
    view = hosted.load()
    del view["bob"]
    hosted.save_whole(view)
    hosted.server.create("bob")

    hosted.save_whole(view)

    assert list(hosted.load()) == ["alice", "carol", "bob"], "the new one was never given to the view"
    assert hosted.server.spent("bob") == 0
    assert hosted.observed.value('budgetd_hosted_records_total{result="deleted"}') == 1


def test_users_that_others_have_created_since_the_load_are_not_missed(hosted: Hosted) -> None:
    hosted.server.create_many(["alice", "bob"])
    view = hosted.load()
    hosted.server.create("carol")
    charge(view["alice"], 1)

    hosted.save_whole(view)

    assert set(hosted.load()) == {"alice", "bob", "carol"}


def test_a_user_with_children_is_not_deleted_and_the_answer_says_so(hosted: Hosted) -> None:
    hosted.server.create("team")
    hosted.server.create("alice", parent_budget_id="team")
    hosted.server.charge(USD)
    view = hosted.load()
    del view["team"]
    charge(view["alice"], 0.5)

    refused_records = hosted.refused(view)

    assert list(refused_records) == ["team"]
    assert "child" in refused_records["team"]
    assert hosted.server.spent("team") == hosted.server.spent() == 3 * USD // 2
    charge(view["alice"], 0.5)
    assert list(hosted.refused(view)) == ["team"], "it is reported again with every save"
    assert hosted.server.spent() == 2 * USD


def test_a_label_of_others_that_looks_like_ours_does_not_keep_a_project_from_being_loaded(hosted: Hosted) -> None:
    hosted.server.create("alice", daily(USD), labels={"litellm.created_at": "last Tuesday"})
    hosted.server.create("bob", daily(USD), labels={"litellm.created_at": "nan"})

    view = hosted.load()

    assert [type(record["created_at"]) for record in view.values()] == [float, float]


# --- Metrics.


def test_calls_and_records_are_counted_by_what_became_of_them(hosted: Hosted) -> None:
    observed: Observed = hosted.observed
    hosted.server.create_many(["alice", "bob", "carol"])
    view = hosted.load()
    del view["carol"]
    charge(view["alice"], 1)
    view["bob"]["total_budget"] = -1
    hosted.refused(view)
    hosted.post("/set_budget", b"")
    hosted.post("/get_budget", b"", {"content-encoding": "gzip"})

    calls = {
        (call, code): observed.value(f'budgetd_hosted_calls_total{{call="{call}",code="{code}"}}')
        for call in ("get_budget", "set_budget")
        for code in (200, 400, 415)
    }
    records = {
        result: observed.value(f'budgetd_hosted_records_total{{result="{result}"}}')
        for result in ("changed", "late", "refused", "deleted")
    }

    assert {key: count for key, count in calls.items() if count} == {
        ("get_budget", 200): 1,
        ("get_budget", 415): 1,
        ("set_budget", 200): 1,
        ("set_budget", 400): 1,
    }
    assert records == {"changed": 1, "late": 0, "refused": 1, "deleted": 1}
    for call in ("get_budget", "set_budget"):
        assert observed.value(f'budgetd_hosted_seconds_count{{call="{call}"}}') == 2
    assert observed.value('budgetd_charges_total{result="recorded"}') == 1


@pytest.mark.parametrize("result", ["changed", "late", "refused", "deleted"])
def test_each_result_has_its_sample_before_it_happens(shared: Hosted, result: str) -> None:
    assert f'budgetd_hosted_records_total{{result="{result}"}} 0.0' in shared.observed.scrape()


# --- Origin.


def test_what_a_save_charges_has_a_gateway_as_its_source(hosted: Hosted) -> None:
    view = {"alice": made()}
    charge(view["alice"], 0.5)

    hosted.save_whole(view)

    (charged,) = [entry for entry in hosted.server.entries() if entry.kind == pb.ENTRY_KIND_CHARGE]
    assert (charged.cost_source, charged.cost_nano_usd) == (pb.COST_SOURCE_GATEWAY, USD // 2)
