"""Requests that are wrong as a whole: no messages, empty ones, too big ones, and ones wrong in many ways."""

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.rpc.page_tokens import page_token
from tests.rpc.bad_input_places import PLACES, Place, is_map, reached, set_field
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, LoopThread, RunningServer, Setup
from tests.rpc.valid_requests import HOUR, MODEL, VALID

#: Fields that a request cannot do without, for each RPC, as an empty message finds out.
REQUIRED = {
    "CreateBudget": ["budget.project_id", "budget.budget_id"],
    "GetBudget": ["project_id", "budget_id"],
    "ListBudgets": ["project_id"],
    "UpdateBudget": ["budget.project_id", "budget.budget_id", "update_mask"],
    "DeleteBudget": ["project_id", "budget_id"],
    "UpdateCost": ["project_id", "budget_id", "cost_nano_usd"],
    "BatchUpdateCost": ["project_id", "requests"],
    "AdjustCost": ["project_id", "budget_id", "amount_nano_usd", "reason"],
    "GetCurrentCost": ["project_id", "budget_id"],
    "GetModelCost": ["project_id", "budget_id"],
    "ProjectCost": ["project_id", "budget_id", "cost_nano_usd", "model"],
    "ReserveCost": ["project_id", "budget_id", "model", "amount_nano_usd"],
    "CommitReservation": ["project_id", "reservation_id", "cost_nano_usd"],
    "ReleaseReservation": ["project_id", "reservation_id"],
    "ExtendReservation": ["project_id", "reservation_id"],
    "GetReservation": ["project_id", "reservation_id"],
    "ListReservations": ["project_id"],
    "ResetCost": ["project_id", "budget_id"],
    "ResetOnDuration": ["project_id", "budget_id"],
    "ResetAllOnDuration": ["project_id"],
    "ListEntries": ["project_id"],
    "ListModelPrices": [],
    "GetModelPrice": ["model"],
}

#: One field of the number 1, as a varint of eleven bytes: more than 64 bits.
ENDLESS_VARINT = b"\x08" + b"\xff" * 10 + b"\x01"
NO_MESSAGES = [
    pytest.param(b"\x00", id="a field of the number zero"),
    pytest.param(b"\xff" * 20, id="a tag that never ends"),
    pytest.param(ENDLESS_VARINT, id="a number of more than 64 bits"),
    pytest.param(b"\x0a\x05ab", id="a field that is cut off"),
    pytest.param(b"\x0a\xff\xff\xff\xff\x0f", id="a field of four gigabytes"),
    pytest.param(b"\x0b" * 200, id="groups nested two hundred deep"),
    pytest.param(b'{"project_id": "project"}', id="JSON"),
]


