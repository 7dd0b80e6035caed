"""Many limits on one budget over gRPC: each with its unit, window, models and action."""

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.rpc.failures import Failure, failure
from tests.rpc.running_server import PROJECT, RunningServer

USD = 10**9
MONTHLY = pb.Limit(amount=20 * USD, window=pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_MONTH)))
DAILY = pb.Limit(
    limit_id="daily", amount=2 * USD, window=pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY))
)
TPM = pb.Limit(
    limit_id="tpm",
    unit=pb.UNIT_TOKENS,
    amount=100_000,
    window=pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=60))),
)


def set_limits(server: RunningServer, *limits: pb.Limit) -> pb.Budget:
    """Replace the limits of alice."""
    budget = pb.Budget(project_id=PROJECT, budget_id="alice", limits=limits)
    request = service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=["limits"]))
    return server.stub.UpdateBudget(request).budget


def statuses(server: RunningServer) -> dict[str, tuple[int, int]]:
    """What each limit has spent and holds."""
    answer = server.stub.GetCurrentCost(cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id="alice"))
    return {limit.limit_id: (limit.spent, limit.held) for limit in answer.limits}


def test_20_dollars_a_month_2_dollars_a_day_and_100_000_tokens_a_minute_work_together(server: RunningServer) -> None:
    server.create("alice", TPM, MONTHLY, DAILY)
    usage = pb.Usage(input_tokens=60_000, output_tokens=30_000)

    server.charge(2 * USD - 1, usage=usage)
    over_tokens = failure(lambda: server.reserve(1, usage=pb.Usage(input_tokens=10_001)))
    over_daily = failure(lambda: server.reserve(2))
    server.clock.advance(seconds=60)
    server.reserve(1, usage=pb.Usage(input_tokens=10_001))
    server.clock.advance(days=1)
    server.reserve(2 * USD - 1)

    assert [limit.limit_id for limit in _limits(over_tokens)] == ["tpm"]
    assert [limit.limit_id for limit in _limits(over_daily)] == ["daily"]
    assert statuses(server) == {"": (2 * USD - 1, 2 * USD), "daily": (0, 2 * USD), "tpm": (0, 10_001)}


def _limits(refused: Failure) -> list[pb.LimitStatus]:
    exceeded = refused.detail(pb.BudgetExceeded)
    assert exceeded is not None
    return list(exceeded.limits)


def test_limits_are_answered_whole_the_main_one_first(server: RunningServer) -> None:
    gpt = pb.Limit(
        limit_id="gpt",
        unit=pb.UNIT_CALLS,
        amount=3,
        models=["gpt-4*", "o3"],
        action=pb.LIMIT_ACTION_WARN,
        alert_ratios=pb.AlertRatios(),
    )

    created = server.create("alice", gpt, DAILY, pb.Limit(amount=5))

    assert [limit.limit_id for limit in created.limits] == ["", "daily", "gpt"]
    assert created.limits[2] == pb.Limit(
        limit_id="gpt",
        unit=pb.UNIT_CALLS,
        amount=3,
        window=pb.Window(lifetime=pb.LifetimeWindow()),
        models=["gpt-4*", "o3"],
        action=pb.LIMIT_ACTION_WARN,
        alert_ratios=pb.AlertRatios(),
        reset_mode=pb.RESET_MODE_AUTOMATIC,
    )
    assert list(created.limit_statuses[2].models) == ["gpt-4*", "o3"]


def test_an_added_limit_counts_what_its_window_already_holds(server: RunningServer) -> None:
    server.create("alice")
    server.charge(5, model="gpt-4o", usage=pb.Usage(input_tokens=3))
    server.clock.advance(days=1)
    server.charge(7, model="openai/gpt-4o", usage=pb.Usage(input_tokens=4))
    server.charge(9, model="claude-3-opus-20240229")
    server.reserve(11, model="gpt-4o")

    set_limits(server, DAILY, pb.Limit(limit_id="gpt", amount=10**9, models=["gpt-4o"]))

    assert statuses(server) == {"daily": (16, 11), "gpt": (12, 11)}, "the catalogue's name counts, too"


def test_changing_the_amount_keeps_the_count_and_changing_the_models_recounts(server: RunningServer) -> None:
    server.create("alice", pb.Limit(limit_id="gpt", amount=10, models=["gpt-4o"]))
    server.charge(5, model="gpt-4o")
    server.charge(7, model="o3")

    raised = set_limits(server, pb.Limit(limit_id="gpt", amount=50, models=["gpt-4o"]))
    recounted = set_limits(server, pb.Limit(limit_id="gpt", amount=50, models=["o3"]))

    assert [raised.limit_statuses[0].spent, recounted.limit_statuses[0].spent] == [5, 7]


def test_the_unit_of_a_limit_never_changes(server: RunningServer) -> None:
    server.create("alice", pb.Limit(limit_id="a", amount=10))

    refused = failure(lambda: set_limits(server, pb.Limit(limit_id="a", unit=pb.UNIT_CALLS, amount=10)))

    assert list(refused.violations) == ["budget.limits"]
    assert "NANO_USD" in refused.message


def test_some_limits_are_reset_and_the_others_go_on(server: RunningServer) -> None:
    server.create("alice", MONTHLY, DAILY, TPM)
    server.charge(5, model="gpt-4o", usage=pb.Usage(input_tokens=3))
    held = server.reserve(2)

    reset = service.ResetCostRequest(project_id=PROJECT, budget_id="alice", limit_ids=["daily", "tpm"])
    server.stub.ResetCost(reset)
    some = statuses(server)
    server.stub.ResetCost(service.ResetCostRequest(project_id=PROJECT, budget_id="alice"))

    assert held.granted_nano_usd == 2
    assert some == {"": (5, 2), "daily": (0, 2), "tpm": (0, 0)}
    assert statuses(server) == {"": (0, 2), "daily": (0, 2), "tpm": (0, 0)}
    kinds = [pb.ENTRY_KIND_RESET]
    assert [entry.limit_id for entry in server.entries(kinds=kinds)][::-1] == ["daily", "tpm", "", "daily", "tpm"]


def test_a_limit_that_is_not_there_cannot_be_reset(server: RunningServer) -> None:
    server.create("alice", DAILY)
    reset = service.ResetCostRequest(project_id=PROJECT, budget_id="alice", limit_ids=["", "weekly"])

    refused = failure(lambda: server.stub.ResetCost(reset))

    assert list(refused.violations) == ["limit_ids[1]"]


def test_the_wait_that_a_refusal_reports_is_right(server: RunningServer) -> None:
    server.create("alice", MONTHLY, DAILY)
    server.charge(2 * USD)

    refused = failure(lambda: server.reserve(1))
    wait_seconds = refused.retry_seconds or 0
    assert wait_seconds == 12 * 3_600, "it is noon"
    server.clock.advance(seconds=wait_seconds - 0.000001)
    assert failure(lambda: server.reserve(1)).reason == "BUDGET_EXCEEDED"
    server.clock.advance(seconds=0.000001)

    assert server.reserve(1).granted_nano_usd == 1
