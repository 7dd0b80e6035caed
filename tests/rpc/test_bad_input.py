"""Every wrong value of every field of every request is refused by name, and nothing of it is recorded."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import pytest
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.rpc.handlers import SERVICE
from tests.rpc.bad_input_places import PLACES, Place, reached, set_field
from tests.rpc.bad_input_table import RULES
from tests.rpc.bad_values import Bad, Descend, Rule
from tests.rpc.failures import Failure, failure, failure_of
from tests.rpc.running_server import PROJECT, LoopThread, RunningServer, Setup
from tests.rpc.valid_requests import HOLD, HOUR, VALID

#: A description is a line, whatever the value was.
DESCRIPTION_CHARACTERS_MAX = 400


class Case(NamedTuple):
    """A request with one fault."""

    rpc: str
    request: Message
    field: str
    words: tuple[str, ...]


def _value_case(place: Place, bad: Bad) -> Case:
    request, message, path = reached(place)
    field = place.fields[-1]
    index = set_field(message, field, bad.value)
    return Case(place.rpc, request, f"{path}{field.name}{index}{bad.suffix}", tuple(bad.words))


def _cases() -> Iterator[Any]:
    for place in PLACES:
        rule = place.rule
        if isinstance(rule, Rule):
            for bad in rule.bad:
                yield pytest.param(
                    _value_case(place, bad), id=f"{place.names}-{bad.title}".encode().decode("ascii", "replace")
                )
        elif isinstance(rule, Descend):
            for title, spoil, field, words in rule.bad:
                request, message, path = reached(place)
                is_budget = place.fields[-1].name == "budget"
                spoil(message.budget if is_budget else message)
                yield pytest.param(
                    Case(place.rpc, request, f"{path}{field}" if path.startswith("requests") else field, tuple(words)),
                    id=f"{place.names}-{title}",
                )


@pytest.fixture(scope="module")
def table_server(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one budget, "alice", that all rows of the table share: none of them may change it."""
    server = RunningServer(loop_thread, Path(tmp_path_factory.mktemp("table")), Setup())
    server.create("alice", pb.Limit(amount=10**12, window=pb.Window(fixed=HOUR)))
    assert server.reserve(1).reservation_id == HOLD
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
    """The bad item is between two good ones."""
    assert isinstance(case.request, cost_pb.BatchUpdateCostRequest)
    (bad,) = case.request.requests
    good = cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=1)
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[good, bad, good])
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


@pytest.fixture(scope="module")
def playground(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server for requests that are carried out."""
    server = RunningServer(loop_thread, Path(tmp_path_factory.mktemp("playground")), Setup())
    yield server
    server.stop()


def _prepare(server: RunningServer, rpc: str, request: Message) -> Message:
    """Project "project" has a budget "alice", and none yet that this RPC would create; the hold is a new one."""
    limit = pb.Limit(amount=10**12, window=pb.Window(fixed=HOUR))
    alice = pb.Budget(project_id=PROJECT, budget_id="alice", limits=[limit])
    server.stub.CreateBudget(service.CreateBudgetRequest(budget=alice, replace_existing=True))
    if rpc == "CreateBudget":
        with contextlib.suppress(grpc.RpcError):  # There is none yet.
            server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="new"))
    prepared = type(request)()
    prepared.CopyFrom(request)
    if getattr(request, "reservation_id", "") == HOLD:
        setattr(prepared, "reservation_id", server.reserve(1).reservation_id)  # noqa: B010 - not of every message.
    return prepared


@pytest.mark.parametrize("rpc", list(VALID))
def test_the_request_that_cases_are_made_from_is_carried_out(rpc: str, playground: RunningServer) -> None:
    playground.call(rpc, _prepare(playground, rpc, VALID[rpc]))  # Raises if it fails.


@pytest.mark.parametrize(
    "place", [each for each in PLACES if isinstance(each.rule, Rule)], ids=lambda place: str(place.names)
)
def test_making_room_for_a_field_leaves_a_request_that_is_carried_out(place: Place, playground: RunningServer) -> None:
    """Else a case might be refused for another fault than its own."""
    request, message, _ = reached(place)
    if place.names == "ProjectCostRequest.cost_nano_usd":
        message.cost_nano_usd = 1

    playground.call(place.rpc, _prepare(playground, place.rpc, request))


def _good_values() -> Iterator[Any]:
    for place in PLACES:
        rule = place.rule
        if isinstance(rule, Rule):
            for number, value in enumerate(rule.good):
                yield pytest.param(place, value, id=f"{place.names}-{number}")


@pytest.mark.parametrize(("place", "value"), list(_good_values()))
def test_a_value_at_the_bounds_is_not_refused(place: Place, value: Any, playground: RunningServer) -> None:
    """It may find no such budget, or be too dear; but the field is not named."""
    request, message, path = reached(place)
    set_field(message, place.fields[-1], value)
    prepared = _prepare(playground, place.rpc, request)

    try:
        answer = playground.call(place.rpc, prepared)
    except grpc.RpcError as error:
        refused = [failure_of(error).violations]
    else:
        batch = cost_pb.BatchUpdateCostResponse.FromString(answer) if place.rpc == "BatchUpdateCost" else None
        results = [] if batch is None else batch.results
        refused = [{each.field: each.description for each in result.error.field_violations} for result in results]

    field = f"{path}{place.fields[-1].name}".removeprefix("requests[0].")
    assert not [each for violations in refused for each in violations if each.startswith(field)]
