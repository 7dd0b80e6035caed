"""A store that fails: calls are refused as retryable, nothing is counted twice, and health returns by itself."""

from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

from tests.faults.calls import charge, cost_of, health_turns, new_budget, refusal_of
from tests.faults.checker import Record
from tests.faults.planted_ledgers import FailsAfterCommitLedger
from tests.faults.server_inside import serving_ledger

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_charge_whose_commit_only_seemed_to_fail_is_replayed_and_not_counted_again(database: Path) -> None:
    ledger = await FailsAfterCommitLedger.open(database)
    record = Record()
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        ledger.times = 1

        record.send("once", 500)
        refusal = await refusal_of(inside.stub.UpdateCost(charge("once", 500)))
        retry = await inside.stub.UpdateCost(charge("once", 500))
        record.acknowledge("once", retry.entry_id)

        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert refusal.info.domain == "budgetd"
        assert refusal.retry is not None
        assert refusal.retry.retry_delay.ToMilliseconds() > 0
        assert retry.replayed
        assert retry.cost_nano_usd == 500
        assert (await inside.stub.GetCurrentCost(cost_of())).current_cost_nano_usd == 500
    assert record.faults_of(database) == []


async def test_health_falls_with_a_failing_commit_and_comes_back_without_a_caller(database: Path) -> None:
    ledger = await FailsAfterCommitLedger.open(database)
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        turns = health_turns(inside.channel)
        assert await anext(turns) == SERVING

        ledger.times = 1
        await refusal_of(inside.stub.UpdateCost(charge("once", 500)))

        assert await anext(turns) == NOT_SERVING
        assert await anext(turns) == SERVING
