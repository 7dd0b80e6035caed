"""Request ids: the same id with anything else asked is refused, whatever field it is, and old digests stay."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.usage import Parts, Usage
from budgetd_server.rpc.cost_checks import sent_usage
from tests.rpc.conftest import Start
from tests.rpc.failures import failure_of
from tests.rpc.fingerprint_requests import NEWER, REQUESTS, digest
from tests.rpc.running_server import RunningServer, Setup, shipped_prices
from tests.rpc.valid_requests import HOLD, HOUR, PARTS

#: By RPC and number of its request above: digests that version 0.1.0 made before usage had parts and calls had terms.
RELEASED: Mapping[str, str] = json.loads((Path(__file__).parent / "released_fingerprints.json").read_text("utf-8"))

#: Fields that may differ under the same request id, and why.
FREE: Mapping[str, str] = {
    "request_id": "it is the id itself",
    "project_id": "an id is one of its project: in another project it is another id",
    "view": "it changes the answer, and nothing that is recorded",
    "unread_fields": "another version of a client may read more or less of the same answer",
    **{
        f"budget.{name}": "output only: refused when set, or passed over"
        for name in (
            "project_id",
            "create_time",
            "update_time",
            "delete_time",
            "lifetime_cost_nano_usd",
            "limit_statuses",
            "model_costs",
            "current_cost_nano_usd",
        )
    },
}
FREE_OF_ONE: Mapping[tuple[str, str], str] = {
    ("CreateBudget", "budget.etag"): "output only: refused when set",
    ("UpdateBudget", "budget.is_template"): "no path of the mask names it: it is passed over",
}
METHODS = {
    method.name: method.input_type
    for method in service.DESCRIPTOR.services_by_name["BudgetService"].methods
    if "request_id" in method.input_type.fields_by_name and not method.name.startswith("List")
}


def is_free(rpc: str, path: str) -> bool:
    return path in FREE or (rpc, path) in FREE_OF_ONE


def paths_of(rpc: str, descriptor: Any, prefix: str = "", above: tuple[Any, ...] = ()) -> Iterator[str]:
    """Every field of a request, and of the messages in it, that a request id has to stand for.

    A field for messages of a kind that it is itself in stands for all that is in them, since they may hold it again.
    """
    above = (*above, descriptor)
    for field in descriptor.fields:
        path = f"{prefix}{field.name}"
        if is_free(rpc, path):
            continue
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if field.message_type is None or is_map or not field.message_type.fields or field.message_type in above:
            yield path
        else:
            yield from paths_of(rpc, field.message_type, f"{path}.", above)


def changes(rpc: str, message: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The path of a field, and the message with that field alone changed; several for a field that has rules."""
    for field in message.DESCRIPTOR.fields:
        path = f"{prefix}{field.name}"
        if is_free(rpc, path):
            continue
        if field.message_type == message.DESCRIPTOR:
            changed = _copy(message)
            changed.ClearField(field.name)
            getattr(changed, field.name).append(_copy(changed))
            yield path, changed
            continue
        if field.message_type is not None and not field.message_type.GetOptions().map_entry:
            yield from _changes_within(rpc, message, field, path)
            continue
        for other in _other_values(message, field):
            changed = _copy(message)
            if field.message_type is not None:
                getattr(changed, field.name)["another"] = "value"
            elif field.is_repeated:
                getattr(changed, field.name).append(other)
            else:
                setattr(changed, field.name, other)
            yield path, changed


def _changes_within(rpc: str, message: Any, field: Any, path: str) -> Iterator[tuple[str, Any]]:
    parts = getattr(message, field.name) if field.is_repeated else [getattr(message, field.name)]
    for index, part in enumerate(parts):
        if not field.message_type.fields:
            changed = _copy(message)
            getattr(changed, field.name).SetInParent()
            yield path, changed
        is_missing = not field.is_repeated and not message.HasField(field.name)
        whole = PARTS.get(field.message_type.name, part) if is_missing else part
        for inner, changed_part in changes(rpc, whole, f"{path}."):
            changed = _copy(message)
            target = getattr(changed, field.name)
            (target[index] if field.is_repeated else target).CopyFrom(changed_part)
            yield inner, changed


