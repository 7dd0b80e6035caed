"""The RPCs of costs: decode and check, call the engine, encode."""

import asyncio
from collections.abc import Sequence
from itertools import islice

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.admission import without_room
from budgetd_server.domain.budget import Action
from budgetd_server.domain.commands import Charge
from budgetd_server.domain.counting import Part, spent_at
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.pricing import Prices
from budgetd_server.domain.status import BudgetStatus, LimitStatus, budget_status, limit_status
from budgetd_server.domain.touching import check_not_too_many
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc import answers, cost_requests, read_requests
from budgetd_server.rpc.answer_pages import AnswerPage
from budgetd_server.rpc.batch_answers import batch_results, check_room, limits_bytes, names_bytes
from budgetd_server.rpc.budgets import read_budget
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.cost_requests import ITEMS_AT_A_TIME, CostRequests


class CostHandlers:
    """One coroutine for each RPC about costs."""

    def __init__(self, engine: Engine, prices: Prices, costs: CostRequests) -> None:
        self._engine = engine
        self._prices = prices
        self._costs = costs

    async def UpdateCost(self, request: cost_pb.UpdateCostRequest, caller: RpcCaller) -> cost_pb.UpdateCostResponse:
        charge = await self._costs.charge(request, self._engine.clock())
        outcome = await self._engine.submit(charge, timeout_seconds=caller.timeout_seconds)
        response = cost_pb.UpdateCostResponse(
            entry_id=answers.entry_id(outcome.entry_seq),
            cost_nano_usd=outcome.result.cost_nano_usd,
            limits=answers.limit_statuses(outcome.limits),
            replayed=outcome.replayed,
            request_id=charge.request.request_id,
            unread_fields=charge.unread_fields,
        )
        if request.view:
            await self._add_budget(response, request)
        return response

    async def BatchUpdateCost(
        self, request: cost_pb.BatchUpdateCostRequest, caller: RpcCaller
    ) -> cost_pb.BatchUpdateCostResponse:
        charges, refusals = await self._costs.batch(request, self._engine.clock())
        limit_bytes = await self._checked_limit_bytes(request, charges) if request.include_limits else 0
        outcomes = await self._engine.submit_many(charges, timeout_seconds=caller.timeout_seconds)
        results = batch_results(charges, outcomes, refusals, limit_bytes=limit_bytes)
        response = cost_pb.BatchUpdateCostResponse()
        while some := list(islice(results, ITEMS_AT_A_TIME)):
            response.results.extend(some)
            await asyncio.sleep(0)  # Let the event loop run other calls.
        self._engine.count_refusals(each.error.reason for each in response.results if each.HasField("error"))
        if request.include_limits:
            response.limits.extend(await self._limits_of(request.project_id, charges))
        return response

    async def AdjustCost(self, request: cost_pb.AdjustCostRequest, caller: RpcCaller) -> cost_pb.AdjustCostResponse:
        command = cost_requests.parse_adjust(request, self._prices)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        return cost_pb.AdjustCostResponse(
            entry_id=answers.entry_id(outcome.entry_seq),
            limits=answers.limit_statuses(outcome.limits),
            replayed=outcome.replayed,
        )

    async def GetCurrentCost(
        self, request: cost_pb.GetCurrentCostRequest, caller: RpcCaller
    ) -> cost_pb.GetCurrentCostResponse:
        read_requests.check_budget(request)
        limits: tuple[LimitStatus, ...] = ()
        if request.include_ancestors:
            status, *above = await self._lineage(request.project_id, request.budget_id)
            limits = tuple(limit for each in above for limit in each.limits)
        else:
            status = await self._engine.budget(request.project_id, request.budget_id)
        return cost_pb.GetCurrentCostResponse(
            current_cost_nano_usd=status.current_cost_nano_usd,
            total_budget_nano_usd=None if status.main_limit is None else status.main_limit.amount,
            limits=answers.limit_statuses((*status.limits, *limits)),
            lifetime_cost_nano_usd=status.lifetime_cost_nano_usd,
        )

    async def GetModelCost(
        self, request: cost_pb.GetModelCostRequest, caller: RpcCaller
    ) -> cost_pb.GetModelCostResponse:
        read_requests.check_budget(request)
        status = await self._engine.budget(request.project_id, request.budget_id, with_models=True)
        return cost_pb.GetModelCostResponse(models=[answers.model_cost(model) for model in status.models])

    async def ProjectCost(self, request: cost_pb.ProjectCostRequest, caller: RpcCaller) -> cost_pb.ProjectCostResponse:
        projection = await self._costs.projection(request, self._engine.clock())
        budgets = await self._engine.touched(request.project_id, request.budget_id, projection.additional_ids)
        check_not_too_many(budgets)
        now_us, cost_nano_usd = self._engine.clock(), projection.cost_nano_usd
        part = Part(cost_nano_usd, projection.usage, 1, request.model, projection.other_names)
        failing = without_room(budgets, part, now_us, warns=True)
        exceeded = [limit_status(each.budget, each.counter, now_us) for each in failing]
        return cost_pb.ProjectCostResponse(
            cost_nano_usd=cost_nano_usd,
            projected_cost_nano_usd=spent_at(budgets[0].main, now_us) + cost_nano_usd,
            usage=None if projection.usage is None else answers.usage(projection.usage),
            is_estimated=projection.is_estimated,
            is_allowed=not any(each.action is Action.BLOCK for each in exceeded),
            exceeded_limits=answers.limit_statuses(exceeded),
        )

    async def _lineage(self, project_id: str, budget_id: str) -> list[BudgetStatus]:
        """Read the statuses of a budget and its ancestors."""
        now_us = self._engine.clock()
        return [budget_status(each, now_us) for each in await self._engine.touched(project_id, budget_id)]

    async def _add_budget(self, response: cost_pb.UpdateCostResponse, request: cost_pb.UpdateCostRequest) -> None:
        try:
            budget = await read_budget(self._engine, request.project_id, request.budget_id, request.view)
        except BudgetNotFound:
            return  # Deleted since the charge, which remains in the ledger.
        response.budget.CopyFrom(budget)

    async def _limits_of(self, project_id: str, charges: Sequence[Charge]) -> list[pb.LimitStatus]:
        budgets = await self._engine.lineages(project_id, cost_requests.touched(charges))
        page = AnswerPage[pb.LimitStatus]()
        for message in answers.limit_statuses([status for budget in budgets for status in budget.limits]):
            if not page.add(message):
                break  # Limits have been added since the size was checked.
        return page.messages

    async def _checked_limit_bytes(self, request: cost_pb.BatchUpdateCostRequest, charges: Sequence[Charge]) -> int:
        """Estimate the size of the limits in a batch's answer; refuse the batch if it could be too large."""
        names = cost_requests.touched(charges)
        check_room(request, names_bytes(names))
        templates = {charge.budget_id: charge.template_id for charge in charges if charge.template_id}
        found = await self._engine.lineages(request.project_id, [*names, *sorted(set(templates.values()) - {*names})])
        budgets = {budget.budget_id: budget for budget in found}
        statuses = [status for budget in found if not budget.is_template for status in budget.limits]
        for name in templates.keys() - budgets.keys():  # This batch creates it, if the template exists.
            if (template := budgets.get(templates[name])) is not None:
                statuses += [status._replace(budget_id=name) for status in template.limits]
        limit_bytes = limits_bytes(answers.trim_patterns(statuses))
        check_room(request, limit_bytes)
        return limit_bytes
