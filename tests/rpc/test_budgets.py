"""Creating, reading, changing and deleting budgets, over the wire."""

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.rpc.failures import failure
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, RunningServer

NOW = Timestamp(seconds=NOW_US // SECOND_US)
BASIC, STATUS, FULL = pb.BUDGET_VIEW_BASIC, pb.BUDGET_VIEW_STATUS, pb.BUDGET_VIEW_FULL


def fixed(seconds: int, anchor: Timestamp | None = None) -> pb.Window:
    """A window of a fixed length."""
    return pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=seconds), anchor_time=anchor))


def get(server: RunningServer, view: pb.BudgetView.ValueType = FULL, budget_id: str = "alice") -> pb.Budget:
    """Read a budget."""
    return server.stub.GetBudget(service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id, view=view)).budget


def update(server: RunningServer, paths: list[str], request_id: str = "", **fields: object) -> pb.Budget:
    """Set some parts of alice's configuration."""
    budget = pb.Budget(project_id=PROJECT, budget_id="alice", **fields)  # type: ignore[arg-type]
    request = service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=paths), request_id=request_id)
    return server.stub.UpdateBudget(request).budget


# --- Creating.


def test_a_new_budget_is_answered_with_every_default_filled_in(server: RunningServer) -> None:
    created = server.create("alice", pb.Limit(amount=5))

    assert created.limits[0] == pb.Limit(
        unit=pb.UNIT_NANO_USD,
        amount=5,
        window=pb.Window(lifetime=pb.LifetimeWindow()),
        action=pb.LIMIT_ACTION_BLOCK,
        reset_mode=pb.RESET_MODE_AUTOMATIC,
        alert_ratios=pb.AlertRatios(values=[0.5, 0.8, 1.0]),
    )
    assert (created.create_time, created.update_time) == (NOW, NOW)
    assert created.etag
    assert not created.HasField("delete_time")
    assert created.limit_statuses[0] == pb.LimitStatus(
        budget_id="alice",
        unit=pb.UNIT_NANO_USD,
        amount=5,
        remaining=5,
        action=pb.LIMIT_ACTION_BLOCK,
        burn_rate_per_hour=0,
    )


@pytest.mark.parametrize(
    ("window", "start_time", "end_time"),
    [
        pytest.param(fixed(3_600), "2026-03-10T12:00:00Z", "2026-03-10T13:00:00Z", id="from now, unless anchored"),
        pytest.param(
            fixed(3_600, Timestamp(seconds=1_800)), "2026-03-10T11:30:00Z", "2026-03-10T12:30:00Z", id="from an anchor"
        ),
        pytest.param(
            pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY, time_zone="Europe/Berlin")),
            "2026-03-09T23:00:00Z",
            "2026-03-10T23:00:00Z",
            id="a day of Berlin",
        ),
        pytest.param(
            pb.Window(
                calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_WEEK, first_weekday=pb.WEEKDAY_SUNDAY),
            ),
            "2026-03-08T00:00:00Z",
            "2026-03-15T00:00:00Z",
            id="a week from Sunday",
        ),
        pytest.param(
            pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_MONTH, count=3)),
            "2026-01-01T00:00:00Z",
            "2026-04-01T00:00:00Z",
            id="three months",
        ),
    ],
)
def test_a_limit_counts_in_the_window_that_was_asked_for(
    server: RunningServer, window: pb.Window, start_time: str, end_time: str
) -> None:
    created = server.create("alice", pb.Limit(amount=5, window=window, action=pb.LIMIT_ACTION_WARN))

    (status,) = created.limit_statuses
    assert status.window_start_time.ToJsonString() == start_time
    assert status.window_end_time.ToJsonString() == end_time
    assert status.action == pb.LIMIT_ACTION_WARN
    again = server.create("again", *created.limits)
    assert again.limits == created.limits  # What is answered may be sent.


def test_a_window_that_ends_beyond_all_timestamps_is_returned_with_the_last_one(server: RunningServer) -> None:
    anchor = Timestamp(seconds=253_402_300_799)
    limit = pb.Limit(amount=5, window=fixed(86_400 * 3_653, anchor), reset_mode=pb.RESET_MODE_ON_REQUEST)

    (status,) = server.create("alice", limit).limit_statuses

    assert status.window_end_time.ToJsonString() == "9999-12-31T23:59:59.999999Z"


