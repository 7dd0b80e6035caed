"""Fields of a provider's answer that a caller could not read: kept, returned and counted, by dialect alone."""

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.metrics import DIALECTS_MAX, Metrics
from budgetd_server.rpc import batch_answers
from tests.rpc.failures import failure
from tests.rpc.running_server import PROJECT, RunningServer

UNREAD = ["usage.new_tokens", "usage.details[0].x"]
METRIC = "budgetd_unread_usage_total"


@pytest.fixture
def alice(server: RunningServer) -> RunningServer:
    """A server with a budget "alice" of ten nano-USD that blocks."""
    server.create("alice", pb.Limit(amount=10))
    return server


def counted(metrics: Metrics, dialect: str) -> float | None:
    return metrics.registry.get_sample_value(METRIC, {"dialect": dialect})


def item(**fields: object) -> cost_pb.UpdateCostRequest:
    """A charge of one nano-USD."""
    return cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=1, **fields)  # type: ignore[arg-type]


def send(server: RunningServer, *items: cost_pb.UpdateCostRequest) -> list[cost_pb.UpdateCostResult]:
    request = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items)
    return list(server.stub.BatchUpdateCost(request).results)


def commit(server: RunningServer, reservation_id: str, **fields: object) -> reservation_pb.CommitReservationResponse:
    """Settle a hold with one nano-USD."""
    request = reservation_pb.CommitReservationRequest(
        project_id=PROJECT,
        reservation_id=reservation_id,
        cost_nano_usd=1,
        **fields,  # type: ignore[arg-type]
    )
    return server.stub.CommitReservation(request)


def hold(server: RunningServer) -> str:
    request = reservation_pb.ReserveCostRequest(project_id=PROJECT, budget_id="alice", amount_nano_usd=2)
    return server.stub.ReserveCost(request).reservation_id


def test_a_charge_with_unread_fields_returns_keeps_and_counts_them_once(alice: RunningServer) -> None:
    answers = [
        alice.charge(1, request_id="r1", unread_fields=UNREAD, usage_dialect="openai_chat"),
        alice.charge(1, request_id="r1", unread_fields=UNREAD, usage_dialect="openai_chat"),
    ]

    assert [(answer.replayed, list(answer.unread_fields)) for answer in answers] == [(False, UNREAD), (True, UNREAD)]
    assert list(alice.entries()[0].unread_fields) == UNREAD
    assert counted(alice.server.metrics, "openai_chat") == 1


def test_a_settlement_with_unread_fields_returns_keeps_and_counts_them_once(alice: RunningServer) -> None:
    held = hold(alice)

    answers = [commit(alice, held, request_id="r1", unread_fields=UNREAD, usage_dialect="gemini") for _ in range(2)]

    assert [(answer.replayed, list(answer.unread_fields)) for answer in answers] == [(False, UNREAD), (True, UNREAD)]
    assert list(alice.entries()[0].unread_fields) == UNREAD
    assert counted(alice.server.metrics, "gemini") == 1


def test_items_of_a_batch_return_keep_and_count_theirs(alice: RunningServer) -> None:
    first = item(request_id="r1", unread_fields=UNREAD, usage_dialect="cohere")

    results = send(alice, item(cost_source=99), first, item(), first, item(unread_fields=["a"], usage_dialect="cohere"))

    assert [list(result.charged.unread_fields) for result in results] == [[], UNREAD, [], UNREAD, ["a"]]
    assert [list(entry.unread_fields) for entry in alice.entries()[:3]] == [["a"], [], UNREAD]
    assert counted(alice.server.metrics, "cohere") == 2


def test_what_is_refused_or_read_in_full_is_not_counted(alice: RunningServer) -> None:
    alice.charge(1, usage_dialect="voyage")
    above = cost_pb.ADMISSION_REJECT_OVER_LIMIT
    failure(lambda: alice.charge(11, admission=above, unread_fields=UNREAD, usage_dialect="voyage"))
    failure(lambda: commit(alice, "r99", unread_fields=UNREAD, usage_dialect="voyage"))

    assert counted(alice.server.metrics, "voyage") is None


@pytest.mark.parametrize(
    ("paths", "violations"),
    [
        pytest.param(["a", "b", "a"], {"unread_fields[2]": "must name each path once, got 'a'"}, id="a path twice"),
        pytest.param(
            ["a", " ", "a", "\n"],
            {
                "unread_fields[1]": "must not be blank, got ' '",
                "unread_fields[2]": "must name each path once, got 'a'",
                "unread_fields[3]": "must be 1 to 128 characters without control characters, got '\\n'",
            },
            id="each that is wrong",
        ),
        pytest.param(
            ["", ""],
            {
                "unread_fields[0]": "must be 1 to 128 characters without control characters, got ''",
                "unread_fields[1]": "must be 1 to 128 characters without control characters, got ''",
            },
            id="nothing, twice",
        ),
    ],
)
def test_paths_that_say_nothing_or_nothing_new_are_refused_with_their_rule(
    alice: RunningServer, paths: list[str], violations: dict[str, str]
) -> None:
    held = hold(alice)

    charged = failure(lambda: alice.charge(1, unread_fields=paths))
    settled = failure(lambda: commit(alice, held, unread_fields=paths))

    assert charged.violations == settled.violations == violations
    assert alice.spent() == 0


def test_unread_fields_beyond_the_answer_of_a_batch_are_left_out_and_counted(
    alice: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_answers, "ANSWER_BYTES_MAX", 3 * 48 + 20)

    results = send(alice, *(item(unread_fields=["0123456789"], usage_dialect="xai") for _ in range(3)))

    assert [list(result.charged.unread_fields) for result in results] == [["0123456789"], [], []]
    assert [list(entry.unread_fields) for entry in alice.entries()[:3]] == [["0123456789"]] * 3
    assert counted(alice.server.metrics, "xai") == 3


def test_a_dialect_that_was_not_given_is_counted_as_unknown(alice: RunningServer) -> None:
    alice.charge(1, unread_fields=UNREAD)

    assert counted(alice.server.metrics, "unknown") == 1


def test_dialects_beyond_the_first_ones_share_a_series() -> None:
    metrics = Metrics()

    for number in range(DIALECTS_MAX + 5):
        metrics.count_unread(f"d{number}", 2)
    metrics.count_unread("d0", 1)

    assert counted(metrics, "d0") == 3
    assert counted(metrics, f"d{DIALECTS_MAX - 1}") == 2
    assert counted(metrics, f"d{DIALECTS_MAX}") is None
    assert counted(metrics, "other") == 10
