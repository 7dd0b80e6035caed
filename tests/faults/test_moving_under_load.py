"""Callers charge a budget while it is moved from one team to the other and back, through two servers on one file."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.faults.calls import PROJECT, stub_for
from tests.faults.checker import deviations_of
from tests.faults.server_process import BUDGETD, planted, running

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

CALLERS = 16
TEAMS = ("red", "blue")
#: Each budget and its parent.
TREE = {"org": "", "red": "org", "blue": "org", "bob": "red"}


async def test_sums_by_model_equal_the_totals_of_teams_between_which_a_budget_is_moved(database: Path) -> None:
    await charge_while_moving(database, moves=20)


async def test_servers_that_overwrite_sums_when_a_move_is_in_the_batch_of_a_charge_are_caught(database: Path) -> None:
    # One move in four is seen to go wrong, so that all 60 go right by chance once in 30 million runs.
    with pytest.raises(AssertionError, match="by model"):
        await charge_while_moving(database, moves=60, program=planted("planted_old_sums"))


@pytest.mark.drill
async def test_sums_by_model_equal_the_totals_after_200_moves_under_16_callers(
    database: Path, figure: Callable[[str], None]
) -> None:
    charges = await charge_while_moving(database, moves=200)

    figure(f"200 moves of a budget that {CALLERS} callers charged {charges:,} times: sums by model equal the totals")


async def charge_while_moving(database: Path, *, moves: int, program: Sequence[str] = BUDGETD) -> int:
    """Returns how many charges of 1 nano-USD were acknowledged, after every sum has been compared with them."""
    async with AsyncExitStack() as stack:
        starting = (stack.enter_async_context(running(database, program=program)) for _ in range(2))
        servers = await asyncio.gather(*starting)
        stubs = [await stack.enter_async_context(stub_for(servers[number % 2].address)) for number in range(CALLERS)]
        for budget_id, parent_id in TREE.items():
            budget = pb.Budget(project_id=PROJECT, budget_id=budget_id, parent_budget_id=parent_id)
            await stubs[0].CreateBudget(service.CreateBudgetRequest(budget=budget))
        charges = await _charged_while_moving(stubs, moves)
        for stub in stubs[:2]:
            await _compare_sums(stub, charges)
        for server in servers:
            server.terminate()
            assert await server.ended() == 0
    assert deviations_of(database) == []
    return charges


async def _charged_while_moving(stubs: Sequence["BudgetServiceAsyncStub"], moves: int) -> int:
    is_over, charged = asyncio.Event(), count()

    async def charge(number: int) -> None:
        request = cost_pb.UpdateCostRequest(
            project_id=PROJECT, budget_id="bob", model=f"m{number % 3}", cost_nano_usd=1
        )
        await stubs[number % CALLERS].UpdateCost(request)
        next(charged)

    async def call(number: int) -> None:
        while not is_over.is_set():
            await charge(number)

    async with asyncio.TaskGroup() as callers:
        for number in range(CALLERS):
            callers.create_task(call(number))
        for number in range(moves):
            bob = pb.Budget(project_id=PROJECT, budget_id="bob", parent_budget_id=TEAMS[(number + 1) % 2])
            move = service.UpdateBudgetRequest(budget=bob, update_mask=FieldMask(paths=["parent_budget_id"]))
            # A charge right behind the move on the same connection, so that both may be in one batch.
            await asyncio.gather(stubs[number // 2 % 2].UpdateBudget(move), charge(number // 2 % 2))
        is_over.set()
    return next(charged)


async def _compare_sums(stub: "BudgetServiceAsyncStub", charges: int) -> None:
    """Compare what every budget of the tree shows at one server with what was acknowledged."""
    request = service.ListBudgetsRequest(project_id=PROJECT, view=pb.BUDGET_VIEW_FULL)
    totals = {}
    for budget in (await stub.ListBudgets(request)).budgets:
        totals[budget.budget_id] = budget.current_cost_nano_usd
        by_model = sum(cost.cost_nano_usd for cost in budget.model_costs)
        assert by_model == budget.current_cost_nano_usd == budget.lifetime_cost_nano_usd, (
            f"{budget.budget_id}: {by_model} by model of {budget.current_cost_nano_usd}"
        )
    assert totals["org"] == totals["bob"] == totals["red"] + totals["blue"] == charges