def test_replacing_begins_the_counts_again_and_keeps_history_and_lifetime(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5), labels={"team": "x"})
    server.charge(3)
    server.clock.advance(seconds=1)

    budget = pb.Budget(project_id=PROJECT, budget_id="alice", limits=[pb.Limit(amount=9)])
    replaced = server.stub.CreateBudget(service.CreateBudgetRequest(budget=budget, replace_existing=True)).budget

    assert (replaced.limits[0].amount, replaced.current_cost_nano_usd, replaced.lifetime_cost_nano_usd) == (9, 0, 3)
    assert not replaced.labels
    assert replaced.create_time.seconds == NOW.seconds + 1
    assert [entry.reason for entry in server.entries() if entry.kind == pb.ENTRY_KIND_CREATE] == ["replaced", ""]


@pytest.mark.parametrize("rpc", ["CreateBudget", "UpdateBudget", "DeleteBudget", "ResetCost"])
def test_a_repeated_request_changes_nothing_and_says_so(server: RunningServer, rpc: str) -> None:
    alice = pb.Budget(project_id=PROJECT, budget_id="alice", limits=[pb.Limit(amount=5)])
    requests = {
        "CreateBudget": service.CreateBudgetRequest(budget=alice, request_id="r"),
        "UpdateBudget": service.UpdateBudgetRequest(
            budget=alice, update_mask=FieldMask(paths=["limits"]), request_id="r"
        ),
        "DeleteBudget": service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice", request_id="r"),
        "ResetCost": service.ResetCostRequest(project_id=PROJECT, budget_id="alice", request_id="r"),
    }
    if rpc != "CreateBudget":
        server.create()
    call = getattr(server.stub, rpc)
    first = call(requests[rpc])
    server.clock.advance(seconds=1)
    before = server.stored()

    again = call(requests[rpc])

    assert (first.replayed, again.replayed) == (False, True)
    first.replayed = True
    assert again == first
    assert server.stored() == before


def test_a_replayed_creation_of_a_budget_that_is_gone_names_it_and_nothing_else(server: RunningServer) -> None:
    alice = pb.Budget(project_id=PROJECT, budget_id="alice")
    request = service.CreateBudgetRequest(budget=alice, request_id="r")
    server.stub.CreateBudget(request)
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))

    again = server.stub.CreateBudget(request)

    assert again.replayed
    assert again.budget == alice


def test_ids_are_compared_byte_by_byte(server: RunningServer) -> None:
    names = ["alice", "Alice", "alice ", " alice", "\u00e9", "e\u0301", "\ufb01", "fi", "1", "01", "1.0", "😀"]
    for cost, name in enumerate(names):
        server.create(name)
        server.charge(cost, name, request_id=f"r{cost}")

    assert [server.spent(name) for name in names] == list(range(len(names)))


# --- Reading.


def test_each_view_adds_to_the_one_before(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5), labels={"team": "x"})
    server.charge(2, model="m")

    unset, basic, status, full = (get(server, view) for view in (pb.BUDGET_VIEW_UNSPECIFIED, BASIC, STATUS, FULL))

    assert unset == basic
    assert not basic.limit_statuses
    assert (basic.current_cost_nano_usd, basic.lifetime_cost_nano_usd) == (0, 0)
    assert (status.limit_statuses[0].spent, status.current_cost_nano_usd, status.lifetime_cost_nano_usd) == (2, 2, 2)
    assert not status.model_costs
    assert full.model_costs[0] == pb.ModelCost(model="m", cost_nano_usd=2, usage=pb.Usage(), calls=1)
    del full.model_costs[:]
    assert full == status
    assert basic.labels == {"team": "x"}


def test_models_are_reported_dearest_first(server: RunningServer) -> None:
    server.create()
    for model, cost in (("b", 1), ("a", 1), ("c", 9), ("", 5)):
        server.charge(cost, model=model)

    models = server.stub.GetModelCost(cost_pb.GetModelCostRequest(project_id=PROJECT, budget_id="alice")).models

    assert [(each.model, each.cost_nano_usd) for each in models] == [("c", 9), ("", 5), ("a", 1), ("b", 1)]


def test_the_current_cost_of_a_budget_without_a_limit_is_what_it_has_spent(server: RunningServer) -> None:
    server.create()
    server.charge(7)

    current = server.stub.GetCurrentCost(cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id="alice"))

    assert (current.current_cost_nano_usd, current.lifetime_cost_nano_usd) == (7, 7)
    assert not current.HasField("total_budget_nano_usd")
    assert not current.limits


