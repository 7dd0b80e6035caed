"""Formats the server's answers as JSON for programs, and their times for people."""

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import typer
from google.protobuf import json_format
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb

#: The first view that includes a field of a budget; fields that are not listed are in every view.
FIRST_VIEW: Mapping[str, int] = {
    "limit_statuses": pb.BUDGET_VIEW_STATUS,
    "current_cost_nano_usd": pb.BUDGET_VIEW_STATUS,
    "lifetime_cost_nano_usd": pb.BUDGET_VIEW_STATUS,
    "model_costs": pb.BUDGET_VIEW_FULL,
}


def print_json(message: Message, *, view: int = pb.BUDGET_VIEW_STATUS, without: Collection[str] = ()) -> None:
    """Print a message on one line, as protobuf's JSON with the contract's field names.

    64-bit fields are strings, so that no reader rounds them. Fields known to be zero or empty are present; fields that
    the answer does not include are absent.

    Args:
        message: A budget, or an answer that may hold one as `budget`.
        view: The view of the budget in the answer.
        without: Fields to leave out because this answer does not include them.
    """
    content: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    budget = content if isinstance(message, pb.Budget) else content.get("budget", {})
    for name, first in FIRST_VIEW.items():
        if first > view:
            budget.pop(name, None)
    for name in without:
        content.pop(name, None)
    typer.echo(json.dumps(content))


def when_text(message: Message, field: str, *, unset: str) -> str:
    """Format a message's timestamp in UTC, to the second. Returns `unset` if it has none."""
    if not message.HasField(field):
        return unset
    at: datetime = getattr(message, field).ToDatetime()
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
