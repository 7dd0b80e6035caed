"""Decodes messages about reservations into commands: checks, counts and prices them."""

from collections.abc import Mapping, Sequence

from budgetd.v1 import reservation_pb2 as pb
from budgetd_server.domain.bounds import COST_NANO_USD_MAX, TTL_DEFAULT_US, TTL_US_MAX, TTL_US_MIN
from budgetd_server.domain.commands import CommitReservation, ExtendReservation, ReleaseReservation, ReserveCost
from budgetd_server.domain.cost import Rounding
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.pricing import Prices
from budgetd_server.domain.queries import ReservationQuery
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.usage import CallTerms, Usage
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.cost_checks import check_messages, check_not_too_dear, check_text, parse_usage, sent_usage
from budgetd_server.rpc.cost_requests import CostRequests
from budgetd_server.rpc.entry_ids import parse_reservation_id
from budgetd_server.rpc.page_tokens import parse_position
from budgetd_server.rpc.pricing_terms import parse_call_terms, parse_origin, sent_terms
from budgetd_server.rpc.read_requests import parse_page_size
from budgetd_server.rpc.request_ids import request_of
from budgetd_server.rpc.spenders import parse_spenders

_MODES: Mapping[int, str] = {
    pb.RESERVE_MODE_ALL_OR_NOTHING: "ALL_OR_NOTHING",
    pb.RESERVE_MODE_UP_TO_AVAILABLE: "UP_TO_AVAILABLE",
}
_ON_EXPIRY = {int(each): each for each in OnExpiry}
_STATES = {int(state): state for state in ReservationState}