def test_the_current_cost_has_the_total_budget_even_if_it_is_zero(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=0))
    server.charge(7)

    current = server.stub.GetCurrentCost(cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id="alice"))

    assert current.HasField("total_budget_nano_usd")
    (status,) = current.limits
    assert (status.spent, status.remaining, status.used_ratio, status.is_exceeded) == (7, -7, 1.0, True)


def test_spending_exactly_the_amount_is_within_it(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=7))

    at, above = server.charge(7).limits[0], server.charge(1).limits[0]

    assert (at.remaining, at.used_ratio, at.is_exceeded) == (0, 1.0, False)
    assert (above.remaining, above.is_exceeded) == (-1, True)


# --- Changing.


def test_what_is_outside_of_the_mask_stays(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5), labels={"team": "x"})

    update(server, ["labels"], labels={"team": "y"}, limits=[pb.Limit(amount=9)])
    assert (get(server).limits[0].amount, dict(get(server).labels)) == (5, {"team": "y"})
    update(server, ["limits"], labels={"team": "z"}, limits=[pb.Limit(amount=9)])
    assert (get(server).limits[0].amount, dict(get(server).labels)) == (9, {"team": "y"})
    update(server, ["limits", "labels"])
    assert (list(get(server).limits), dict(get(server).labels)) == ([], {})


def test_a_budget_that_was_read_may_be_changed_and_sent_back_whole(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5))
    server.charge(2, model="m")
    budget = get(server, FULL)
    budget.limits[0].amount = 8

    request = service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=["limits"]))
    updated = server.stub.UpdateBudget(request).budget

    assert (updated.limits[0].amount, updated.current_cost_nano_usd) == (8, 2)
    assert updated.etag != budget.etag
    assert failure(lambda: server.stub.UpdateBudget(request)).reason == "ETAG_MISMATCH"


def test_the_etag_changes_with_the_configuration_and_with_nothing_else(server: RunningServer) -> None:
    etag = server.create("alice", pb.Limit(amount=5, window=fixed(60))).etag

    server.charge(1)
    server.clock.advance(seconds=60)
    server.charge(1)
    assert get(server).etag == etag
    assert update(server, ["labels"], labels={"a": "b"}).etag != etag


def test_another_amount_or_action_keeps_the_count(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5))
    server.charge(4)

    updated = update(server, ["limits"], limits=[pb.Limit(amount=3, action=pb.LIMIT_ACTION_WARN)])

    (status,) = updated.limit_statuses
    assert (status.spent, status.amount, status.is_exceeded, status.action) == (4, 3, True, pb.LIMIT_ACTION_WARN)


def test_another_window_counts_what_the_ledger_holds_of_it(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=50))
    server.charge(4, model="old")
    server.clock.advance(days=1)
    server.charge(3, model="new")

    day = pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY))
    updated = update(server, ["limits"], limits=[pb.Limit(amount=50, window=day)])

    assert (updated.current_cost_nano_usd, updated.lifetime_cost_nano_usd) == (3, 7)
    assert [(each.model, each.cost_nano_usd) for each in get(server).model_costs] == [("new", 3)]
    updated = update(server, ["limits"], limits=[pb.Limit(amount=50)])
    assert updated.current_cost_nano_usd == 7


def test_a_repeated_update_is_answered_before_its_etag_and_existence_are_looked_at(server: RunningServer) -> None:
    etag = server.create("alice").etag
    update(server, ["labels"], request_id="r", labels={"a": "b"}, etag=etag)
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))

    assert update(server, ["labels"], request_id="r", labels={"a": "b"}, etag=etag).budget_id == "alice"


# --- Deleting.


def test_a_deleted_budget_is_gone_and_its_id_starts_again_at_zero(server: RunningServer) -> None:
    first = server.create("alice", pb.Limit(amount=5))
    server.charge(3)

    deleted = server.stub.DeleteBudget(
        service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice", etag=first.etag)
    )
    assert deleted.deleted_count == 1
    assert failure(lambda: server.charge(1)).code is grpc.StatusCode.NOT_FOUND
    second = server.create("alice")

    assert second.etag != first.etag
    assert (second.current_cost_nano_usd, second.lifetime_cost_nano_usd) == (0, 0)
    kinds = [entry.kind for entry in server.entries(budget_id="alice")]
    assert kinds == [pb.ENTRY_KIND_CREATE, pb.ENTRY_KIND_DELETE, pb.ENTRY_KIND_CHARGE, pb.ENTRY_KIND_CREATE]
