"""Callers that cancel: what has begun is kept, what has not begun does not run, and nothing is left in the queue."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest

from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.rpc.adapter import go_code
from tests.faults.calls import charge, cost_of, new_budget, refusal_of, stub_for
from tests.faults.checker import Record
from tests.faults.planted_ledgers import GatedLedger
from tests.faults.server_inside import Inside, serving, serving_ledger, until
from tests.faults.server_process import running

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

CALLS = 500


async def test_500_calls_cancelled_at_random_and_sent_again_come_to_the_exact_sum(database: Path) -> None:
    record = Record()
    async with serving(database) as inside:
        await inside.stub.CreateBudget(new_budget())

        outcomes = await asyncio.gather(*(cancel_at_random(inside, record, number) for number in range(CALLS)))
        for request_id, cost_nano_usd in record.sent.items():
            answer = await inside.stub.UpdateCost(charge(request_id, cost_nano_usd))
            record.acknowledge(request_id, answer.entry_id)

        spent = await inside.stub.GetCurrentCost(cost_of())
        assert spent.current_cost_nano_usd == sum(record.sent.values()) == record.total_nano_usd()
        assert inside.waiting() == 0
        assert inside.server.engine.writer.is_healthy
        assert False in outcomes, "no call was cancelled"
    assert len(record.sent) == CALLS
    assert record.faults_of(database) == []


async def cancel_at_random(inside: Inside, record: Record, number: int) -> bool:
    """Send a charge and leave within five milliseconds, all but every twentieth; True if it was answered."""
    chance = random.Random(number)
    request_id, cost_nano_usd = f"c-{number}", chance.randint(1, 10**6)
    record.send(request_id, cost_nano_usd)
    # A few at a time: otherwise no call would be answered within milliseconds.
    await asyncio.sleep(chance.uniform(0, 1.0))
    call = inside.stub.UpdateCost(charge(request_id, cost_nano_usd))
    if number % 20:
        asyncio.get_running_loop().call_later(chance.uniform(0, 0.005), call.cancel)
    try:
        record.acknowledge(request_id, (await call).entry_id)
    except asyncio.CancelledError:
        return False
    return True


async def test_a_command_whose_deadline_passes_in_the_queue_does_not_run(database: Path) -> None:
    ledger = await GatedLedger.open(database)
    record = Record()
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        ledger.gate.clear()
        record.send("patient", 10)
        patient = asyncio.create_task(charged(inside, "patient", 10))
        await until(lambda: ledger.commits == 2)

        refusal = await refusal_of(inside.stub.UpdateCost(charge("impatient", 5), timeout=0.05))
        # The server hears of the deadline by itself.
        await until(lambda: cancelled(inside) == 1)
        ledger.gate.set()
        record.acknowledge("patient", (await patient).entry_id)

        assert refusal.code is grpc.StatusCode.DEADLINE_EXCEEDED
        await until(lambda: inside.waiting() == 0)
        assert (await inside.stub.GetCurrentCost(cost_of())).current_cost_nano_usd == 10
    assert record.faults_of(database) == [], "an entry that was not sent here is that of the impatient caller"


async def test_a_caller_that_leaves_while_its_batch_commits_is_charged_once(database: Path) -> None:
    ledger = await GatedLedger.open(database)
    record = Record()
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        ledger.gate.clear()
        record.send("leaver", 10)
        call = inside.stub.UpdateCost(charge("leaver", 10))
        await until(lambda: ledger.commits == 2)

        call.cancel()
        await until(lambda: cancelled(inside) == 1)
        ledger.gate.set()
        retry = await charged(inside, "leaver", 10)
        record.acknowledge("leaver", retry.entry_id)

        assert retry.replayed
    assert record.faults_of(database) == []


@pytest.mark.drill
async def test_clients_that_vanish_with_their_connections_leave_nothing_behind(
    database: Path, figure: Callable[[str], None]
) -> None:
    record = Record()
    async with running(database) as server:
        async with stub_for(server.address) as stub:
            await stub.CreateBudget(new_budget())
        for turn in range(60):
            # Leaving the block closes the connection under the calls.
            async with stub_for(server.address) as stub:
                calls = [asyncio.create_task(vanishing(stub, record, f"{turn}-{n}")) for n in range(20)]
                await asyncio.wait(calls, timeout=random.Random(turn).uniform(0, 0.02))
            await asyncio.gather(*calls)
        unanswered = len(record.sent) - len(record.acknowledged)
        async with stub_for(server.address) as stub:
            for request_id, cost_nano_usd in record.sent.items():
                answer = await stub.UpdateCost(charge(request_id, cost_nano_usd))
                record.acknowledge(request_id, answer.entry_id)
        server.terminate()
        assert await server.ended() == 0
        assert not [line for line in server.lines if '"level": "info"' not in line]
    assert record.faults_of(database) == []
    figure(f"{unanswered} of {len(record.sent)} calls were cut off")


async def vanishing(stub: "BudgetServiceAsyncStub", record: Record, request_id: str) -> None:
    record.send(request_id, 7)
    try:
        record.acknowledge(request_id, (await stub.UpdateCost(charge(request_id, 7))).entry_id)
    except (asyncio.CancelledError, grpc.aio.AioRpcError, grpc.aio.UsageError):
        return


async def charged(inside: Inside, request_id: str, cost_nano_usd: int) -> cost_pb.UpdateCostResponse:
    return await inside.stub.UpdateCost(charge(request_id, cost_nano_usd))


def cancelled(inside: Inside) -> int:
    """How many charges the server has seen cancelled."""
    labels = {
        "grpc_type": "unary",
        "grpc_service": "budgetd.v1.BudgetService",
        "grpc_method": "UpdateCost",
        "grpc_code": go_code(grpc.StatusCode.CANCELLED),
    }
    return int(inside.server.metrics.registry.get_sample_value("grpc_server_handled_total", labels) or 0)
