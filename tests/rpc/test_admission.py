"""What may be held or charged, and what a refusal reports: every limit without room, and when to retry."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as rpb
from tests.rpc.failures import Failure, failure
from tests.rpc.running_server import PROJECT, RunningServer

REJECT = cost_pb.ADMISSION_REJECT_OVER_LIMIT
UP_TO = rpb.RESERVE_MODE_UP_TO_AVAILABLE
HOUR_S = 3_600
MOMENT_S = 0.000_001


def within(seconds: int, **fields: Any) -> pb.Limit:
    """A limit with windows of a length from now on."""
    return pb.Limit(window=pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=seconds))), **fields)


def refusal(server: RunningServer, amount_nano_usd: int, **fields: Any) -> Failure:
    """How a hold on alice is refused."""
    return failure(lambda: server.reserve(amount_nano_usd, **fields))


def failing(refused: Failure) -> list[tuple[str, str]]:
    """The limits that a refusal names."""
    exceeded = refused.detail(pb.BudgetExceeded)
    assert exceeded is not None
    return [(limit.budget_id, limit.limit_id) for limit in exceeded.limits]


def assert_true_to_the_moment(server: RunningServer, refused: Failure, amount_nano_usd: int, **fields: Any) -> None:
    """Just before the time that the refusal reports there is no room, and then there is."""
    wait_seconds = refused.retry_seconds
    assert wait_seconds is not None
    server.clock.advance(seconds=wait_seconds - MOMENT_S)
    assert refusal(server, amount_nano_usd, **fields).reason == "BUDGET_EXCEEDED"
    server.clock.advance(seconds=MOMENT_S)
    assert server.reserve(amount_nano_usd, **fields).granted_nano_usd == amount_nano_usd


# --- What is refused.


def test_every_limit_without_room_is_reported_on_every_level_the_worst_first(server: RunningServer) -> None:
    server.create("org", pb.Limit(amount=1_000), pb.Limit(limit_id="tokens", unit=pb.UNIT_TOKENS, amount=50))
    server.create(
        "alice",
        pb.Limit(amount=100),
        pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=1),
        pb.Limit(limit_id="gpt", amount=10, models=["gpt-*"]),
        pb.Limit(limit_id="claude", amount=0, models=["claude-*"]),
        pb.Limit(limit_id="warns", amount=0, action=pb.LIMIT_ACTION_WARN),
        parent_budget_id="org",
    )
    server.create("tag", pb.Limit(amount=2))
    server.charge(40, model="gpt-4o")

    refused = refusal(server, 70, model="gpt-4o", usage=pb.Usage(input_tokens=60), additional_budget_ids=["tag"])

    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED")
    exceeded = refused.detail(pb.BudgetExceeded)
    assert exceeded is not None
    assert [(each.budget_id, each.limit_id, each.unit, each.amount, each.spent) for each in exceeded.limits] == [
        ("alice", "gpt", pb.UNIT_NANO_USD, 10, 40),
        ("alice", "calls", pb.UNIT_CALLS, 1, 1),
        ("alice", "", pb.UNIT_NANO_USD, 100, 40),
        ("org", "tokens", pb.UNIT_TOKENS, 50, 0),
        ("tag", "", pb.UNIT_NANO_USD, 2, 0),
    ]
    assert (exceeded.requested_nano_usd, exceeded.requested_tokens, exceeded.omitted_limits) == (70, 60, 0)
    quota = refused.detail(error_details_pb2.QuotaFailure)
    assert quota is not None
    assert len(quota.violations) == 5
    assert (refused.info.metadata["limits"], refused.info.metadata["limit_id"]) == ("5", "gpt")
    assert len(server.entries()) == 4  # Three budgets and a charge.


@pytest.mark.parametrize("held", [0, 4], ids=["spent alone", "spent and held"])
def test_exactly_the_amount_has_room_and_one_more_has_none(server: RunningServer, held: int) -> None:
    server.create("alice", pb.Limit(amount=10))
    if held:
        server.reserve(held)
    server.charge(6 - held)

    refused = refusal(server, 5)

    assert (refused.info.metadata["spent"], refused.info.metadata["held"]) == (str(6 - held), str(held))
    assert server.reserve(4).limits[0].remaining == 0
    assert server.reserve(0).granted_nano_usd == 0  # A part of zero is never refused.


def test_tokens_are_asked_for_only_where_they_are_given(server: RunningServer) -> None:
    server.create("alice", pb.Limit(limit_id="tokens", unit=pb.UNIT_TOKENS, amount=10))
    server.charge(1, usage=pb.Usage(input_tokens=11))

    assert server.reserve(5).granted_nano_usd == 5
    assert failing(refusal(server, 5, usage=pb.Usage(output_tokens=1))) == [("alice", "tokens")]
    assert server.charge(5, admission=REJECT).entry_id


def test_a_charge_is_refused_as_a_hold_would_be_and_its_request_id_stays_unused(server: RunningServer) -> None:
    server.create("alice", within(HOUR_S, amount=10))
    server.reserve(7, ttl=Duration(seconds=60))
    before = server.stored()

    refused = failure(lambda: server.charge(4, admission=REJECT, request_id="r1"))

    assert (refused.reason, refused.retry_seconds, failing(refused)) == ("BUDGET_EXCEEDED", 60, [("alice", "")])
    assert server.stored() == before
    server.clock.advance(seconds=60)
    charged = server.charge(4, admission=REJECT, request_id="r1")
    assert (charged.replayed, charged.limits[0].spent, charged.limits[0].held) == (False, 4, 0)
    assert server.charge(4, admission=REJECT, request_id="r1").replayed


def test_what_is_left_is_granted_if_it_is_of_use(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=10), pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=2))
    server.charge(4)

    assert refusal(server, 20, mode=UP_TO, min_amount_nano_usd=7).reason == "BUDGET_EXCEEDED"
    held = server.reserve(20, mode=UP_TO, min_amount_nano_usd=6)

    assert (held.granted_nano_usd, held.limits[0].held) == (6, 6)
    refused = refusal(server, 20, mode=UP_TO)  # Not even 1 is left, and calls are never shrunk.
    assert set(failing(refused)) == {("alice", ""), ("alice", "calls")}


def test_a_refused_item_of_a_batch_has_its_limits(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=10))
    items = [cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=4, admission=REJECT) for _ in range(4)]

    results = server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items)).results

    assert [each.WhichOneof("outcome") for each in results] == ["charged", "charged", "error", "error"]
    error = results[2].error
    assert (error.code, error.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED.value[0], "BUDGET_EXCEEDED")
    (limit,) = error.budget_exceeded.limits
    assert (limit.spent, limit.remaining, error.budget_exceeded.requested_nano_usd) == (8, 2, 4)


# --- When to come again.


def test_the_latest_of_all_limits_that_have_no_room_is_waited_for(server: RunningServer) -> None:
    server.create("org", within(24 * HOUR_S, amount=10))
    server.create("alice", within(HOUR_S, amount=5), parent_budget_id="org")
    server.charge(10)

    refused = refusal(server, 1)

    assert refused.retry_seconds == 24 * HOUR_S
    assert_true_to_the_moment(server, refused, 1)


@pytest.mark.parametrize("ttls", [[60], [60, 90, 30], [600, 60]], ids=["one", "the last of three", "the first of two"])
def test_so_many_holds_have_to_expire_as_take_the_room(server: RunningServer, ttls: Sequence[int]) -> None:
    server.create("alice", pb.Limit(amount=12))
    for ttl in ttls:
        server.reserve(12 // len(ttls), ttl=Duration(seconds=ttl))
    needed = 12 if len(ttls) == 3 else 6

    refused = refusal(server, needed)

    assert refused.retry_seconds == (90 if len(ttls) == 3 else 60)
    assert_true_to_the_moment(server, refused, needed)


def test_a_hold_that_will_be_booked_makes_no_room_and_the_end_of_the_window_does(server: RunningServer) -> None:
    server.create("alice", within(HOUR_S, amount=10))
    server.reserve(10, ttl=Duration(seconds=60), on_expiry=rpb.ON_EXPIRY_COMMIT)

    refused = refusal(server, 1)

    assert refused.retry_seconds == HOUR_S
    assert_true_to_the_moment(server, refused, 1)


@pytest.mark.parametrize(
    ("limit", "spent", "amount"),
    [
        pytest.param(within(HOUR_S, amount=10), 0, 11, id="more than the limit ever has"),
        pytest.param(pb.Limit(amount=10), 10, 1, id="spent for ever"),
        pytest.param(within(HOUR_S, amount=10, reset_mode=pb.RESET_MODE_ON_REQUEST), 10, 1, id="spent until a reset"),
    ],
)
def test_no_time_is_reported_if_waiting_does_not_help(
    server: RunningServer, limit: pb.Limit, spent: int, amount: int
) -> None:
    server.create("alice", limit)
    server.charge(spent)

    assert refusal(server, amount).retry_seconds is None


def test_a_hold_that_is_due_is_expired_before_anybody_is_refused(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=10))
    server.reserve(10, ttl=Duration(seconds=60))
    server.clock.advance(seconds=60)

    assert server.reserve(10).limits[0].held == 10
