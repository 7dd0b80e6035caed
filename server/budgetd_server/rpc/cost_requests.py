"""Decodes messages that carry costs into commands: checks, counts and prices them."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.bounds import (
    BATCH_ITEMS_MAX,
    BATCH_USAGE_REQUESTS_MAX,
    COST_NANO_USD_MAX,
    REASON_CHARACTERS_MAX,
)
from budgetd_server.domain.commands import AdjustCost, Charge
from budgetd_server.domain.cost import Rounding
from budgetd_server.domain.errors import InvalidField, Refusal
from budgetd_server.domain.pricing import Prices
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Usage
from budgetd_server.rpc.budget_requests import check_view
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.cost_checks import check_messages, check_not_too_dear, check_text, parse_usage, sent_usage
from budgetd_server.rpc.entry_ids import parse_entry_id
from budgetd_server.rpc.pricing_terms import parse_call_terms, parse_origin, sent_terms
from budgetd_server.rpc.request_ids import request_of
from budgetd_server.rpc.spenders import NOBODY_ELSE, parse_additional_ids, parse_spenders
from budgetd_server.tokens import AsyncTokenCounter

#: Items of a batch that are decoded before the event loop runs other calls: some milliseconds.
ITEMS_AT_A_TIME = 100


_ADMISSIONS: Mapping[int, str] = {
    cost_pb.ADMISSION_ALWAYS: "ALWAYS",
    cost_pb.ADMISSION_REJECT_OVER_LIMIT: "REJECT_OVER_LIMIT",
}


class Projection(NamedTuple):
    """What a call would cost, and the additional budgets that it would be charged to."""

    additional_ids: tuple[str, ...]
    other_names: tuple[str, ...]
    cost_nano_usd: int
    #: None if the caller gave the cost itself.
    usage: Usage | None
    is_estimated: bool


class CostRequests:
    """Decodes requests that carry costs.

    Args:
        prices: What tokens cost.
        tokens: Counts texts.
    """

    def __init__(self, prices: Prices, tokens: AsyncTokenCounter) -> None:
        self._prices = prices
        self._tokens = tokens

    async def charge(self, request: cost_pb.UpdateCostRequest, now_us: int) -> Charge:
        """Decode an UpdateCostRequest.

        A charge that cannot be priced carries the refusal, since its request id is looked up first.

        Raises:
            InvalidField: The request breaks a rule.
        """
        checks = Checks()
        check_view(checks, request.view)
        charge = self._checked_charge(checks, request, request.project_id, now_us)
        if request.HasField("text") and charge.usage is None and charge.refusal is None:
            return await self._counted(charge, request, now_us)
        return charge

    async def batch(
        self, request: cost_pb.BatchUpdateCostRequest, now_us: int
    ) -> tuple[list[Charge], dict[int, Refusal]]:
        """Decode a BatchUpdateCostRequest into the charges to carry out and the refusals of other items by index."""
        checks = Checks()
        checks.id("project_id", request.project_id)
        if not 1 <= len(request.requests) <= BATCH_ITEMS_MAX:
            checks.refuse("requests", f"must be 1 to {BATCH_ITEMS_MAX} items", len(request.requests))
        requests_counts = [len(item.usage.requests) if item.HasField("usage") else 0 for item in request.requests]
        if (summed := sum(requests_counts)) > BATCH_USAGE_REQUESTS_MAX:
            rule = f"must have at most {BATCH_USAGE_REQUESTS_MAX} usage.requests in all items together"
            checks.refuse("requests", rule, summed)
        checks.done()
        charges: list[Charge] = []
        refusals: dict[int, Refusal] = {}
        at_a_time = 0
        for index, (item, requests_count) in enumerate(zip(request.requests, requests_counts, strict=True)):
            at_a_time += 1 + requests_count
            if at_a_time >= ITEMS_AT_A_TIME:
                at_a_time = 0
                await asyncio.sleep(0)
            try:
                charges.append(await self._item(item, request.project_id, now_us))
            except Refusal as refusal:
                refusals[index] = refusal
        return charges, refusals

    async def projection(self, request: cost_pb.ProjectCostRequest, now_us: int) -> Projection:
        """Decode a ProjectCostRequest and price it, rounded up."""
        checks = Checks()
        checks.id("project_id", request.project_id)
        checks.id("budget_id", request.budget_id)
        stated = request.HasField("cost_nano_usd")
        sources = [name for name in ("usage", "text", "messages") if request.HasField(name)]
        if stated + len(sources) != 1:
            given = ["cost_nano_usd"] * stated + sources
            rule = "exactly one of cost_nano_usd, usage, text and messages must be set"
            checks.refuse("cost_nano_usd", rule, " and ".join(given) or None)
        if stated:
            checks.number("cost_nano_usd", request.cost_nano_usd, least=0, most=COST_NANO_USD_MAX)
            checks.optional_id("model", request.model)
        else:
            checks.id("model", request.model)
        usage, requests = parse_usage(checks, request)
        if request.HasField("text"):
            check_text(checks, request.text)
        if request.HasField("messages"):
            check_messages(checks, request.messages)
        additional_ids = parse_additional_ids(checks, request)
        terms = parse_call_terms(checks, request)
        checks.done()
        other_names = self._prices.other_names(request.model, terms.provider) if request.model else ()
        if stated:
            return Projection(additional_ids, other_names, request.cost_nano_usd, None, is_estimated=False)
        is_exact = True
        if usage is None:
            usage, is_exact = await self.projected_usage(request)
        priced = self._prices.price(
            request.model, usage, at_us=now_us, terms=terms, rounding=Rounding.UP, requests=requests
        )
        check_not_too_dear(sources[0], priced.cost_nano_usd)
        return Projection(additional_ids, other_names, priced.cost_nano_usd, usage, is_estimated=not is_exact)

    async def _item(self, item: cost_pb.UpdateCostRequest, project_id: str, now_us: int) -> Charge:
        checks = Checks()
        if item.project_id and item.project_id != project_id:
            checks.refuse("project_id", "must be empty or the batch's", item.project_id)
        if item.view:
            checks.refuse("view", "must be unset in an item of a batch", item.view)
        charge = self._checked_charge(checks, item, project_id, now_us, wants_limits=False)
        if item.HasField("text") and charge.usage is None and charge.refusal is None:
            return await self._counted(charge, item, now_us)
        return charge

    def _checked_charge(
        self,
        checks: Checks,
        request: cost_pb.UpdateCostRequest,
        project_id: str,
        now_us: int,
        *,
        wants_limits: bool = True,
    ) -> Charge:
        """Decode a charge, and price it unless its text must be counted first. Runs for every charge: keep it fast."""
        budget_id, model = request.budget_id, request.model
        checks.id("project_id", project_id)
        checks.id("budget_id", budget_id)
        checks.request_id("request_id", request.request_id)
        stated = request.cost_nano_usd if request.HasField("cost_nano_usd") else None
        usage, requests = parse_usage(checks, request)
        has_text = request.HasField("text")
        if stated is not None:
            checks.number("cost_nano_usd", stated, least=0, most=COST_NANO_USD_MAX)
        elif usage is None and not has_text:
            checks.refuse("cost_nano_usd", "one of cost_nano_usd, usage and text must be set", None)
        is_priced = stated is None and (usage is not None or has_text)
        (checks.id if is_priced else checks.optional_id)("model", model)
        if has_text:
            check_text(checks, request.text, beside_usage=usage is not None)
        labels = checks.labels("labels", request.labels) if request.labels else None
        others, admission = NOBODY_ELSE, request.admission
        if request.additional_budget_ids or request.template_budget_id or request.skip_missing_additional or admission:
            others = parse_spenders(checks, request)
            checks.known("admission", admission, _ADMISSIONS)
        event_at_us = None
        if request.HasField("event_time"):
            event_at_us = checks.event_time_us("event_time", request.event_time, now_us=now_us)
        terms, origin = parse_call_terms(checks, request), parse_origin(checks, request)
        if checks.violations:
            raise InvalidField(checks.violations)
        text = (request.text.input, request.text.output) if has_text else None
        sent_labels = sorted(labels.items()) if labels else None
        sent = (project_id, budget_id, model, stated, sent_usage(usage, requests), sent_labels, event_at_us, text)
        if admission or others is not NOBODY_ELSE:
            sent = (*sent, admission, *others.sent)  # type: ignore[assignment]
        if terms is not STANDARD_TERMS or origin.sent or request.is_history:
            history = ("is_history",) if request.is_history else ()
            sent = (*sent, *sent_terms(terms, origin), *history)
        cost_nano_usd, price_version, refusal = stated or 0, "", None
        if stated is None and usage is not None:
            at_us = event_at_us or now_us
            cost_nano_usd, price_version, refusal = self._price(model, usage, at_us, terms, "usage", requests)
        return Charge(
            project_id,
            budget_id,
            request_of(request.request_id, *sent),
            cost_nano_usd,
            model,
            usage,
            labels,
            event_at_us,
            price_version,
            wants_limits,
            refusal,
            self._prices.other_names(model, terms.provider) if model else (),
            *others[:2],
            others.template_id,
            admission == cost_pb.ADMISSION_REJECT_OVER_LIMIT,
            origin.source,
            terms,
            origin.unread_fields,
            request.is_history,
            origin.dialect,
        )

    async def _counted(self, charge: Charge, request: cost_pb.UpdateCostRequest, now_us: int) -> Charge:
        """Count the texts of a charge, and price it by them unless the caller gave the cost."""
        try:
            usage = await self.counted_text(charge.model, request.text)
        except Refusal as refusal:
            return charge._replace(refusal=refusal)
        if request.HasField("cost_nano_usd"):
            return charge._replace(usage=usage)
        cost_nano_usd, price_version, unpriced = self._price(
            charge.model, usage, charge.event_at_us or now_us, charge.terms, "text"
        )
        if unpriced is not None:
            return charge._replace(refusal=unpriced)
        return charge._replace(cost_nano_usd=cost_nano_usd, usage=usage, price_version=price_version)

    async def counted_text(self, model: str, text: pb.Text) -> Usage:
        """Count the tokens of a call's texts."""
        sent = await self._tokens.count_chat_text(model, text.input, field="text.input")
        returned = await self._tokens.count_chat_text(model, text.output, field="text.output")
        return Usage(sent.tokens, returned.tokens)

    def _price(
        self, model: str, usage: Usage, at_us: int, terms: CallTerms, field: str, requests: Sequence[Usage] = ()
    ) -> tuple[int, str, Refusal | None]:
        """Return the cost in nano-USD and the price version, or 0, an empty version and the refusal."""
        try:
            priced = self._prices.price(model, usage, at_us=at_us, terms=terms, requests=requests)
            check_not_too_dear(field, priced.cost_nano_usd)
        except Refusal as refusal:
            return 0, "", refusal
        return priced.cost_nano_usd, priced.price_version, None

    async def projected_usage(
        self, request: cost_pb.ProjectCostRequest | reservation_pb.ReserveCostRequest
    ) -> tuple[Usage, bool]:
        """Count the tokens of a call's texts or messages. Also returns whether by the model's own tokenizer."""
        model = request.model
        if isinstance(request, cost_pb.ProjectCostRequest) and request.HasField("text"):
            sent = await self._tokens.count_chat_text(model, request.text.input, field="text.input")
            returned = await self._tokens.count_chat_text(model, request.text.output, field="text.output")
            return Usage(sent.tokens, returned.tokens), sent.is_exact and returned.is_exact
        chat = request.messages
        contents = [message.content for message in chat.messages]
        if not chat.max_output_tokens:
            counted = await self._tokens.count_contents(model, contents, field="messages.messages")
            return Usage(counted.tokens), counted.is_exact
        pairs = [(message.role, message.content) for message in chat.messages]
        counted = await self._tokens.count_messages(model, pairs, field="messages.messages")
        return Usage(counted.tokens, chat.max_output_tokens), counted.is_exact


