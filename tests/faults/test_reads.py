"""Reads while an older load hangs: they see what was acknowledged before they were asked."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.calls import charge, cost_of, new_budget
from tests.faults.planted_ledgers import HangingLoadsLedger
from tests.faults.server_inside import Inside, serving_ledger, until


async def test_a_read_issued_while_an_older_load_hangs_sees_a_charge_acknowledged_in_between(database: Path) -> None:
    ledger = await HangingLoadsLedger.open(database)
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        older = await hanging_reads(inside, ledger, 1)

        await inside.stub.UpdateCost(charge("in-between", 700))

        assert await spent(inside) == 700
        ledger.gate.set()
        assert await older[0] == 0, "the older load was to have read before the charge"


@pytest.mark.parametrize("charges", [1, 3])
async def test_reads_that_gather_behind_hanging_loads_see_what_was_acknowledged_before_them(
    database: Path, charges: int
) -> None:
    ledger = await HangingLoadsLedger.open(database)
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())
        older = await hanging_reads(inside, ledger, 2)  # As many as may run at once.

        newer = []
        for number in range(charges):
            await inside.stub.UpdateCost(charge(f"c-{number}", 100))
            newer.append(asyncio.create_task(spent(inside)))
        await until(lambda: reads_begun(inside) == 2 + charges)
        ledger.gate.set()

        assert await asyncio.gather(*older) == [0, 0]
        for number, read in enumerate(newer, start=1):
            assert await read >= 100 * number


async def hanging_reads(inside: Inside, ledger: HangingLoadsLedger, count: int) -> list[asyncio.Task[int]]:
    """Reads that have loaded, each for itself, and do not come back."""
    reads = []
    ledger.to_hang = count
    for number in range(count):
        reads.append(asyncio.create_task(spent(inside)))
        await until(lambda expected=number + 1: ledger.hanging == expected)  # type: ignore[misc]
    return reads


def reads_begun(inside: Inside) -> int:
    labels = {"grpc_type": "unary", "grpc_service": "budgetd.v1.BudgetService", "grpc_method": "GetCurrentCost"}
    return int(inside.server.metrics.registry.get_sample_value("grpc_server_started_total", labels) or 0)


async def spent(inside: Inside) -> int:
    return (await inside.stub.GetCurrentCost(cost_of(), timeout=60)).current_cost_nano_usd
