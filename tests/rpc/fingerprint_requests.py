"""Requests of every RPC that takes a request id, with as many fields set as can stand together, and their digests."""

import asyncio
from collections.abc import Mapping
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.domain.pricing import Prices
from budgetd_server.rpc import budget_requests, cost_requests, reservation_requests
from budgetd_server.rpc.cost_requests import CostRequests
from budgetd_server.rpc.reservation_requests import ReservationRequests, check_commit
from budgetd_server.tokens import AsyncTokenCounter
from tests.rpc.running_server import NOW_US, PROJECT
from tests.rpc.valid_requests import DAY, HELD, HOUR, MODEL, NOW, USAGE, WHO

_LABELS = {"team": "blue"}
_LIMITS = [
    pb.Limit(
        amount=9,
        window=pb.Window(fixed=pb.FixedWindow(length=HOUR.length, anchor_time=NOW)),
        reset_mode=pb.RESET_MODE_AUTOMATIC,
    ),
    pb.Limit(
        limit_id="tokens",
        unit=pb.UNIT_TOKENS,
        amount=5,
        window=pb.Window(calendar=pb.CalendarWindow(unit=DAY.unit, count=1, time_zone="Europe/Berlin")),
        models=["gpt-4o"],
        action=pb.LIMIT_ACTION_WARN,
        alert_ratios=pb.AlertRatios(values=[0.5]),
    ),
    pb.Limit(
        limit_id="week",
        amount=5,
        window=pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_WEEK, first_weekday=pb.WEEKDAY_SUNDAY)),
    ),
]
_MOST: Any = {**WHO, "model": MODEL, "labels": _LABELS}
_SPENDERS: Any = {"additional_budget_ids": ["bob"], "template_budget_id": "template", "skip_missing_additional": True}
_CHAT = pb.Messages(messages=[pb.ChatMessage(role="user", content="hello")], max_output_tokens=5)
_TEXT = pb.Text(input="question", output="answer")

#: What each RPC is asked: as the released clients of version 0.1.0 ask, with no field that is newer.
REQUESTS: Mapping[str, list[Any]] = {
    "CreateBudget": [
        service.CreateBudgetRequest(
            budget=pb.Budget(
                project_id=PROJECT, budget_id="new", parent_budget_id="alice", limits=_LIMITS, labels=_LABELS
            )
        ),
        service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id="bare")),
    ],
    "UpdateBudget": [
        service.UpdateBudgetRequest(
            budget=pb.Budget(**WHO, limits=_LIMITS, labels=_LABELS, parent_budget_id="bob"),
            update_mask=FieldMask(paths=["limits", "labels", "parent_budget_id"]),
        ),
        service.UpdateBudgetRequest(budget=pb.Budget(**WHO), update_mask=FieldMask(paths=["limits"])),
    ],
    "DeleteBudget": [service.DeleteBudgetRequest(**WHO, force=True)],
    "UpdateCost": [
        cost_pb.UpdateCostRequest(
            **_MOST,
            **_SPENDERS,
            cost_nano_usd=5,
            usage=USAGE,
            event_time=NOW,
            admission=cost_pb.ADMISSION_REJECT_OVER_LIMIT,
        ),
        cost_pb.UpdateCostRequest(**_MOST, text=_TEXT),
        cost_pb.UpdateCostRequest(**WHO, cost_nano_usd=5),
    ],
    "AdjustCost": [
        cost_pb.AdjustCostRequest(**_MOST, amount_nano_usd=5, reason="a test"),
        cost_pb.AdjustCostRequest(**WHO, amount_nano_usd=5, reason="a test"),
    ],
    "ReserveCost": [
        reservation_pb.ReserveCostRequest(
            **_MOST,
            **_SPENDERS,
            amount_nano_usd=5,
            min_amount_nano_usd=2,
            mode=reservation_pb.RESERVE_MODE_UP_TO_AVAILABLE,
            usage=USAGE,
            ttl=HOUR.length,
            on_expiry=reservation_pb.ON_EXPIRY_COMMIT,
        ),
        reservation_pb.ReserveCostRequest(**_MOST, messages=_CHAT),
    ],
    "CommitReservation": [
        reservation_pb.CommitReservationRequest(
            **HELD, model=MODEL, labels=_LABELS, cost_nano_usd=5, usage=USAGE, keep_open=True
        ),
        reservation_pb.CommitReservationRequest(**HELD, model=MODEL, text=_TEXT),
    ],
    "ReleaseReservation": [reservation_pb.ReleaseReservationRequest(**HELD)],
    "ExtendReservation": [reservation_pb.ExtendReservationRequest(**HELD, ttl=HOUR.length)],
    "ResetCost": [service.ResetCostRequest(**WHO), service.ResetCostRequest(**WHO, limit_ids=[""])],
    "ResetOnDuration": [service.ResetOnDurationRequest(**WHO)],
    "ResetAllOnDuration": [service.ResetAllOnDurationRequest(project_id=PROJECT)],
}


_PARTS = pb.Usage(
    input_tokens=20, cached_input_tokens=9, cache_write_tokens=9, audio_input_tokens=9, image_input_tokens=9
)
#: Requests with fields that version 0.1.0 did not have at first, so that parts of other parts can be changed.
NEWER: Mapping[str, list[Any]] = {
    "UpdateCost": [cost_pb.UpdateCostRequest(**_MOST, cost_nano_usd=5, usage=_PARTS)],
    "ReserveCost": [reservation_pb.ReserveCostRequest(**_MOST, amount_nano_usd=5, usage=_PARTS)],
    "CommitReservation": [reservation_pb.CommitReservationRequest(**HELD, model=MODEL, cost_nano_usd=5, usage=_PARTS)],
}

#: One for all: each would read its vocabularies again.
_TOKENS = AsyncTokenCounter()


def digest(rpc: str, request: Any, prices: Prices) -> str:
    """The digest of a request, in hexadecimal digits."""
    return asyncio.run(_digest(rpc, request, prices)).hex()


async def _digest(rpc: str, request: Any, prices: Prices) -> bytes:
    costs = CostRequests(prices, _TOKENS)
    reservations = ReservationRequests(costs, prices)
    if rpc == "UpdateCost":
        return (await costs.charge(request, NOW_US)).request.fingerprint
    if rpc == "ReserveCost":
        return (await reservations.reserve(request, NOW_US)).request.fingerprint
    if rpc == "CommitReservation":
        seq = check_commit(request)
        return (await reservations.commit(request, seq, request.model, request.provider, NOW_US)).request.fingerprint
    if rpc == "AdjustCost":
        return cost_requests.parse_adjust(request, prices).request.fingerprint
    if rpc == "ResetAllOnDuration":
        return budget_requests.parse_reset_all(request).fingerprint
    decode: Any = {
        "CreateBudget": budget_requests.parse_create_budget,
        "UpdateBudget": budget_requests.parse_update_budget,
        "DeleteBudget": budget_requests.parse_delete_budget,
        "ResetCost": budget_requests.parse_reset_cost,
        "ResetOnDuration": budget_requests.parse_reset_on_duration,
        "ReleaseReservation": reservation_requests.parse_release,
        "ExtendReservation": reservation_requests.parse_extend,
    }[rpc]
    found: bytes = decode(request).request.fingerprint
    return found
