"""The messages that measurements send, and the files from which load generators read them."""

import os
import struct
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb

PROJECT = "bench"
MODELS = ("gpt-4o-mini", "gpt-4o", "claude-sonnet-4-5")
COST_NANO_USD = 1_234_567
#: Input and output tokens of every charge.
USAGE = (1200, 340)
#: In scenarios that count granted holds, one of this many holds is granted.
HOLD_NANO_USD = 100_000_000
HOLDS_A_GRANT = 20

_FRAME = struct.Struct(">BI")


def budget_id(number: int) -> str:
    """Return the id of a budget, by its number from 0."""
    return f"user-{number:07d}"


def charge(number: int, model: str = MODELS[0], request_id: str = "") -> cost_pb.UpdateCostRequest:
    """Return a charge as a gateway sends it: the cost of the call, its model and its tokens."""
    return cost_pb.UpdateCostRequest(
        project_id=PROJECT,
        budget_id=budget_id(number),
        model=model,
        cost_nano_usd=COST_NANO_USD,
        usage=pb.Usage(input_tokens=USAGE[0], output_tokens=USAGE[1]),
        request_id=request_id,
    )


def batches(
    *, items: int, batch_items: int, budgets: int, seed: int, with_request_ids: bool = True
) -> list[cost_pb.BatchUpdateCostRequest]:
    """Yield batches of charges of random budgets. Their request ids sort by time."""
    random = Random(seed)
    requests = []
    for _ in range(items):
        request = charge(random.randrange(budgets), random.choice(MODELS), uuid7() if with_request_ids else "")
        request.ClearField("project_id")  # An item has the project of its batch.
        requests.append(request)
    return [
        cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=requests[first : first + batch_items])
        for first in range(0, items, batch_items)
    ]


def commit_of(answer: bytes) -> bytes:
    """Return the message that commits the hold of an answer to ReserveCost, with an ordinary charge."""
    reservation_id = reservation_pb.ReserveCostResponse.FromString(answer).reservation_id
    return reservation_pb.CommitReservationRequest(
        project_id=PROJECT,
        reservation_id=reservation_id,
        cost_nano_usd=COST_NANO_USD,
        usage=pb.Usage(input_tokens=USAGE[0], output_tokens=USAGE[1]),
        request_id=uuid7(),
    ).SerializeToString()


def uuid7() -> str:
    """Return a request id as recommended for clients: a UUIDv7."""
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def write_frames(path: Path, messages: Iterable[Message | bytes]) -> Path:
    """Write messages in gRPC's framing: h2load posts a file unchanged."""
    with path.open("wb") as file:
        for message in messages:
            body = message if isinstance(message, bytes) else message.SerializeToString()
            file.write(_FRAME.pack(0, len(body)) + body)
    return path


def read_frames(path: Path) -> Sequence[bytes]:
    """Read the bodies from a file of frames."""
    text, place, bodies = path.read_bytes(), 0, []
    while place < len(text):
        _, size = _FRAME.unpack_from(text, place)
        place += _FRAME.size
        bodies.append(text[place : place + size])
        place += size
    return bodies
