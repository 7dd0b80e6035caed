"""Request ids, which make it safe to repeat a request that changes something."""

import os
import time
from collections.abc import Sequence
from typing import Protocol, TypeVar, cast

from google.protobuf.message import Message

from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb

RequestT = TypeVar("RequestT", bound=Message)


def new_request_id() -> str:
    """Return a new UUIDv7 (RFC 9562). Such ids sort by time, which is cheapest for the server to store."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def with_request_ids(request: RequestT) -> RequestT:
    """Copy a request that changes something, and add missing request ids: in a batch, one for each item.

    The client does this for every call. If the caller does it first, the same batch can be sent again, hours later or
    from another process, if its outcome is unknown.

    Raises:
        TypeError: The message is not a request that changes something.
    """
    copy = type(request)()
    copy.CopyFrom(request)
    for part in _parts(copy):
        if not part.request_id:
            part.request_id = new_request_id()
    return copy


class _Named(Protocol):
    request_id: str


def _parts(request: Message) -> Sequence[_Named]:
    if isinstance(request, cost_pb.BatchUpdateCostRequest):
        return request.requests
    # In ListEntriesRequest the field is a filter.
    if isinstance(request, service.ListEntriesRequest) or not hasattr(request, "request_id"):
        raise TypeError(f"{type(request).__name__} changes nothing, so it takes no request id")
    return [cast(_Named, request)]
