"""The RPCs of budgets: decode and check, call the engine, encode."""

from typing import Any

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.commands import Outcome
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc import answers, budget_requests, read_requests
from budgetd_server.rpc.answer_pages import AnswerPage
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.page_tokens import page_token
from budgetd_server.rpc.pattern_matches import pattern_matches


class BudgetHandlers:
    """One coroutine for each RPC about budgets."""

    def __init__(self, engine: Engine, prices: Prices) -> None:
        self._engine = engine
        self._prices = prices

    async def CreateBudget(
        self, request: service.CreateBudgetRequest, caller: RpcCaller
    ) -> service.CreateBudgetResponse:
        command = budget_requests.parse_create_budget(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = _as_left(command.project_id, command.budget_id, outcome, pb.BUDGET_VIEW_STATUS)
        matches = await pattern_matches(self._prices, command.limits)
        return service.CreateBudgetResponse(budget=budget, replayed=outcome.replayed, pattern_matches=matches)

    async def GetBudget(self, request: service.GetBudgetRequest, caller: RpcCaller) -> service.GetBudgetResponse:
        read_requests.check_budget(request, view=request.view)
        budget = await read_budget(self._engine, request.project_id, request.budget_id, request.view)
        return service.GetBudgetResponse(budget=budget)

    async def ListBudgets(self, request: service.ListBudgetsRequest, caller: RpcCaller) -> service.ListBudgetsResponse:
        query, page_size = read_requests.parse_budget_query(request)
        page, next_key = AnswerPage[pb.Budget](), None
        async for budget_key, status in self._engine.list_budgets(query, page_size=page_size):
            if status is not None and not page.add(answers.budget(request.project_id, status, request.view)):
                break
            next_key = budget_key
            if status is None or len(page.messages) == page_size:
                break
        else:
            next_key = None
        return service.ListBudgetsResponse(budgets=page.messages, next_page_token=page_token(request, next_key))

    async def UpdateBudget(
        self, request: service.UpdateBudgetRequest, caller: RpcCaller
    ) -> service.UpdateBudgetResponse:
        command = budget_requests.parse_update_budget(request)
        outcome = await self._engine.update_budget(command, timeout_seconds=caller.timeout_seconds)
        budget = _as_left(command.project_id, command.budget_id, outcome, pb.BUDGET_VIEW_STATUS)
        matches = await pattern_matches(self._prices, command.limits)
        return service.UpdateBudgetResponse(budget=budget, replayed=outcome.replayed, pattern_matches=matches)

    async def DeleteBudget(
        self, request: service.DeleteBudgetRequest, caller: RpcCaller
    ) -> service.DeleteBudgetResponse:
        command = budget_requests.parse_delete_budget(request)
        outcome = await self._engine.delete_budget(command, timeout_seconds=caller.timeout_seconds)
        return service.DeleteBudgetResponse(deleted_count=outcome.result.budgets_count, replayed=outcome.replayed)

    async def ResetCost(self, request: service.ResetCostRequest, caller: RpcCaller) -> service.ResetCostResponse:
        command = budget_requests.parse_reset_cost(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = await self._reset_budget(request, outcome)
        return service.ResetCostResponse(budget=budget, replayed=outcome.replayed)

    async def ResetOnDuration(
        self, request: service.ResetOnDurationRequest, caller: RpcCaller
    ) -> service.ResetOnDurationResponse:
        command = budget_requests.parse_reset_on_duration(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = await self._reset_budget(request, outcome)
        return service.ResetOnDurationResponse(
            was_reset=bool(outcome.result.budgets_count), budget=budget, replayed=outcome.replayed
        )

    async def ResetAllOnDuration(
        self, request: service.ResetAllOnDurationRequest, caller: RpcCaller
    ) -> service.ResetAllOnDurationResponse:
        asked = budget_requests.parse_reset_all(request)
        outcome = await self._engine.reset_all(request.project_id, asked, timeout_seconds=caller.timeout_seconds)
        return service.ResetAllOnDurationResponse(reset_count=outcome.result.budgets_count, replayed=outcome.replayed)

    async def _reset_budget(
        self, request: service.ResetCostRequest | service.ResetOnDurationRequest, outcome: Outcome[Any]
    ) -> pb.Budget:
        """Build the budget of an answer; its models, if requested, are read after the commit."""
        if request.view >= pb.BUDGET_VIEW_FULL and outcome.budget is not None:
            try:
                return await read_budget(self._engine, request.project_id, request.budget_id, request.view)
            except BudgetNotFound:
                pass  # Deleted since; the outcome has its state after the command.
        return _as_left(request.project_id, request.budget_id, outcome, request.view)


async def read_budget(engine: Engine, project_id: str, budget_id: str, view: int) -> pb.Budget:
    """Read the current state of a budget, as far as the view includes it. Raises BudgetNotFound."""
    status = await engine.budget(project_id, budget_id, with_models=view >= pb.BUDGET_VIEW_FULL)
    return answers.budget(project_id, status, view)


def _as_left(project_id: str, budget_id: str, outcome: Outcome[Any], view: int) -> pb.Budget:
    """Encode the budget as the command left it; only its ids if a replay finds it deleted."""
    if outcome.budget is None:
        return pb.Budget(project_id=project_id, budget_id=budget_id)
    return answers.budget(project_id, outcome.budget, view)
