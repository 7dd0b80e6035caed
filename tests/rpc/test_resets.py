"""Windows that end by themselves or on request, and counts that begin again, by the server's clock."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.entry import Cause, Entry, EntryKind
from budgetd_server.rpc import answers
from tests.architecture.imports import REPOSITORY
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, RunningServer

DAY_S = 86_400
NOW_S = NOW_US // SECOND_US
VIEWS = [pb.BUDGET_VIEW_UNSPECIFIED, pb.BUDGET_VIEW_BASIC, pb.BUDGET_VIEW_STATUS, pb.BUDGET_VIEW_FULL]


def daily(*, on_request: bool = False, amount: int = 10) -> pb.Limit:
    """A limit with a fixed window of a day from now."""
    window = pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=DAY_S)))
    mode = pb.RESET_MODE_ON_REQUEST if on_request else pb.RESET_MODE_AUTOMATIC
    return pb.Limit(amount=amount, window=window, reset_mode=mode)


def reset(server: RunningServer, **fields: object) -> service.ResetCostResponse:
    """ResetCost of alice."""
    request = service.ResetCostRequest(project_id=PROJECT, budget_id="alice", **fields)  # type: ignore[arg-type]
    return server.stub.ResetCost(request)


def reset_on_duration(server: RunningServer, **fields: object) -> service.ResetOnDurationResponse:
    """ResetOnDuration of alice."""
    request = service.ResetOnDurationRequest(project_id=PROJECT, budget_id="alice", **fields)  # type: ignore[arg-type]
    return server.stub.ResetOnDuration(request)


def reset_all(server: RunningServer, request_id: str = "") -> service.ResetAllOnDurationResponse:
    """ResetAllOnDuration of the project."""
    return server.stub.ResetAllOnDuration(service.ResetAllOnDurationRequest(project_id=PROJECT, request_id=request_id))


def read(server: RunningServer, budget_id: str = "alice") -> pb.Budget:
    """A budget in full."""
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id, view=pb.BUDGET_VIEW_FULL)
    return server.stub.GetBudget(request).budget


# --- By the clock.


def test_at_the_instant_at_which_its_window_ends_a_budget_counts_from_zero(server: RunningServer) -> None:
    server.create("alice", daily())
    server.charge(9, model="m")

    server.clock.advance(seconds=DAY_S - 0.000_001)
    assert server.spent() == 9
    server.clock.advance(seconds=0.000_001)

    assert server.spent() == 0
    full = read(server)
    assert (full.lifetime_cost_nano_usd, list(full.model_costs)) == (9, [])
    assert full.limit_statuses[0].window_start_time.seconds == NOW_S + DAY_S
    assert server.charge(1).limits[0].spent == 1
    charge, roll = server.entries()[:2]
    assert (roll.kind, roll.reason, roll.windows_skipped) == (pb.ENTRY_KIND_RESET, "window ended", 0)
    assert roll.request_id == ""
    assert charge.kind == pb.ENTRY_KIND_CHARGE


def test_windows_that_passed_in_silence_are_counted_in_the_entry(server: RunningServer) -> None:
    server.create("alice", daily())
    server.clock.advance(days=10.5)

    (status,) = server.charge(1).limits

    assert status.window_start_time.seconds == NOW_S + 10 * DAY_S
    assert server.entries()[1].windows_skipped == 9


def test_on_request_a_window_counts_past_its_end(server: RunningServer) -> None:
    server.create("alice", daily(on_request=True))
    server.charge(9)
    server.clock.advance(days=2.5)

    assert server.charge(3).limits[0].is_exceeded
    assert read(server).limit_statuses[0].window_end_time.seconds == NOW_S + DAY_S


# --- ResetCost.


@pytest.mark.parametrize("view", VIEWS)
def test_a_reset_begins_the_count_again_in_the_same_window(
    server: RunningServer, view: pb.BudgetView.ValueType
) -> None:
    server.create("alice", daily())
    server.charge(9, model="m")
    server.clock.advance(seconds=60)

    answer = reset(server, view=view)

    assert answer.budget.limits[0].amount == 10
    assert bool(answer.budget.limit_statuses) is (view >= pb.BUDGET_VIEW_STATUS)
    full = read(server)
    assert (full.current_cost_nano_usd, full.lifetime_cost_nano_usd, list(full.model_costs)) == (0, 9, [])
    assert full.limit_statuses[0].window_start_time.seconds == NOW_S
    assert (server.entries()[0].kind, server.entries()[0].reason) == (pb.ENTRY_KIND_RESET, "requested")


def test_a_repeated_reset_does_not_reset_what_came_after_it(server: RunningServer) -> None:
    server.create("alice", daily())
    reset(server, request_id="r1")
    server.charge(4)

    again = reset(server, request_id="r1", view=pb.BUDGET_VIEW_FULL)

    assert (again.replayed, again.budget.current_cost_nano_usd) == (True, 4)
    assert server.spent() == 4


# --- ResetOnDuration.


@pytest.mark.parametrize("on_request", [False, True], ids=["automatic", "on request"])
def test_a_window_that_is_over_is_reset_once_on_its_grid(server: RunningServer, on_request: bool) -> None:
    server.create("alice", daily(on_request=on_request))
    server.charge(9)

    assert not reset_on_duration(server).was_reset
    server.clock.advance(days=2.5)
    answer = reset_on_duration(server, view=pb.BUDGET_VIEW_STATUS)
    again = reset_on_duration(server)

    assert (answer.was_reset, again.was_reset) == (True, False)
    (status,) = answer.budget.limit_statuses
    assert (status.spent, status.window_start_time.seconds) == (0, NOW_S + 2 * DAY_S)
    (entry,) = server.entries()[:1]
    assert (entry.kind, entry.windows_skipped) == (pb.ENTRY_KIND_RESET, 1)
    assert read(server).lifetime_cost_nano_usd == 9


def test_a_repeated_reset_on_duration_returns_what_the_first_one_did(server: RunningServer) -> None:
    server.create("alice", daily(on_request=True))
    early = reset_on_duration(server, request_id="early")
    server.clock.advance(days=1)
    late = reset_on_duration(server, request_id="late")
    server.charge(4)
    server.clock.advance(days=1)

    replays = [reset_on_duration(server, request_id=each) for each in ("early", "late")]

    assert (early.was_reset, late.was_reset) == (False, True)
    assert [(each.was_reset, each.replayed) for each in replays] == [(False, True), (True, True)]
    assert server.spent() == 4


def test_the_anchor_of_a_window_on_request_is_its_start_and_moves_with_it(server: RunningServer) -> None:
    server.create("alice", daily(on_request=True))
    server.clock.advance(days=3)

    budget = reset_on_duration(server).budget

    assert budget.limits[0].window.fixed.anchor_time == Timestamp(seconds=NOW_S + 3 * DAY_S)


# --- ResetAllOnDuration.


def test_all_budgets_whose_window_is_over_are_reset_and_no_others(server: RunningServer) -> None:
    server.create_many((f"over{n}" for n in range(450)), daily(on_request=True))  # More than two steps.
    server.create("for ever", pb.Limit(amount=10))
    server.create("without")
    server.create("elsewhere", daily(on_request=True), project_id="other")
    server.clock.advance(seconds=DAY_S / 2)
    server.create("young", daily(on_request=True))
    for name in ("over0", "over449", "for ever", "without", "young"):
        server.charge(5, name)
    server.charge(5, "elsewhere", project_id="other")
    server.clock.advance(seconds=DAY_S / 2)

    answer = reset_all(server, "r1")

    assert answer.reset_count == 450
    entries = server.entries(request_id="r1")
    assert {(entry.kind, entry.reason) for entry in entries} == {(pb.ENTRY_KIND_RESET, "requested")}
    assert len(entries) == 450
    spent = {name: server.spent(name) for name in ("over0", "over449", "for ever", "without", "young")}
    assert spent == {"over0": 0, "over449": 0, "for ever": 5, "without": 5, "young": 5}
    assert server.spent("elsewhere", project_id="other") == 5
    assert reset_all(server).reset_count == 0


def test_a_repeated_reset_of_all_answers_with_the_first_count(server: RunningServer) -> None:
    server.create("alice", daily(on_request=True))
    server.clock.advance(days=1)
    first = reset_all(server, "r1")

    again = reset_all(server, "r1")

    assert (first.reset_count, first.replayed) == (1, False)
    assert (again.reset_count, again.replayed) == (1, True)


def test_a_repeated_reset_of_all_resets_nothing_that_has_ended_since(server: RunningServer) -> None:
    server.create("alice", daily(on_request=True))
    server.clock.advance(days=1)
    reset_all(server, "r1")
    server.charge(4)
    server.clock.advance(days=1)
    before = server.stored()

    reset_all(server, "r1")

    assert server.spent() == 4
    assert server.stored() == before


def test_a_project_without_budgets_has_nothing_to_reset(server: RunningServer) -> None:
    assert reset_all(server, "r1").reset_count == 0
    assert server.stored()["projects"] == []


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.NONE], ids=lambda cause: cause.name)
def test_each_cause_is_shown_as_a_reason_that_the_contract_names(cause: Cause) -> None:
    proto = (REPOSITORY / "proto" / "budgetd" / "v1" / "budget.proto").read_text(encoding="utf-8")
    of_newer = Entry(1, 1, 1, 0, EntryKind.RESET, NOW_US, cause=cause)
    of_older = of_newer._replace(reason=answers.REASONS[cause])

    shown = {answers.entry("alice", entry, {}).reason for entry in (of_newer, of_older)}

    assert shown == {answers.REASONS[cause]} == {cause.name.lower().replace("_", " ")}
    assert f'"{answers.REASONS[cause]}"' in proto