class ReservationRequests:
    """Decodes requests that make and settle reservations.

    Args:
        costs: Counts texts and chats.
        prices: What tokens cost.
    """

    def __init__(self, costs: CostRequests, prices: Prices) -> None:
        self._costs = costs
        self._prices = prices

    async def reserve(self, request: pb.ReserveCostRequest, now_us: int) -> ReserveCost:
        """Decode a ReserveCostRequest.

        A request that cannot be priced carries the refusal, since its request id is looked up first.

        Raises:
            InvalidField: The request breaks a rule.
        """
        checks = Checks()
        checks.id("project_id", request.project_id)
        checks.id("budget_id", request.budget_id)
        checks.request_id("request_id", request.request_id)
        stated = request.amount_nano_usd if request.HasField("amount_nano_usd") else None
        usage, requests = parse_usage(checks, request)
        self._check_source(checks, request, stated)
        ttl_us = parse_ttl(checks, request)
        checks.known("mode", request.mode, _MODES)
        on_expiry = _ON_EXPIRY.get(checks.known("on_expiry", request.on_expiry, _ON_EXPIRY), OnExpiry.RELEASE)
        labels = checks.labels("labels", request.labels) if request.labels else None
        others = parse_spenders(checks, request)
        least_nano_usd = _parse_least(checks, request, stated)
        terms = parse_call_terms(checks, request)
        checks.done()
        chat = [(each.role, each.content) for each in request.messages.messages]
        sent: list[object] = [request.project_id, request.budget_id, request.model, stated]
        sent += [sent_usage(usage, requests), ttl_us, on_expiry.value]
        sent += [least_nano_usd, sorted(labels.items()) if labels else None, *others.sent]
        if request.HasField("messages"):
            sent += [chat, request.messages.max_output_tokens]
        sent += sent_terms(terms)
        refusal: Refusal | None = None
        amount_nano_usd = stated or 0
        if stated is None:
            try:
                amount_nano_usd, usage = await self._priced(request, usage, requests, terms, now_us)
            except Refusal as error:
                refusal = error
        return ReserveCost(
            project_id=request.project_id,
            budget_id=request.budget_id,
            request=request_of(request.request_id, "reserve", *sent),
            amount_nano_usd=amount_nano_usd,
            usage=usage,
            model=request.model,
            other_names=self._prices.other_names(request.model, request.provider) if request.model else (),
            ttl_us=ttl_us,
            on_expiry=on_expiry,
            least_nano_usd=least_nano_usd,
            labels=labels,
            additional_ids=others.additional_ids,
            skips_missing=others.skips_missing,
            template_id=others.template_id,
            terms=terms,
            refusal=refusal,
        )

    async def commit(
        self, request: pb.CommitReservationRequest, seq: int, model: str, provider: str, now_us: int
    ) -> CommitReservation:
        """Price a checked CommitReservationRequest.

        Args:
            request: One that `check_commit` has passed.
            seq: The number of its reservation.
            model: The model that did the work, for its price.
            provider: Who served it; empty if the caller did not say.
            now_us: The time, for the price in force.
        """
        stated = request.cost_nano_usd if request.HasField("cost_nano_usd") else None
        usage, requests = parse_usage(Checks(), request)
        labels = dict(request.labels) or None
        sent: list[object] = [request.project_id, seq, request.model, stated, sent_usage(usage, requests)]
        sent += [sorted(labels.items()) if labels else None, request.keep_open]
        if request.HasField("text"):
            sent += [request.text.input, request.text.output]
        terms, origin = parse_call_terms(Checks(), request), parse_origin(Checks(), request)
        sent += sent_terms(terms, origin)
        cost_nano_usd, price_version, refusal = stated or 0, "", None
        try:
            if request.HasField("text"):
                usage = await self._costs.counted_text(model, request.text)
            if stated is None:
                assert usage is not None, "check_commit requires a cost, a usage or a text"
                served = terms if provider == terms.provider else terms._replace(provider=provider)
                priced = self._prices.price(model, usage, at_us=now_us, terms=served, requests=requests)
                check_not_too_dear("text" if request.HasField("text") else "usage", priced.cost_nano_usd)
                cost_nano_usd, price_version = priced.cost_nano_usd, priced.price_version
        except Refusal as error:
            refusal = error
        return CommitReservation(
            project_id=request.project_id,
            reservation_seq=seq,
            request=request_of(request.request_id, "commit", *sent),
            cost_nano_usd=cost_nano_usd,
            usage=usage,
            model=request.model,
            other_names=self._prices.other_names(request.model, request.provider) if request.model else (),
            price_version=price_version,
            labels=labels,
            cost_source=origin.source,
            terms=terms,
            unread_fields=origin.unread_fields,
            usage_dialect=origin.dialect,
            keeps_open=request.keep_open,
            refusal=refusal,
        )

    def _check_source(self, checks: Checks, request: pb.ReserveCostRequest, stated: int | None) -> None:
        """Check that an amount, a usage or messages are given, and what each of them requires."""
        if stated is None:
            checks.id("model", request.model)
            if not request.HasField("usage") and not request.HasField("messages"):
                checks.refuse("amount_nano_usd", "one of amount_nano_usd, usage and messages must be set", None)
        else:
            checks.number("amount_nano_usd", stated, least=0, most=COST_NANO_USD_MAX)
            checks.optional_id("model", request.model)
        if request.HasField("messages"):
            check_messages(checks, request.messages)
            if stated is not None or request.HasField("usage"):
                checks.refuse("messages", "must be unset if amount_nano_usd or usage is set", "both")

    async def _priced(
        self,
        request: pb.ReserveCostRequest,
        usage: Usage | None,
        requests: Sequence[Usage],
        terms: CallTerms,
        now_us: int,
    ) -> tuple[int, Usage]:
        """Price the tokens of a hold. Returns nano-USD, rounded up, and the tokens."""
        field = "usage"
        if usage is None:
            field = "messages"
            usage, _ = await self._costs.projected_usage(request)
        priced = self._prices.price(
            request.model, usage, at_us=now_us, terms=terms, rounding=Rounding.UP, requests=requests
        )
        check_not_too_dear(field, priced.cost_nano_usd)
        return priced.cost_nano_usd, usage