@pytest.fixture(scope="module")
def shared(loop_thread: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server with one budget, that nothing here may change."""
    server = RunningServer(loop_thread, Path(tmp_path_factory.mktemp("shared")), Setup())
    server.create("alice", pb.Limit(amount=10**12, window=pb.Window(fixed=HOUR)))
    yield server
    server.stop()


@pytest.mark.parametrize("body", NO_MESSAGES)
@pytest.mark.parametrize("rpc", list(VALID))
def test_bytes_that_are_no_message_are_refused_as_such(rpc: str, body: bytes, shared: RunningServer) -> None:
    before = shared.stored()

    failed = failure(lambda: shared.call(rpc, body))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert failed.violations == {"": f"the body of {len(body)} bytes is not a budgetd.v1.{rpc}Request"}
    assert shared.stored() == before


PLACEHOLDER = "QQQQ"


def _text_places() -> list[Place]:
    return [
        place for place in PLACES if is_map(place.fields[-1]) or place.fields[-1].type == FieldDescriptor.TYPE_STRING
    ]


@pytest.mark.parametrize("place", _text_places(), ids=lambda place: str(place.names))
@pytest.mark.parametrize(
    "wrong", [b"\xff\xfe\xfd\xfc", b"\xed\xa0\x80A", b"\xc0\x80AA"], ids=["no UTF-8", "a surrogate", "an overlong null"]
)
def test_a_text_that_is_not_utf_8_is_refused(place: Place, wrong: bytes, shared: RunningServer) -> None:
    request, message, _ = reached(place)
    set_field(message, place.fields[-1], {"key": PLACEHOLDER} if is_map(place.fields[-1]) else PLACEHOLDER)
    body = request.SerializeToString().replace(PLACEHOLDER.encode(), wrong)
    assert wrong in body
    before = shared.stored()

    failed = failure(lambda: shared.call(place.rpc, body))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert shared.stored() == before


@pytest.mark.parametrize("rpc", [rpc for rpc in VALID if REQUIRED[rpc]])
def test_an_empty_message_is_refused_with_every_field_that_it_lacks(rpc: str, shared: RunningServer) -> None:
    failed = failure(lambda: shared.call(rpc, b""))

    assert list(failed.violations) == REQUIRED[rpc]


def test_every_rpc_is_in_the_table_of_required_fields() -> None:
    assert list(REQUIRED) == list(VALID)


def test_a_message_above_four_mebibytes_is_refused_by_grpc_itself(shared: RunningServer) -> None:
    text = "x" * (4 * 1024 * 1024)
    request = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", model=MODEL)
    request.text.input = request.text.output = text[: len(text) // 2]
    before = shared.stored()

    failed = failure(lambda: shared.stub.UpdateCost(request))

    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in failed.message
    assert not failed.status.details  # So it is not taken for a budget that is used up.
    assert shared.stored() == before


def test_metadata_above_sixteen_kibibytes_is_refused_by_grpc_itself(shared: RunningServer) -> None:
    before = shared.stored()

    request = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=1)
    failed = failure(lambda: shared.stub.UpdateCost(request, metadata=(("x", "y" * 20_000),)))

    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not failed.status.details
    assert shared.stored() == before


def test_every_bad_field_is_named_and_not_only_the_first(shared: RunningServer) -> None:
    limit = pb.Limit(limit_id="dai\nly", unit=9, amount=-1, action=9, reset_mode=9)  # type: ignore[arg-type]
    limit.window.calendar.unit = 9  # type: ignore[assignment]
    limit.window.calendar.time_zone = "Mars/Olympus"
    budget = pb.Budget(budget_id="x" * 300, limits=[limit], labels={"": "v"}, etag="1-1")

    failed = failure(lambda: shared.stub.CreateBudget(service.CreateBudgetRequest(budget=budget, request_id="ü")))

    assert list(failed.violations) == [
        "budget.project_id",
        "budget.budget_id",
        "budget.etag",
        "budget.limits[0].limit_id",
        "budget.limits[0].unit",
        "budget.limits[0].amount",
        "budget.limits[0].action",
        "budget.limits[0].reset_mode",
        "budget.limits[0].window.calendar.unit",
        "budget.limits[0].window.calendar.time_zone",
        "budget.labels",
        "request_id",
    ]


UNKNOWN_MODELS = [
    pytest.param(
        "UpdateCost",
        cost_pb.UpdateCostRequest(
            project_id=PROJECT, budget_id="alice", model="gpt-4o-mni", usage=pb.Usage(input_tokens=1)
        ),
        id="UpdateCost by usage",
    ),
    pytest.param(
        "UpdateCost",
        cost_pb.UpdateCostRequest(
            project_id=PROJECT, budget_id="alice", model="gpt-4o-mni", text=pb.Text(input="question", output="answer")
        ),
        id="UpdateCost by text",
    ),
    pytest.param(
        "ProjectCost",
        cost_pb.ProjectCostRequest(
            project_id=PROJECT, budget_id="alice", model="gpt-4o-mni", usage=pb.Usage(input_tokens=1)
        ),
        id="ProjectCost",
    ),
    pytest.param("GetModelPrice", service.GetModelPriceRequest(model="gpt-4o-mni"), id="GetModelPrice"),
]


@pytest.mark.parametrize(("rpc", "request_"), UNKNOWN_MODELS)
def test_a_model_without_a_price_is_refused_with_near_names(rpc: str, request_: Message, shared: RunningServer) -> None:
    before = shared.stored()

    failed = failure(lambda: shared.call(rpc, request_))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "UNKNOWN_MODEL")
    assert failed.info.metadata["model"] == "gpt-4o-mni"
    assert "gpt-4o-mini" in failed.info.metadata["near"].split(",")
    assert failed.info.metadata["price_version"].startswith("litellm-")
    assert "'gpt-4o-mni'" in failed.message
    assert shared.stored() == before


def test_a_page_token_of_another_query_is_refused(server: RunningServer) -> None:
    for n in range(3):
        server.create(f"b{n}", labels={"team": "x"})
    budgets = service.ListBudgetsRequest(project_id=PROJECT, page_size=1)
    entries = service.ListEntriesRequest(project_id=PROJECT, page_size=1)
    prices = service.ListModelPricesRequest(page_size=1)
    token = server.stub.ListBudgets(budgets).next_page_token
    others: dict[str, list[Message]] = {
        "ListBudgets": [
            service.ListBudgetsRequest(project_id="other", page_token=token),
            service.ListBudgetsRequest(project_id=PROJECT, page_token=token, id_prefix="b"),
            service.ListBudgetsRequest(project_id=PROJECT, page_token=token, labels={"team": "x"}),
            service.ListBudgetsRequest(project_id=PROJECT, page_token=token, min_used_ratio=0),
            service.ListBudgetsRequest(project_id=PROJECT, page_token=token, view=pb.BUDGET_VIEW_FULL),
            service.ListBudgetsRequest(project_id=PROJECT, page_token=token, show_deleted=True),
            service.ListBudgetsRequest(
                project_id=PROJECT, page_token=server.stub.ListEntries(entries).next_page_token, show_deleted=True
            ),
        ],
        "ListEntries": [
            service.ListEntriesRequest(project_id=PROJECT, page_token=token, budget_id="b1"),
            service.ListEntriesRequest(
                project_id=PROJECT, page_token=server.stub.ListEntries(entries).next_page_token, budget_id="b1"
            ),
        ],
        "ListModelPrices": [
            service.ListModelPricesRequest(
                page_token=server.stub.ListModelPrices(prices).next_page_token, model_prefix="gpt"
            ),
        ],
    }

    for rpc, requests in others.items():
        for request in requests:
            failed = failure(lambda rpc=rpc, request=request: server.call(rpc, request))  # type: ignore[misc]

            assert list(failed.violations) == ["page_token"], request
            assert "same query" in failed.violations["page_token"]


def test_a_page_token_of_the_same_query_goes_on_with_pages_of_another_size(server: RunningServer) -> None:
    for n in range(5):
        server.create(f"b{n}")
    first = server.stub.ListBudgets(service.ListBudgetsRequest(project_id=PROJECT, page_size=1))

    second = server.stub.ListBudgets(
        service.ListBudgetsRequest(project_id=PROJECT, page_size=3, page_token=first.next_page_token)
    )

    assert [budget.budget_id for budget in [*first.budgets, *second.budgets]] == ["b0", "b1", "b2", "b3"]


@pytest.mark.parametrize("place", [3, 2**62, ""])
def test_a_page_token_that_names_no_model_is_no_place_in_the_list_of_prices(
    server: RunningServer, place: int | str
) -> None:
    request = service.ListModelPricesRequest(page_size=3)
    request.page_token = page_token(request, place)

    failed = failure(lambda: server.stub.ListModelPrices(request))

    assert "of an earlier page" in failed.violations["page_token"]
