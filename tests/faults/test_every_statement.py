"""One statement of the store after another goes wrong, until a scenario passes without: nothing is ever half done.

Every request is sent under one id until it is acknowledged, as clients do.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.faults.calls import BUDGET, PROJECT, charge, cost_of, eventually, fixed, new_budget, stub_for
from tests.faults.checker import deviations_of
from tests.faults.planted_ledgers import FailingLedger, Fault
from tests.faults.server_inside import Inside, serving_ledger

STATEMENTS_MAX = 1_000


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
async def test_an_error_at_some_statements_leaves_nothing_half_done(tmp_path: Path, fault: Fault) -> None:
    statements = await fail_at(tmp_path, fault, every=13)

    assert statements > 80


@pytest.mark.drill
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.value)
async def test_an_error_at_any_statement_leaves_nothing_half_done(
    tmp_path: Path, fault: Fault, figure: Callable[[str], None]
) -> None:
    statements = await fail_at(tmp_path, fault, every=1)

    assert statements > 80
    figure(f"{statements} statements")


async def fail_at(tmp_path: Path, fault: Fault, *, every: int) -> int:
    """Let each, or each so manieth, statement fail in a run of its own; returns how many statements there were."""
    for number in range(1, STATEMENTS_MAX, every):
        database = tmp_path / f"{number}.db"
        ledger = await FailingLedger.open(database)
        async with serving_ledger(ledger) as inside:
            ledger.arm(fault, number)

            await scenario(inside)
            ledger.disarm()

            spent = await inside.stub.GetCurrentCost(cost_of())
            assert (spent.current_cost_nano_usd, spent.lifetime_cost_nano_usd) == (1_400, 2_500), ledger.failed
        assert deviations_of(database) == [], ledger.failed
        if not ledger.failed:
            return number
    raise AssertionError("the scenario has no end")


async def scenario(inside: Inside) -> None:
    """Everything that reads or writes: 1,100 nano-USD in the first count, 1,400 after the reset."""
    async with stub_for(inside.address) as stub:
        await eventually(lambda: stub.CreateBudget(new_budget()))
        await eventually(lambda: stub.UpdateCost(charge("first", 1_000)))
        await eventually(lambda: stub.AdjustCost(adjustment("second", 100)))
        await eventually(lambda: stub.ResetCost(reset("third")))
        await eventually(lambda: stub.UpdateCost(charge("fourth", 400)))
        await eventually(lambda: stub.BatchUpdateCost(batch("fifth", "sixth")))
        await eventually(lambda: stub.UpdateBudget(new_window("seventh")))
        await eventually(
            lambda: stub.ResetAllOnDuration(service.ResetAllOnDurationRequest(project_id=PROJECT, request_id="eighth"))
        )
        await eventually(lambda: stub.GetCurrentCost(cost_of()))
        await eventually(lambda: stub.ListBudgets(service.ListBudgetsRequest(project_id=PROJECT)))
        await eventually(lambda: stub.ListEntries(service.ListEntriesRequest(project_id=PROJECT, budget_id=BUDGET)))


def adjustment(request_id: str, amount_nano_usd: int) -> cost_pb.AdjustCostRequest:
    return cost_pb.AdjustCostRequest(
        project_id=PROJECT,
        request_id=request_id,
        budget_id=BUDGET,
        amount_nano_usd=amount_nano_usd,
        model="m",
        reason="a drill",
    )


def reset(request_id: str) -> service.ResetCostRequest:
    return service.ResetCostRequest(project_id=PROJECT, request_id=request_id, budget_id=BUDGET)


def batch(*request_ids: str) -> cost_pb.BatchUpdateCostRequest:
    return cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[charge(each, 500) for each in request_ids])


def new_window(request_id: str) -> service.UpdateBudgetRequest:
    """A window of ten years: its count is made from the entries."""
    limit = pb.Limit(amount=10**12, window=fixed(length_seconds=3_650 * 86_400))
    budget = pb.Budget(project_id=PROJECT, budget_id=BUDGET, limits=[limit])
    return service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=["limits"]), request_id=request_id)
