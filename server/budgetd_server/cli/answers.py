"""How the server's answers are printed for programs, and times in them for people."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb

#: The first view in which an answer tells a field of a budget; the fields that are not here are in every view.
FIRST_VIEW: Mapping[str, int] = {
    "limit_statuses": pb.BUDGET_VIEW_STATUS,
    "current_cost_nano_usd": pb.BUDGET_VIEW_STATUS,
    "lifetime_cost_nano_usd": pb.BUDGET_VIEW_STATUS,
    "model_costs": pb.BUDGET_VIEW_FULL,
}


def print_json(message: Message, *, view: int = pb.BUDGET_VIEW_STATUS, without: Collection[str] = ()) -> None:
    """Print a message on one line, as protobuf's JSON with the contract's field names.

    Fields of 64 bits are strings there, so that no reader rounds them. What is known to be zero or empty is present;
    what the answer does not tell is absent.

    Args:
        message: A budget, or an answer that may hold one as `budget`.
        view: How much of the budget the answer holds.
        without: Fields that this answer does not know although they are not unset.
    """
    told: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    budget = told if isinstance(message, pb.Budget) else told.get("budget", {})
    for name, first in FIRST_VIEW.items():
        if first > view:
            budget.pop(name, None)
    for name in without:
        told.pop(name, None)
    typer.echo(json.dumps(told))


def when_text(message: Message, field: str, *, unset: str) -> str:
    """A message's timestamp in UTC, to the second; `unset` if it is not there."""
    if not message.HasField(field):
        return unset
    at: datetime = getattr(message, field).ToDatetime()
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
