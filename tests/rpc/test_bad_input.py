"""Every wrong value of every field of every request is refused by name, and nothing of it is recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.rpc.adapter import SERVICE
from tests.rpc.bad_input_table import MAKES_ROOM, PARTS, RULES, VALID
from tests.rpc.bad_values import Bad, Descend, Exempt, Rule
from tests.rpc.failures import Failure, failure
from tests.rpc.running_server import PROJECT, LoopThread, RunningServer, Setup

#: A description is a line, whatever the value was.
DESCRIPTION_CHARACTERS_MAX = 400


class Place(NamedTuple):
    """A field as it is reached from a request."""

    rpc: str
    fields: tuple[FieldDescriptor, ...]

    @property
    def names(self) -> str:
        """Such as "CreateBudgetRequest.budget.limits"."""
        return ".".join([VALID[self.rpc].DESCRIPTOR.name, *(field.name for field in self.fields)])

    @property
    def keys(self) -> tuple[str, str]:
        """Under which its rule stands: for this request, or for the message wherever it is."""
        field = self.fields[-1]
        assert field.containing_type is not None
        return self.names, f"{field.containing_type.name}.{field.name}"

    @property
    def rule(self) -> Rule | Exempt | Descend | None:
        """None: nobody has thought of it."""
        if self.fields[-1].type == FieldDescriptor.TYPE_BOOL:
            return Exempt("both values are fine")
        own, of_message = self.keys
        return RULES.get(own) or RULES.get(of_message)


class Case(NamedTuple):
    """A request with one fault."""

    rpc: str
    request: Message
    field: str
    words: tuple[str, ...]


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _places(rpc: str, message: Descriptor, above: tuple[FieldDescriptor, ...] = ()) -> Iterator[Place]:
    for field in message.fields:
        place = Place(rpc, (*above, field))
        yield place
        if isinstance(place.rule, Descend):
            yield from _places(rpc, field.message_type, place.fields)


PLACES = [place for method in SERVICE.methods for place in _places(method.name, method.input_type)]


def _reached(place: Place) -> tuple[Message, Any, str]:
    """A valid request, the message in it that has the field, and that message's path."""
    request: Any = type(VALID[place.rpc])()
    request.CopyFrom(VALID[place.rpc])
    message, path = request, ""
    for depth, field in enumerate(place.fields):
        above = Place(place.rpc, place.fields[: depth + 1])
        for key in above.keys:
            MAKES_ROOM.get(key, lambda _: None)(message)
        if depth == len(place.fields) - 1:
            break
        path += field.name
        if field.is_repeated:
            items = getattr(message, field.name)
            if not items:
                items.add().CopyFrom(PARTS[field.message_type.name])
            message, path = items[0], f"{path}[0]."
        else:
            if not message.HasField(field.name):
                getattr(message, field.name).CopyFrom(PARTS[field.message_type.name])
            message, path = getattr(message, field.name), f"{path}."
    return request, message, path


def _set(message: Any, field: FieldDescriptor, value: Any) -> str:
    """Set a field; returns what its path has behind its name."""
    if _is_map(field):
        getattr(message, field.name).update(value)
    elif field.is_repeated:
        del getattr(message, field.name)[:]
        getattr(message, field.name).append(value)
        return "[0]" if field.message_type is None else ""
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
    return ""


def _value_case(place: Place, bad: Bad) -> Case:
    request, message, path = _reached(place)
    field = place.fields[-1]
    index = _set(message, field, bad.value)
    return Case(place.rpc, request, f"{path}{field.name}{index}{bad.suffix}", tuple(bad.words))


def _cases() -> Iterator[Any]:
    for place in PLACES:
        rule = place.rule
        if isinstance(rule, Rule):
            for bad in rule.bad:
                yield pytest.param(_value_case(place, bad), id=f"{place.names}-{bad.told}".encode().decode("ascii", "replace"))
        elif isinstance(rule, Descend):
            for told, spoil, field, words in rule.bad:
                request, message, path = _reached(place)
                is_budget = place.fields[-1].name == "budget"
                spoil(message.budget if is_budget else message)
                yield pytest.param(
                    Case(place.rpc, request, f"{path}{field}" if path.startswith("requests") else field, tuple(words)),
                    id=f"{place.names}-{told}",
                )