def parse_adjust(request: cost_pb.AdjustCostRequest, prices: Prices) -> AdjustCost:
    """Decode and check an AdjustCostRequest."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.id("budget_id", request.budget_id)
    amount = request.amount_nano_usd
    if amount == 0 or abs(amount) > COST_NANO_USD_MAX:
        checks.refuse(
            "amount_nano_usd",
            f"must be from -{COST_NANO_USD_MAX} to {COST_NANO_USD_MAX} nano-USD and not 0",
            amount,
        )
    checks.optional_id("model", request.model)
    checks.text("reason", request.reason, characters_max=REASON_CHARACTERS_MAX)
    labels = checks.labels("labels", request.labels)
    seq = parse_entry_id(checks, "entry_id", request.entry_id) if request.entry_id else None
    checks.request_id("request_id", request.request_id)
    checks.done()
    fields = (request.project_id, request.budget_id, amount, request.model, request.reason, sorted(labels.items()), seq)
    return AdjustCost(
        project_id=request.project_id,
        budget_id=request.budget_id,
        request=request_of(request.request_id, "adjust", *fields),
        amount_nano_usd=amount,
        reason=request.reason,
        model=request.model,
        other_names=prices.other_names(request.model) if request.model else (),
        labels=labels or None,
        entry_seq=seq,
    )


def touched(charges: Sequence[Charge]) -> list[str]:
    """Return the ids of the budgets that some charges name, each once, in order."""
    return list(dict.fromkeys(each for charge in charges for each in (charge.budget_id, *charge.additional_ids)))