def _other_values(message: Any, field: Any) -> list[Any]:
    if field.message_type is not None:
        return [None]
    value: Any = None if field.is_repeated else getattr(message, field.name)
    if field.enum_type is not None:
        # The first of them is what unset means.
        return [number for number in field.enum_type.values_by_number if number not in (0, value or 1)]
    if field.type == FieldDescriptor.TYPE_STRING:
        if field.name == "paths":
            return [path for path in ("limits", "labels", "parent_budget_id") if path not in message.paths]
        texts = {"reservation_id": "r3", "entry_id": "e1"}
        return [texts.get(field.name, f"{value or ''}x"), "UTC"]
    if field.type == FieldDescriptor.TYPE_BOOL:
        return [not value]
    if field.is_repeated:
        return [0.75]
    if field.name == "nanos":
        return [value + 1_000]  # Times are kept in microseconds.
    return [value + 1, value - 1, value + 1_000_000]


def _copy(message: Any) -> Any:
    copied = type(message)()
    copied.CopyFrom(message)
    return copied


@pytest.fixture
def prepared(start: Start) -> RunningServer:
    """A server with all that the requests name."""
    server = start(Setup())
    server.create("alice", pb.Limit(amount=10**9, window=pb.Window(fixed=HOUR)))
    assert server.reserve(1).reservation_id == HOLD
    server.create("bob")
    server.create("template", is_template=True)
    return server


def is_passed_over(request: Any, path: str) -> bool:
    """True for what the mask of an update leaves out."""
    if not isinstance(request, service.UpdateBudgetRequest):
        return False
    return path.startswith("budget.") and path.split(".")[1] not in (*request.update_mask.paths, "budget_id", "etag")


CASES = [
    pytest.param(rpc, index, id=f"{rpc}-{index}")
    for rpc, requests in REQUESTS.items()
    for index in range(len(requests))
]


def outcome_of(server: RunningServer, rpc: str, request: Message) -> str:
    try:
        server.call(rpc, request)
    except grpc.RpcError as error:
        return failure_of(error).reason
    return "carried out or replayed"


@pytest.mark.parametrize(("rpc", "index"), CASES)
def test_a_request_id_with_any_field_changed_is_refused(prepared: RunningServer, rpc: str, index: int) -> None:
    request = REQUESTS[rpc][index]
    request = _copy(request)
    request.request_id = "once"
    prepared.call(rpc, request)

    forgotten = [
        path
        for path, changed in changes(rpc, request)
        if not is_passed_over(request, path) and outcome_of(prepared, rpc, changed) == "carried out or replayed"
    ]

    assert forgotten == []
    assert outcome_of(prepared, rpc, request) == "carried out or replayed", "the same request is answered again"


@pytest.mark.parametrize("rpc", METHODS)
def test_every_field_of_a_request_is_changed_by_one_of_the_requests_above(prepared: RunningServer, rpc: str) -> None:
    requests = [*REQUESTS[rpc], *NEWER.get(rpc, [])]
    original = {digest(rpc, request, shipped_prices()) for request in requests}
    given: set[str] = set()
    for request in requests:
        for path, changed in changes(rpc, request):
            try:
                if digest(rpc, changed, shipped_prices()) not in original:
                    given.add(path)
            except Exception:  # noqa: BLE001 - a change that breaks a rule shows nothing.
                continue

    assert set(paths_of(rpc, METHODS[rpc])) - given == set()


@pytest.mark.parametrize(("rpc", "index"), CASES)
def test_a_request_without_newer_fields_keeps_the_digest_of_the_released_version(rpc: str, index: int) -> None:
    assert digest(rpc, REQUESTS[rpc][index], shipped_prices()) == RELEASED[f"{rpc}-{index}"]


def test_a_part_that_a_later_version_adds_changes_no_digest_of_a_usage_without_it() -> None:
    usage = Usage(1_000, 10, parts=Parts(pages=3, audio_input_tokens=7))

    assert sent_usage(usage) == (1_000, 10, 0, 0, 0, ("audio_input_tokens", 7), ("pages", 3))