@pytest.fixture(scope="module")
def table_server(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one budget, "alice", that all rows of the table share: none of them may change it."""
    server = RunningServer(loop_thread, Path(tmp_path_factory.mktemp("table")), Setup())
    server.create("alice", pb.Limit(amount=10**12, window=pb.Window(fixed=PARTS["FixedWindow"])))
    yield server
    server.stop()


def _assert_refused(failed: Failure, case: Case) -> None:
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    _assert_named(dict(failed.violations), case)
    for word in (case.field, *case.words):
        assert word in failed.message


def _assert_named(violations: dict[str, str], case: Case) -> None:
    field = case.field.removeprefix("requests[0].")
    assert list(violations) == [field]
    for word in case.words:
        assert word in violations[field]
    assert len(violations[field]) <= DESCRIPTION_CHARACTERS_MAX


@pytest.mark.parametrize("case", list(_cases()))
def test_a_wrong_value_is_refused_by_name_and_nothing_is_recorded(case: Case, table_server: RunningServer) -> None:
    before = table_server.stored()
    if case.field.startswith("requests[0]."):
        _assert_only_the_bad_item_fails(case, table_server)
        return

    failed = failure(lambda: table_server.call(case.rpc, case.request))

    _assert_refused(failed, case)
    assert table_server.stored() == before


def _assert_only_the_bad_item_fails(case: Case, server: RunningServer) -> None:
    """The bad item stands between two good ones."""
    assert isinstance(case.request, service.BatchUpdateCostRequest)
    (bad,) = case.request.requests
    good = service.UpdateCostRequest(budget_id="alice", cost_nano_usd=1)
    batch = service.BatchUpdateCostRequest(project_id=PROJECT, requests=[good, bad, good])
    entries = len(server.entries())

    first, second, third = server.stub.BatchUpdateCost(batch).results

    error = second.error
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT.value[0], "INVALID_FIELD")
    _assert_named({each.field: each.description for each in error.field_violations}, case)
    assert (first.charged.cost_nano_usd, third.charged.cost_nano_usd) == (1, 1)
    assert [entry.entry_id for entry in server.entries()[1::-1]] == [first.charged.entry_id, third.charged.entry_id]
    assert len(server.entries()) == min(entries + 2, 1_000)


# --- The table itself.


def test_every_field_of_every_request_has_a_rule_or_a_reason_to_have_none() -> None:
    assert [place.names for place in PLACES if place.rule is None] == []


def test_every_rule_is_of_a_field_that_exists() -> None:
    used = {key for place in PLACES for key in place.keys if RULES.get(key) is place.rule}

    assert set(RULES) - used == set()


def test_every_rpc_has_a_valid_request() -> None:
    assert list(VALID) == [method.name for method in SERVICE.methods]


@pytest.mark.parametrize("rpc", [name for name in VALID if name != "DeleteBudget"] + ["DeleteBudget"])
def test_the_request_that_cases_are_made_from_is_carried_out(rpc: str, server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=10**12, window=pb.Window(fixed=PARTS["FixedWindow"])))

    server.call(rpc, VALID[rpc])  # Raises if it fails.


@pytest.mark.parametrize("place", [each for each in PLACES if not isinstance(each.rule, Exempt)], ids=lambda each: each.names)
def test_making_room_for_a_field_leaves_a_request_that_is_carried_out(place: Place, server: RunningServer) -> None:
    """Else a case might be refused for another fault than its own."""
    server.create("alice", pb.Limit(amount=10**12, window=pb.Window(fixed=PARTS["FixedWindow"])))
    request, message, _ = _reached(place)
    field = place.fields[-1]
    if field.message_type is not None and not field.is_repeated and field.message_type.name in PARTS:
        getattr(message, field.name).CopyFrom(PARTS[field.message_type.name])
    elif place.names == "ProjectCostRequest.cost_nano_usd":
        message.cost_nano_usd = 1

    server.call(place.rpc, request)
