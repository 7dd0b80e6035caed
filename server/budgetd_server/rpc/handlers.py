"""The RPCs: decode and check, ask the engine, encode.

Handlers are plain coroutines from a request and its caller to a response; they raise domain errors and know nothing of
gRPC, so that a client in the same process can call them without a socket. Their names are those of the contract.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.admission import without_room
from budgetd_server.domain.bounds import TOUCHED_BUDGETS_MAX
from budgetd_server.domain.budget import Action
from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.counting import Part, spent_at
from budgetd_server.domain.errors import BudgetNotFound, FieldViolation, InvalidField, Refusal
from budgetd_server.domain.pricing import Prices
from budgetd_server.domain.results import Charged
from budgetd_server.domain.status import BudgetStatus, LimitStatus, budget_status, limit_status
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc import answers, budget_requests, cost_requests, read_requests
from budgetd_server.rpc.answer_pages import ANSWER_BYTES_MAX, AnswerPage
from budgetd_server.rpc.callers import Caller
from budgetd_server.rpc.cost_requests import ITEMS_AT_A_TIME, CostRequests
from budgetd_server.rpc.errors import item_error
from budgetd_server.rpc.page_tokens import page_token
from budgetd_server.rpc.pattern_matches import pattern_matches
from budgetd_server.rpc.price_answers import model_price
from budgetd_server.rpc.reservation_handlers import ReservationHandlers
from budgetd_server.tokens import AsyncTokenCounter

#: In addition to names and paths.
_CHARGED_BYTES, _LIMIT_BYTES, _PATH_BYTES = 48, 192, 4


class Handlers(ReservationHandlers):
    """One coroutine for each RPC of `budgetd.v1.BudgetService`."""

    def __init__(self, engine: Engine, prices: Prices, tokens: AsyncTokenCounter) -> None:
        self._costs = CostRequests(prices, tokens)
        super().__init__(engine, prices, self._costs)
        self._prices = prices

    async def CreateBudget(self, request: service.CreateBudgetRequest, caller: Caller) -> service.CreateBudgetResponse:
        command = budget_requests.create_budget(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = _as_left(command.project_id, command.budget_id, outcome, pb.BUDGET_VIEW_STATUS)
        matches = await pattern_matches(self._prices, command.limits)
        return service.CreateBudgetResponse(budget=budget, replayed=outcome.replayed, pattern_matches=matches)

    async def GetBudget(self, request: service.GetBudgetRequest, caller: Caller) -> service.GetBudgetResponse:
        read_requests.check_budget(request, view=request.view)
        return service.GetBudgetResponse(budget=await self._read(request.project_id, request.budget_id, request.view))

    async def ListBudgets(self, request: service.ListBudgetsRequest, caller: Caller) -> service.ListBudgetsResponse:
        query, page_size, matches = read_requests.budget_query(request)
        page = AnswerPage[pb.Budget]()

        def add(status: BudgetStatus) -> bool:
            return page.add(answers.budget(request.project_id, status, request.view))

        next_key = await self._engine.list_budgets(query, page_size=page_size, matches=matches, add=add)
        return service.ListBudgetsResponse(budgets=page.messages, next_page_token=page_token(request, next_key))

    async def UpdateBudget(self, request: service.UpdateBudgetRequest, caller: Caller) -> service.UpdateBudgetResponse:
        command = budget_requests.update_budget(request)
        outcome = await self._engine.update_budget(command, timeout_seconds=caller.timeout_seconds)
        budget = _as_left(command.project_id, command.budget_id, outcome, pb.BUDGET_VIEW_STATUS)
        matches = await pattern_matches(self._prices, command.limits)
        return service.UpdateBudgetResponse(budget=budget, replayed=outcome.replayed, pattern_matches=matches)

    async def DeleteBudget(self, request: service.DeleteBudgetRequest, caller: Caller) -> service.DeleteBudgetResponse:
        command = budget_requests.delete_budget(request)
        outcome = await self._engine.delete_budget(command, timeout_seconds=caller.timeout_seconds)
        return service.DeleteBudgetResponse(deleted_count=outcome.result.budgets_count, replayed=outcome.replayed)

    async def UpdateCost(self, request: cost_pb.UpdateCostRequest, caller: Caller) -> cost_pb.UpdateCostResponse:
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
        self, request: cost_pb.BatchUpdateCostRequest, caller: Caller
    ) -> cost_pb.BatchUpdateCostResponse:
        charges, refusals = await self._costs.batch(request, self._engine.clock())
        limit_bytes = await self._checked_limit_bytes(request, charges) if request.include_limits else 0
        outcomes = await self._engine.submit_many(charges, timeout_seconds=caller.timeout_seconds)
        results = _results(charges, outcomes, refusals, limit_bytes=limit_bytes)
        response = cost_pb.BatchUpdateCostResponse()
        while some := list(islice(results, ITEMS_AT_A_TIME)):
            response.results.extend(some)
            await asyncio.sleep(0)  # Other calls have their turn.
        self._engine.count_refusals(each.error.reason for each in response.results if each.HasField("error"))
        if request.include_limits:
            response.limits.extend(await self._limits_of(request.project_id, charges))
        return response

    async def AdjustCost(self, request: cost_pb.AdjustCostRequest, caller: Caller) -> cost_pb.AdjustCostResponse:
        command = cost_requests.adjust(request, self._prices)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        return cost_pb.AdjustCostResponse(
            entry_id=answers.entry_id(outcome.entry_seq),
            limits=answers.limit_statuses(outcome.limits),
            replayed=outcome.replayed,
        )

    async def GetCurrentCost(
        self, request: cost_pb.GetCurrentCostRequest, caller: Caller
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

    async def GetModelCost(self, request: cost_pb.GetModelCostRequest, caller: Caller) -> cost_pb.GetModelCostResponse:
        read_requests.check_budget(request)
        status = await self._engine.budget(request.project_id, request.budget_id, with_models=True)
        return cost_pb.GetModelCostResponse(models=[answers.model_cost(model) for model in status.models])

    async def ProjectCost(self, request: cost_pb.ProjectCostRequest, caller: Caller) -> cost_pb.ProjectCostResponse:
        projection = await self._costs.projection(request, self._engine.clock())
        budgets = await self._engine.touched(request.project_id, request.budget_id, projection.additional_ids)
        if len(budgets) > TOUCHED_BUDGETS_MAX:
            rule = f"must count on at most {TOUCHED_BUDGETS_MAX} budgets, ancestors and all, got {len(budgets)}"
            raise InvalidField([FieldViolation("additional_budget_ids", rule)])
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

    async def ResetCost(self, request: service.ResetCostRequest, caller: Caller) -> service.ResetCostResponse:
        command = budget_requests.reset_cost(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = await self._reset_budget(request, outcome)
        return service.ResetCostResponse(budget=budget, replayed=outcome.replayed)

    async def ResetOnDuration(
        self, request: service.ResetOnDurationRequest, caller: Caller
    ) -> service.ResetOnDurationResponse:
        command = budget_requests.reset_on_duration(request)
        outcome = await self._engine.submit(command, timeout_seconds=caller.timeout_seconds)
        budget = await self._reset_budget(request, outcome)
        return service.ResetOnDurationResponse(
            was_reset=bool(outcome.result.budgets_count), budget=budget, replayed=outcome.replayed
        )

    async def ResetAllOnDuration(
        self, request: service.ResetAllOnDurationRequest, caller: Caller
    ) -> service.ResetAllOnDurationResponse:
        asked = budget_requests.reset_all(request)
        outcome = await self._engine.reset_all(request.project_id, asked, timeout_seconds=caller.timeout_seconds)
        return service.ResetAllOnDurationResponse(reset_count=outcome.result.budgets_count, replayed=outcome.replayed)

    async def ListEntries(self, request: service.ListEntriesRequest, caller: Caller) -> service.ListEntriesResponse:
        found = await self._engine.list_entries(read_requests.entry_query(request))
        page, next_seq = AnswerPage[pb.Entry](), found.next_seq
        for budget_id, entry in found.entries:
            if not page.add(answers.entry(budget_id, entry, found.names)):
                next_seq = entry.seq
                break
        return service.ListEntriesResponse(entries=page.messages, next_page_token=page_token(request, next_seq))

    async def ListModelPrices(
        self, request: service.ListModelPricesRequest, caller: Caller
    ) -> service.ListModelPricesResponse:
        begin, page_size = read_requests.price_page(request)
        names = [name for name in self._prices.models() if name.startswith(request.model_prefix)]
        now_us, end = self._engine.clock(), begin + page_size
        return service.ListModelPricesResponse(
            prices=[model_price(self._prices.find(name, now_us)) for name in names[begin:end]],
            next_page_token=page_token(request, end if end < len(names) else None),
            price_version=self._prices.version,
        )

    async def GetModelPrice(
        self, request: service.GetModelPriceRequest, caller: Caller
    ) -> service.GetModelPriceResponse:
        price = self._prices.find(read_requests.model_name(request), self._engine.clock())
        return service.GetModelPriceResponse(price=model_price(price), price_version=self._prices.version)

    async def _lineage(self, project_id: str, budget_id: str) -> list[BudgetStatus]:
        """A budget and its ancestors."""
        now_us = self._engine.clock()
        return [budget_status(each, now_us) for each in await self._engine.touched(project_id, budget_id)]

    async def _read(self, project_id: str, budget_id: str, view: int) -> pb.Budget:
        status = await self._engine.budget(project_id, budget_id, with_models=view >= pb.BUDGET_VIEW_FULL)
        return answers.budget(project_id, status, view)

    async def _add_budget(self, response: cost_pb.UpdateCostResponse, request: cost_pb.UpdateCostRequest) -> None:
        try:
            budget = await self._read(request.project_id, request.budget_id, request.view)
        except BudgetNotFound:
            return  # Deleted since the charge, which stands all the same.
        response.budget.CopyFrom(budget)

    async def _reset_budget(
        self, request: service.ResetCostRequest | service.ResetOnDurationRequest, outcome: Outcome[Any]
    ) -> pb.Budget:
        """The budget of an answer; its models, if asked for, are read after the commit."""
        if request.view >= pb.BUDGET_VIEW_FULL and outcome.budget is not None:
            try:
                return await self._read(request.project_id, request.budget_id, request.view)
            except BudgetNotFound:
                pass  # Deleted since; the outcome still tells how the command left it.
        return _as_left(request.project_id, request.budget_id, outcome, request.view)

    async def _limits_of(self, project_id: str, charges: Sequence[Charge]) -> list[pb.LimitStatus]:
        budgets = await self._engine.lineages(project_id, cost_requests.touched(charges))
        page = AnswerPage[pb.LimitStatus]()
        for message in answers.limit_statuses([status for budget in budgets for status in budget.limits]):
            if not page.add(message):
                break  # Limits have been added since they were measured.
        return page.messages

    async def _checked_limit_bytes(self, request: cost_pb.BatchUpdateCostRequest, charges: Sequence[Charge]) -> int:
        """What the limits of a batch's answer may come to; refused if they could be too much."""
        names = cost_requests.touched(charges)
        _check_room(request, sum(_LIMIT_BYTES + len(name.encode()) for name in names))
        templates = {charge.budget_id: charge.template_id for charge in charges if charge.template_id}
        found = await self._engine.lineages(request.project_id, [*names, *sorted(set(templates.values()) - {*names})])
        budgets = {budget.budget_id: budget for budget in found}
        statuses = [status for budget in found if not budget.is_template for status in budget.limits]
        for name in templates.keys() - budgets.keys():  # To be made by this batch, if there is such a template.
            if (template := budgets.get(templates[name])) is not None:
                statuses += [status._replace(budget_id=name) for status in template.limits]
        limit_bytes = sum(_limit_bytes(status) for status in answers.told(statuses))
        _check_room(request, limit_bytes)
        return limit_bytes


