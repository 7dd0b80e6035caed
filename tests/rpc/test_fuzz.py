"""Anything may arrive: every answer is one that the contract knows, and the server and its ledger stay sound."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.errors import Refusal
from budgetd_server.ledger.sqlite.verify import verify_file
from budgetd_server.rpc.errors import STATUS
from budgetd_server.rpc.handlers import SERVICE
from tests.rpc.bad_values import INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN
from tests.rpc.failures import Failure, failure_of
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, LoopThread, RunningServer, Setup
from tests.rpc.valid_requests import HOUR, MODEL, VALID

#: What a request can bring about; anything else is an internal error.
EXPECTED = {code for error, code in STATUS.items() if issubclass(error, Refusal)}

_TEXTS = st.one_of(
    st.sampled_from(
        ["", PROJECT, "alice", "new", MODEL, "e1", "1-1", "UTC", "limits", "x" * 257, "a\x00b", "\u202e", "😀" * 65]
    ),
    st.text(max_size=8),
)
_NUMBERS = st.one_of(
    st.sampled_from([0, 1, -1, 10**12, 10**15, 10**18, NOW_US // SECOND_US, INT64_MIN, INT64_MAX]),
    st.integers(INT64_MIN, INT64_MAX),
)
_SMALL_NUMBERS = st.one_of(st.integers(-1, 12), st.sampled_from([INT32_MIN, INT32_MAX]))
_LEAVES: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: _TEXTS,
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_INT64: _NUMBERS,
    FieldDescriptor.TYPE_SINT64: _NUMBERS,
    FieldDescriptor.TYPE_INT32: _SMALL_NUMBERS,
    FieldDescriptor.TYPE_ENUM: _SMALL_NUMBERS,
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
}
#: A position in a list, or a key of a map, of which a long one is shown shortened and without its last quote.
_INDEX = re.compile(r"\[(?:\d+|['\"].*['\"…])\]")
#: Names that most requests get, so that they come further than to the first check.
_USUAL = {"project_id": PROJECT, "budget_id": "alice", "model": MODEL}


@st.composite
def _messages(draw: st.DrawFn, descriptor: Descriptor) -> Message:
    message: Any = GetMessageClass(descriptor)()
    for field in draw(st.lists(st.sampled_from(list(descriptor.fields)), unique=True)) if descriptor.fields else ():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            getattr(message, field.name).update(draw(st.dictionaries(_TEXTS, _TEXTS, max_size=3)))
        elif field.message_type is not None and field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(_messages(field.message_type), max_size=3)))
        elif field.message_type is not None:
            getattr(message, field.name).CopyFrom(draw(_messages(field.message_type)))
        elif field.is_repeated:
            getattr(message, field.name).extend(draw(st.lists(_LEAVES[field.type], max_size=3)))
        else:
            setattr(message, field.name, draw(_LEAVES[field.type]))
    for name, value in _USUAL.items():
        if name in descriptor.fields_by_name and draw(st.integers(0, 7)):
            setattr(message, name, value)
    return cast(Message, message)


@st.composite
def _almost_valid(draw: st.DrawFn, rpc: str) -> bytes:
    """A valid request with some bytes changed, left out or put in."""
    body = bytearray(VALID[rpc].SerializeToString())
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


_RPCS = st.sampled_from(list(SERVICE.methods))
_BODIES = _RPCS.flatmap(
    lambda method: st.tuples(
        st.just(method.name),
        st.one_of(
            st.binary(max_size=64),
            _almost_valid(method.name),
            _messages(method.input_type).map(lambda message: message.SerializeToString()),
        ),
    )
)


@pytest.fixture(scope="module")
def target(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """The server that takes it all; in the end its ledger has to be in order."""
    server = RunningServer(loop_thread, Path(tmp_path_factory.mktemp("target")), Setup())
    yield server
    server.stop()
    assert verify_file(server.database).deviations == []


def _assert_one_path_each(rpc: str, failed: Failure) -> None:
    """Each violation names one field that the request has, and none is there twice."""
    bad = failed.detail(error_details_pb2.BadRequest)
    violations = [] if bad is None else [(each.field, each.description) for each in bad.field_violations]
    assert len(violations) == len(set(violations))
    for path, _ in violations:
        if path:  # A body that is no message has no fields.
            _walk(SERVICE.methods_by_name[rpc].input_type, _INDEX.sub("", path).split("."))


def _walk(message: Descriptor | None, names: list[str]) -> None:
    first, *inner = names
    assert message is not None
    assert first in message.fields_by_name or (not inner and first in message.oneofs_by_name)
    if inner:
        _walk(message.fields_by_name[first].message_type, inner)


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(sent=_BODIES)
def test_whatever_is_sent_the_answer_is_one_that_the_contract_knows(
    target: RunningServer, sent: tuple[str, bytes]
) -> None:
    rpc, body = sent

    try:
        target.call(rpc, body)
    except grpc.RpcError as error:
        failed = failure_of(error)
        assert failed.code in EXPECTED
        assert failed.info.domain == "budgetd"
        _assert_one_path_each(rpc, failed)


def test_the_server_works_after_all_that(target: RunningServer) -> None:
    target.create("survivor", pb.Limit(amount=10, window=pb.Window(fixed=HOUR)), project_id="untouched")

    assert target.charge(7, "survivor", project_id="untouched").limits[0].spent == 7
