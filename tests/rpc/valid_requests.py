"""A valid request for each RPC, from which bad ones are made, and what a message in a request may be."""

from collections.abc import Callable, Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from tests.rpc.failures import Failure, failure
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, RunningServer

MODEL = "gpt-4o"
WHO: Any = {"project_id": PROJECT, "budget_id": "alice"}
NOW = Timestamp(seconds=NOW_US // SECOND_US)
USAGE = pb.Usage(input_tokens=10, output_tokens=10)
HOUR = pb.FixedWindow(length=Duration(seconds=3_600))
DAY = pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY)

#: The hold that the table's server has.
HOLD = "r2"
HELD: Any = {"project_id": PROJECT, "reservation_id": HOLD}

#: A request for each RPC that is valid as it is: project "project" has a budget "alice" and no other, and on
#: it the hold HOLD.
VALID: Mapping[str, Message] = {
    "CreateBudget": service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id="new")),
    "GetBudget": service.GetBudgetRequest(**WHO),
    "ListBudgets": service.ListBudgetsRequest(project_id=PROJECT),
    "UpdateBudget": service.UpdateBudgetRequest(
        budget=pb.Budget(**WHO), update_mask=FieldMask(paths=["limits", "labels", "parent_budget_id"])
    ),
    "DeleteBudget": service.DeleteBudgetRequest(**WHO, force=True),
    "UpdateCost": cost_pb.UpdateCostRequest(**WHO, model=MODEL, usage=USAGE),
    "BatchUpdateCost": cost_pb.BatchUpdateCostRequest(
        project_id=PROJECT, requests=[cost_pb.UpdateCostRequest(budget_id="alice", model=MODEL, usage=USAGE)]
    ),
    "AdjustCost": cost_pb.AdjustCostRequest(**WHO, amount_nano_usd=5, reason="a test"),
    "GetCurrentCost": cost_pb.GetCurrentCostRequest(**WHO),
    "GetModelCost": cost_pb.GetModelCostRequest(**WHO),
    "ProjectCost": cost_pb.ProjectCostRequest(**WHO, model=MODEL, usage=USAGE),
    "ReserveCost": reservation_pb.ReserveCostRequest(**WHO, model=MODEL, usage=USAGE),
    "CommitReservation": reservation_pb.CommitReservationRequest(**HELD, model=MODEL, usage=USAGE),
    "ReleaseReservation": reservation_pb.ReleaseReservationRequest(**HELD),
    "ExtendReservation": reservation_pb.ExtendReservationRequest(**HELD),
    "GetReservation": reservation_pb.GetReservationRequest(**HELD),
    "ListReservations": reservation_pb.ListReservationsRequest(project_id=PROJECT),
    "ResetCost": service.ResetCostRequest(**WHO),
    "ResetOnDuration": service.ResetOnDurationRequest(**WHO),
    "ResetAllOnDuration": service.ResetAllOnDurationRequest(project_id=PROJECT),
    "ListEntries": service.ListEntriesRequest(project_id=PROJECT),
    "ListModelPrices": service.ListModelPricesRequest(),
    "GetModelPrice": service.GetModelPriceRequest(model=MODEL),
}

#: What a message in a request is, unless the request above has it already.
PARTS: Mapping[str, Message] = {
    "Limit": pb.Limit(amount=1),
    "AlertRatios": pb.AlertRatios(values=[0.5]),
    "Window": pb.Window(fixed=HOUR),
    "FixedWindow": HOUR,
    "CalendarWindow": DAY,
    "Usage": USAGE,
    "Text": pb.Text(input="question", output="answer"),
    "Messages": pb.Messages(messages=[pb.ChatMessage(role="user", content="hello")]),
    "ChatMessage": pb.ChatMessage(role="user", content="hello"),
}


def _give_cost(request: Any) -> None:
    request.ClearField("usage")
    setattr(request, "amount_nano_usd" if request.DESCRIPTOR.name == "ReserveCostRequest" else "cost_nano_usd", 1)


_PRICED = ("UpdateCostRequest", "ProjectCostRequest", "ReserveCostRequest", "CommitReservationRequest")

#: What has to go before a field can be set, so that the field's own fault is the only one.
MAKES_ROOM: Mapping[str, Callable[[Any], object]] = {
    # No missing price may hide the terms of a call or the source of its cost.
    **{
        f"{request}.{name}": _give_cost for request in _PRICED for name in ("provider", "service_tier", "inference_geo")
    },
    **{f"{request}.cost_source": _give_cost for request in ("UpdateCostRequest", "CommitReservationRequest")},
    "UpdateCostRequest.text": lambda request: request.ClearField("usage"),
    "ProjectCostRequest.text": lambda request: request.ClearField("usage"),
    "ProjectCostRequest.messages": lambda request: request.ClearField("usage"),
    "ProjectCostRequest.cost_nano_usd": lambda request: request.ClearField("usage"),
    "ReserveCostRequest.messages": lambda request: request.ClearField("usage"),
    "ReserveCostRequest.min_amount_nano_usd": lambda request: setattr(
        request, "mode", reservation_pb.RESERVE_MODE_UP_TO_AVAILABLE
    ),
    "CommitReservationRequest.text": lambda request: request.ClearField("usage"),
    "Limit.models": lambda limit: setattr(limit, "limit_id", "named"),
}


def failure_of_changed(server: RunningServer, rpc: str, **changes: Any) -> Failure:
    """The failure of a valid request in which these fields were set."""
    request = type(VALID[rpc])()
    request.CopyFrom(VALID[rpc])
    for name, value in changes.items():
        setattr(request, name, value)
    return failure(lambda: server.call(rpc, request))