def _as_left(project_id: str, budget_id: str, outcome: Outcome[Any], view: int) -> pb.Budget:
    """The budget as a command left it; its name alone if a replay finds it deleted."""
    if outcome.budget is None:
        return pb.Budget(project_id=project_id, budget_id=budget_id)
    return answers.budget(project_id, outcome.budget, view)


def _results(
    charges: Sequence[Charge],
    outcomes: Sequence[Outcome[Charged] | Refusal],
    refusals: Mapping[int, Refusal],
    *,
    limit_bytes: int,
) -> Iterator[cost_pb.UpdateCostResult]:
    """A result for each item, in order.

    Beyond what an answer may hold, errors tell their code and reason alone, and unread fields are left out.
    """
    in_turn = zip(charges, outcomes, strict=True)
    items = len(charges) + len(refusals)
    answer_bytes = limit_bytes + items * _CHARGED_BYTES
    for index in range(items):
        refused = refusals.get(index)
        if refused is None:
            charge, outcome = next(in_turn)
            if isinstance(outcome, Outcome):
                answer_bytes += sum(_PATH_BYTES + len(path.encode()) for path in charge.unread_fields)
                charged = cost_pb.Charged(
                    entry_id=answers.entry_id(outcome.entry_seq),
                    cost_nano_usd=outcome.result.cost_nano_usd,
                    replayed=outcome.replayed,
                    unread_fields=charge.unread_fields if answer_bytes <= ANSWER_BYTES_MAX else (),
                )
                yield cost_pb.UpdateCostResult(charged=charged)
                continue
            refused = outcome
        error = item_error(refused)
        answer_bytes += error.ByteSize()
        if answer_bytes > ANSWER_BYTES_MAX:
            error = pb.ItemError(code=error.code, reason=error.reason)
        yield cost_pb.UpdateCostResult(error=error)


def _limit_bytes(status: LimitStatus) -> int:
    return _LIMIT_BYTES + sum(4 + len(each.encode()) for each in (status.budget_id, status.limit_id, *status.models))


def _check_room(request: cost_pb.BatchUpdateCostRequest, limit_bytes: int) -> None:
    if limit_bytes + len(request.requests) * _CHARGED_BYTES > ANSWER_BYTES_MAX:
        rule = f"must be false: the limits of so many budgets could pass {ANSWER_BYTES_MAX} bytes"
        raise InvalidField([FieldViolation("include_limits", rule)])
