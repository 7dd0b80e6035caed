"""BatchUpdateCost: each item for itself, in order, and an answer that always arrives."""

import grpc
import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.rpc import batch_answers
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer
from tests.rpc.valid_requests import MODEL


def item(cost_nano_usd: int = 1, budget_id: str = "alice", **fields: object) -> cost_pb.UpdateCostRequest:
    """An item with its cost."""
    return cost_pb.UpdateCostRequest(budget_id=budget_id, cost_nano_usd=cost_nano_usd, **fields)  # type: ignore[arg-type]


def send(
    server: RunningServer, *items: cost_pb.UpdateCostRequest, include_limits: bool = False
) -> cost_pb.BatchUpdateCostResponse:
    """Send a batch."""
    request = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items, include_limits=include_limits)
    return server.stub.BatchUpdateCost(request)


def test_results_and_entries_are_in_the_order_of_the_items(server: RunningServer) -> None:
    server.create("alice")
    server.create("bob")

    results = send(server, *(item(n, "alice" if n % 2 else "bob") for n in range(2_500))).results

    assert [result.charged.cost_nano_usd for result in results] == list(range(2_500))
    seqs = [int(result.charged.entry_id.removeprefix("e")) for result in results]
    assert seqs == list(range(3, 2_503))
    assert (server.spent("alice"), server.spent("bob")) == (sum(range(1, 2_500, 2)), sum(range(0, 2_500, 2)))


def test_each_item_is_judged_for_itself(server: RunningServer) -> None:
    server.create("alice")
    reused = item(1, request_id="r1")
    send(server, reused)

    results = send(
        server,
        item(2),
        item(3, "nobody"),
        cost_pb.UpdateCostRequest(budget_id="alice", model="no such model", usage=pb.Usage(input_tokens=1)),
        item(-1),
        item(9, request_id="r1"),
        reused,
        item(4, project_id=PROJECT, model=MODEL),
        cost_pb.UpdateCostRequest(budget_id="alice", model=MODEL, text=pb.Text(input="a", output="b")),
    ).results

    assert [result.WhichOneof("outcome") for result in results] == [
        "charged",
        "error",
        "error",
        "error",
        "error",
        "charged",
        "charged",
        "charged",
    ]
    assert [result.error.reason for result in results[1:5]] == [
        "BUDGET_NOT_FOUND",
        "UNKNOWN_MODEL",
        "INVALID_FIELD",
        "REQUEST_ID_REUSED",
    ]
    assert [result.charged.replayed for result in results[5:]] == [True, False, False]
    assert [result.error.code for result in results[1:3]] == [5, 3]
    assert results[1].error.message == "project 'project' has no budget 'nobody'"
    assert server.spent() == 1 + 2 + 4 + results[7].charged.cost_nano_usd


def test_one_request_id_twice_in_a_batch_is_charged_once(server: RunningServer) -> None:
    server.create()

    once, again, other = send(
        server, item(5, request_id="r1"), item(5, request_id="r1"), item(6, request_id="r1")
    ).results

    assert (once.charged.replayed, again.charged.replayed) == (False, True)
    assert once.charged.entry_id == again.charged.entry_id
    assert other.error.reason == "REQUEST_ID_REUSED"
    assert server.spent() == 5


def test_a_batch_that_is_sent_again_changes_nothing(server: RunningServer) -> None:
    server.create()
    items = [item(n, request_id=f"r{n}") for n in range(1_500)]
    first = send(server, *items)
    before = server.stored()

    again = send(server, *items)

    assert all(result.charged.replayed for result in again.results)
    assert [result.charged.entry_id for result in again.results] == [
        result.charged.entry_id for result in first.results
    ]
    assert server.stored() == before


def test_an_item_may_be_repeated_by_the_single_call_and_the_other_way_round(server: RunningServer) -> None:
    server.create()
    send(server, item(5, request_id="r1"))
    server.charge(6, request_id="r2")

    assert server.charge(5, request_id="r1").replayed
    assert send(server, item(6, request_id="r2")).results[0].charged.replayed
    assert server.spent() == 11


def test_limits_are_returned_once_for_each_touched_budget_after_the_whole_batch_and_only_if_asked(
    server: RunningServer,
) -> None:
    server.create("alice", pb.Limit(amount=10))
    server.create("bob", pb.Limit(amount=10))
    server.create("carol")
    items = [item(1, "alice"), item(2, "bob"), item(3, "alice"), item(4, "carol"), item(1, "nobody")]

    without, with_limits = send(server, *items), send(server, *items, include_limits=True)

    assert not without.limits
    assert {(limit.budget_id, limit.spent) for limit in with_limits.limits} == {("alice", 8), ("bob", 4)}


def test_a_batch_whose_limits_might_not_fit_the_answer_is_refused_beforehand(server: RunningServer) -> None:
    items = [item(1, f"{n:05}{'x' * 251}") for n in range(8_000)]
    before = server.stored()

    failed = failure(lambda: send(server, *items, include_limits=True))

    assert list(failed.violations) == ["include_limits"]
    assert server.stored() == before


def test_faulty_items_leave_room_in_the_answer_for_the_limits(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_bytes_max = 100_000
    monkeypatch.setattr(batch_answers, "ANSWER_BYTES_MAX", answer_bytes_max)
    good = [f"{n:05}{'x' * 251}" for n in range(100)]
    server.create_many(good, pb.Limit(amount=10**18))
    labels = {f"{n}\n": "\n" for n in range(4)}
    faulty = item(-1, "\x00" * 20, model="\x01" * 20, labels=labels)
    request = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, include_limits=True)
    request.requests.extend([item(10**15, name) for name in good] + [faulty] * 500)

    answer = server.call("BatchUpdateCost", request)

    assert len(answer) <= answer_bytes_max
    response = cost_pb.BatchUpdateCostResponse.FromString(answer)
    assert len(response.limits) == 100
    errors = [result.error for result in response.results[100:]]
    assert {(error.code, error.reason) for error in errors} == {
        (grpc.StatusCode.INVALID_ARGUMENT.value[0], "INVALID_FIELD")
    }
    assert errors[0].message
    assert not errors[-1].message  # There was no room any more.