def check_commit(request: pb.CommitReservationRequest) -> int:
    """Check a CommitReservationRequest; returns the number of its reservation.

    Raises:
        InvalidField: It breaks a rule.
    """
    checks = Checks()
    checks.id("project_id", request.project_id)
    seq = parse_reservation_id(checks, "reservation_id", request.reservation_id)
    checks.request_id("request_id", request.request_id)
    checks.optional_id("model", request.model)
    checks.labels("labels", request.labels)
    has_usage, has_text = request.HasField("usage"), request.HasField("text")
    if request.HasField("cost_nano_usd"):
        checks.number("cost_nano_usd", request.cost_nano_usd, least=0, most=COST_NANO_USD_MAX)
    elif not has_usage and not has_text:
        checks.refuse("cost_nano_usd", "one of cost_nano_usd, usage and text must be set", None)
    parse_usage(checks, request)
    if has_text:
        check_text(checks, request.text, beside_usage=has_usage)
    parse_call_terms(checks, request)
    parse_origin(checks, request)
    checks.done()
    assert seq is not None, "it was checked"
    return seq


def parse_release(request: pb.ReleaseReservationRequest) -> ReleaseReservation:
    """Decode and check a ReleaseReservationRequest."""
    checks, seq = _named(request)
    checks.done()
    return ReleaseReservation(
        project_id=request.project_id,
        reservation_seq=seq,
        request=request_of(request.request_id, "release", request.project_id, seq),
    )


def parse_extend(request: pb.ExtendReservationRequest) -> ExtendReservation:
    """Decode and check an ExtendReservationRequest."""
    checks, seq = _named(request)
    ttl_us = parse_ttl(checks, request)
    checks.done()
    return ExtendReservation(
        project_id=request.project_id,
        reservation_seq=seq,
        request=request_of(request.request_id, "extend", request.project_id, seq, ttl_us),
        ttl_us=ttl_us,
    )


def parse_get(request: pb.GetReservationRequest) -> int:
    """Check a GetReservationRequest; returns the number of its reservation."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    seq = parse_reservation_id(checks, "reservation_id", request.reservation_id)
    checks.done()
    assert seq is not None, "it was checked"
    return seq


def parse_query(request: pb.ListReservationsRequest, now_us: int) -> ReservationQuery:
    """Decode and check a ListReservationsRequest, which asks for reservations as of now."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    checks.optional_id("budget_id", request.budget_id)
    state = checks.known("state", request.state, _STATES)
    page_size = parse_page_size(checks, request.page_size)
    from_seq = parse_position(checks, request.page_token, request)
    checks.done()
    return ReservationQuery(
        project_id=request.project_id,
        budget_id=request.budget_id,
        state=_STATES.get(state),
        now_us=now_us,
        from_seq=from_seq,
        page_size=page_size,
    )


def parse_ttl(checks: Checks, request: pb.ReserveCostRequest | pb.ExtendReservationRequest) -> int:
    """Decode and check how long a hold is kept. Returns microseconds."""
    if not request.HasField("ttl"):
        return TTL_DEFAULT_US
    ttl_us = checks.length_us("ttl", request.ttl)
    if ttl_us is not None and not TTL_US_MIN <= ttl_us <= TTL_US_MAX:
        checks.refuse("ttl", "must be from 1 second to 24 hours", f"{ttl_us / 1_000_000:g} s")
    return ttl_us or TTL_DEFAULT_US


def _named(request: pb.ReleaseReservationRequest | pb.ExtendReservationRequest) -> tuple[Checks, int]:
    """Check the reservation that a request names. Its number is valid only once `checks.done` has passed."""
    checks = Checks()
    checks.id("project_id", request.project_id)
    seq = parse_reservation_id(checks, "reservation_id", request.reservation_id)
    checks.request_id("request_id", request.request_id)
    return checks, seq or 0


def _parse_least(checks: Checks, request: pb.ReserveCostRequest, stated: int | None) -> int | None:
    """Decode and check the smallest acceptable amount in nano-USD. Returns None if only the full amount will do."""
    least, is_partial = request.min_amount_nano_usd, request.mode == pb.RESERVE_MODE_UP_TO_AVAILABLE
    if not is_partial:
        if least:
            checks.refuse("min_amount_nano_usd", "must be unset unless the mode is UP_TO_AVAILABLE", least)
        return None
    checks.number("min_amount_nano_usd", least, least=0, most=COST_NANO_USD_MAX)
    if stated is not None and least > stated:
        checks.refuse("min_amount_nano_usd", f"must be at most amount_nano_usd {stated}", least)
    return max(least, 1)
