"""Reservations over gRPC: held before the work, settled with the truth, and every way in which they end."""

from collections.abc import Callable
from functools import partial
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as rpb
from tests.rpc.failures import Failure, failure
from tests.rpc.running_server import PROJECT, RunningServer

OPEN, COMMITTED, RELEASED, EXPIRED, ESTIMATED = range(1, 6)
MODEL = "gpt-4o"


def commit(
    server: RunningServer, held: rpb.ReserveCostResponse, cost_nano_usd: int | None, **fields: object
) -> rpb.CommitReservationResponse:
    """Settle a hold."""
    request = rpb.CommitReservationRequest(
        project_id=PROJECT,
        reservation_id=held.reservation_id,
        cost_nano_usd=cost_nano_usd,
        **fields,  # type: ignore[arg-type]
    )
    return server.stub.CommitReservation(request)


def release(server: RunningServer, held: rpb.ReserveCostResponse) -> rpb.ReleaseReservationResponse:
    """Give a hold back."""
    return server.stub.ReleaseReservation(
        rpb.ReleaseReservationRequest(project_id=PROJECT, reservation_id=held.reservation_id)
    )


def reservation(server: RunningServer, held: rpb.ReserveCostResponse) -> rpb.Reservation:
    """A hold as of now."""
    request = rpb.GetReservationRequest(project_id=PROJECT, reservation_id=held.reservation_id)
    return server.stub.GetReservation(request).reservation


def where(server: RunningServer, budget_id: str = "alice") -> tuple[int, int]:
    """What the main limit has spent and holds."""
    request = cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=budget_id)
    limit = server.stub.GetCurrentCost(request).limits[0]
    return limit.spent, limit.held


@pytest.fixture
def alice(server: RunningServer) -> RunningServer:
    """A server with a budget of 100 nano-USD."""
    server.create("alice", pb.Limit(amount=100))
    return server


# --- Held, and settled.


def test_a_hold_counts_until_it_is_settled_and_the_cost_afterwards(alice: RunningServer) -> None:
    held = alice.reserve(60, model=MODEL, labels={"job": "7"})
    assert (held.granted_nano_usd, where(alice)) == (60, (0, 60))
    assert (held.limits[0].held, held.limits[0].remaining, held.limits[0].used_ratio) == (60, 40, 0.6)

    settled = commit(alice, held, 45)

    assert (settled.cost_nano_usd, settled.released_nano_usd, settled.overage_nano_usd) == (45, 15, 0)
    assert where(alice) == (45, 0)
    entry = alice.entries(kinds=[pb.ENTRY_KIND_SETTLE])[0]
    assert (entry.entry_id, entry.reservation_id, entry.model) == (settled.entry_id, held.reservation_id, MODEL)
    assert dict(entry.labels) == {"job": "7"}
    assert reservation(alice, held).state == COMMITTED


def test_what_was_spent_above_the_hold_is_booked_in_full_and_returned(alice: RunningServer) -> None:
    held = alice.reserve(60)

    settled = commit(alice, held, 150)

    assert (settled.overage_nano_usd, settled.released_nano_usd, settled.limits[0].is_exceeded) == (90, 0, True)
    assert where(alice) == (150, 0)


def test_a_released_hold_is_free_again(alice: RunningServer) -> None:
    held = alice.reserve(60)

    assert release(alice, held).released_nano_usd == 60

    assert where(alice) == (0, 0)
    assert alice.reserve(100).granted_nano_usd == 100


def test_parts_are_booked_while_the_rest_stays_held(alice: RunningServer) -> None:
    held = alice.reserve(60)

    first = commit(alice, held, 20, keep_open=True)
    assert (first.released_nano_usd, where(alice), reservation(alice, held).held_nano_usd) == (0, (20, 40), 40)
    last = commit(alice, held, 10)

    assert (last.released_nano_usd, where(alice)) == (30, (30, 0))


def test_usage_and_text_are_priced_by_the_model_of_the_hold_unless_another_is_named(alice: RunningServer) -> None:
    usage = pb.Usage(input_tokens=1_000, output_tokens=100)
    server, held = alice, []
    server.create("bob", pb.Limit(amount=10**12))
    held = [server.reserve(10**6, "bob", model=MODEL) for _ in range(3)]

    by_usage = commit(server, held[0], None, usage=usage)
    by_other = commit(server, held[1], None, usage=usage, model="gpt-4o-mini")
    by_text = commit(server, held[2], None, text=pb.Text(input="a question", output="an answer"))

    assert by_usage.cost_nano_usd == 1_000 * 2_500 + 100 * 10_000
    assert by_other.cost_nano_usd == 1_000 * 150 + 100 * 600
    assert by_text.cost_nano_usd > 0


def test_a_hold_by_usage_or_chat_is_priced_up_and_keeps_the_tokens(alice: RunningServer) -> None:
    alice.create("bob", pb.Limit(limit_id="tokens", unit=pb.UNIT_TOKENS, amount=2_000))
    who: Any = {"project_id": PROJECT, "budget_id": "bob", "model": MODEL}
    usage = pb.Usage(input_tokens=1_000, output_tokens=100)
    chat = pb.Messages(messages=[pb.ChatMessage(role="user", content="hello")], max_output_tokens=500)

    by_usage = alice.stub.ReserveCost(rpb.ReserveCostRequest(**who, usage=usage))
    by_chat = alice.stub.ReserveCost(rpb.ReserveCostRequest(**who, messages=chat))

    assert (by_usage.granted_nano_usd, by_usage.granted_tokens) == (3_500_000, 1_100)
    assert by_chat.granted_tokens > 500
    assert by_chat.limits[0].held == 1_100 + by_chat.granted_tokens


# --- Time.


def test_a_hold_expires_at_its_time_and_can_be_extended_before(alice: RunningServer) -> None:
    short, long = alice.reserve(40, ttl=Duration(seconds=60)), alice.reserve(60, ttl=Duration(seconds=60))
    extend = rpb.ExtendReservationRequest(
        project_id=PROJECT, reservation_id=long.reservation_id, ttl=Duration(seconds=3_600)
    )
    alice.stub.ExtendReservation(extend)

    alice.clock.advance(seconds=60)

    assert alice.reserve(40).granted_nano_usd == 40, "a hold that is due refuses no other"
    assert (reservation(alice, short).state, reservation(alice, long).state) == (EXPIRED, OPEN)


def test_a_late_commit_is_booked_in_full_once(alice: RunningServer) -> None:
    held = alice.reserve(60, ttl=Duration(seconds=60))
    alice.clock.advance(seconds=61)

    settled = commit(alice, held, 50)

    assert (settled.is_late, settled.overage_nano_usd, where(alice)) == (True, 50, (50, 0))
    assert _refusal_of_commit(alice, held).reason == "ALREADY_SETTLED"


def test_a_hold_may_be_booked_at_its_expiry_and_corrected_later(alice: RunningServer) -> None:
    held = [
        alice.reserve(30, ttl=Duration(seconds=60), on_expiry=rpb.ON_EXPIRY_COMMIT, request_id=f"h{number}")
        for number in range(3)
    ]
    alice.clock.advance(seconds=61)

    dearer, cheaper = commit(alice, held[0], 35), commit(alice, held[1], 10)
    taken_back = release(alice, held[2])

    assert (dearer.cost_nano_usd, dearer.overage_nano_usd, dearer.is_late) == (35, 5, True)
    assert (cheaper.cost_nano_usd, cheaper.released_nano_usd) == (10, 20)
    assert taken_back.released_nano_usd == 30
    assert where(alice) == (45, 0)
    estimates = alice.entries(kinds=[pb.ENTRY_KIND_EXPIRE])
    assert [(entry.cost_nano_usd, entry.is_estimated) for entry in estimates] == [(30, True)] * 3


def test_the_release_of_an_expired_hold_is_fine_and_does_nothing(alice: RunningServer) -> None:
    held = alice.reserve(60, ttl=Duration(seconds=60))
    alice.clock.advance(seconds=61)

    assert release(alice, held).released_nano_usd == 0
    assert reservation(alice, held).state == EXPIRED


# --- Refused.


def _refusal_of_commit(server: RunningServer, held: rpb.ReserveCostResponse, cost: int = 1) -> Failure:
    return failure(lambda: commit(server, held, cost))


def test_a_hold_is_committed_once(alice: RunningServer) -> None:
    held = alice.reserve(60)
    commit(alice, held, 45)

    refused = _refusal_of_commit(alice, held)

    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_SETTLED")
    assert refused.info.metadata["state"] == "COMMITTED"
    assert where(alice) == (45, 0)


def test_a_hold_that_was_released_cannot_be_committed_released_or_extended(alice: RunningServer) -> None:
    held = alice.reserve(60)
    release(alice, held)
    extend = rpb.ExtendReservationRequest(project_id=PROJECT, reservation_id=held.reservation_id)

    assert _refusal_of_commit(alice, held).reason == "ALREADY_SETTLED"
    assert failure(lambda: release(alice, held)).reason == "ALREADY_SETTLED"
    assert failure(lambda: alice.stub.ExtendReservation(extend)).reason == "ALREADY_SETTLED"


def test_a_hold_of_another_project_is_none(alice: RunningServer) -> None:
    held = alice.reserve(60)
    alice.create("alice", project_id="other")
    foreign = rpb.CommitReservationRequest(project_id="other", reservation_id=held.reservation_id, cost_nano_usd=1)

    refused = failure(lambda: alice.stub.CommitReservation(foreign))

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "RESERVATION_NOT_FOUND")
    assert where(alice) == (0, 60)


def test_an_entry_that_is_no_hold_is_no_reservation(alice: RunningServer) -> None:
    entry_id = alice.charge(5).entry_id
    request = rpb.GetReservationRequest(project_id=PROJECT, reservation_id=f"r{entry_id[1:]}")

    assert failure(lambda: alice.stub.GetReservation(request)).reason == "RESERVATION_NOT_FOUND"


def test_nothing_is_held_on_a_budget_that_was_deleted(alice: RunningServer) -> None:
    held = alice.reserve(60)
    delete = service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice")
    assert failure(lambda: alice.stub.DeleteBudget(delete)).reason == "HAS_OPEN_RESERVATIONS"
    delete.force = True
    alice.stub.DeleteBudget(delete)

    assert failure(lambda: alice.reserve(1)).reason == "BUDGET_NOT_FOUND"
    assert _refusal_of_commit(alice, held).reason == "ALREADY_SETTLED"
    assert reservation(alice, held).state == RELEASED


@pytest.mark.parametrize("is_new", [True, False], ids=["created again", "deleted"])
def test_a_hold_of_a_budget_that_was_deleted_has_ended_and_what_settled_it_before_is_answered_again(
    alice: RunningServer, is_new: bool
) -> None:
    settled = alice.reserve(30)
    first = commit(alice, settled, 20, request_id="settle")
    held, expired = alice.reserve(30), alice.reserve(30, ttl=Duration(seconds=1))
    alice.clock.advance(seconds=2)
    release(alice, expired)
    delete = service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice", force=True)
    alice.stub.DeleteBudget(delete)
    if is_new:
        alice.create("alice", pb.Limit(amount=100))
    before = alice.stored()

    for each, state in ((settled, "committed"), (held, "released"), (expired, "expired")):
        extend = rpb.ExtendReservationRequest(project_id=PROJECT, reservation_id=each.reservation_id)
        extend.ttl.FromSeconds(60)
        calls: list[Callable[[], object]] = [
            partial(commit, alice, each, 1),
            partial(release, alice, each),
            partial(alice.stub.ExtendReservation, extend),
        ]
        for refused in map(failure, calls):
            assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ALREADY_SETTLED")
            assert refused.message == (
                f"reservation {each.reservation_id} is already {state}, and its budget 'alice' was deleted"
            )
            assert refused.info.metadata["budget_id"] == "alice"
    again = commit(alice, settled, 20, request_id="settle")

    assert (again.entry_id, again.replayed) == (first.entry_id, True)
    assert alice.stored() == before


def test_an_amount_that_overflows_with_what_is_spent_is_refused(server: RunningServer) -> None:
    server.create("alice")
    batch = [cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=10**15)] * 8_000
    for _ in range(2):
        server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=batch))

    refused = failure(lambda: server.reserve(10**15))

    assert (refused.reason, server.spent()) == ("COUNTER_OVERFLOW", 9 * 10**18)


# --- Retried.


def test_the_same_hold_commit_and_release_again_change_nothing(alice: RunningServer) -> None:
    one, again = (alice.reserve(60, request_id="hold") for _ in range(2))
    other = alice.reserve(10)
    settled = [commit(alice, one, 45, request_id="commit") for _ in range(2)]
    given = [
        alice.stub.ReleaseReservation(
            rpb.ReleaseReservationRequest(project_id=PROJECT, reservation_id=other.reservation_id, request_id="release")
        )
        for _ in range(2)
    ]

    assert (again.reservation_id, again.expire_time, again.replayed) == (one.reservation_id, one.expire_time, True)
    assert [each.replayed for each in settled] == [each.replayed for each in given] == [False, True]
    assert settled[1].released_nano_usd == settled[0].released_nano_usd == 15
    assert given[1].released_nano_usd == 10
    assert where(alice) == (45, 0)


def test_another_hold_under_the_same_id_is_refused(alice: RunningServer) -> None:
    alice.reserve(60, request_id="hold")

    assert failure(lambda: alice.reserve(59, request_id="hold")).reason == "REQUEST_ID_REUSED"


# --- Listed.


def test_holds_are_listed_newest_first_by_budget_and_state(alice: RunningServer) -> None:
    alice.create("bob")
    held = [alice.reserve(1, budget_id) for budget_id in ("alice", "bob", "alice", "alice")]
    release(alice, held[0])

    def ids(**fields: object) -> list[str]:
        request = rpb.ListReservationsRequest(project_id=PROJECT, page_size=1, **fields)  # type: ignore[arg-type]
        found: list[str] = []
        while True:
            page = alice.stub.ListReservations(request)
            found.extend(each.reservation_id for each in page.reservations)
            request.page_token = page.next_page_token
            if not request.page_token:
                return found

    names = [each.reservation_id for each in held]
    assert ids() == names[::-1]
    assert ids(budget_id="alice", state=OPEN) == [names[3], names[2]]
    assert ids(state=RELEASED) == [names[0]]
    assert failure(lambda: ids(budget_id="nobody")).reason == "BUDGET_NOT_FOUND"


@pytest.mark.parametrize(
    ("on_expiry", "state"),
    [(rpb.ON_EXPIRY_RELEASE, EXPIRED), (rpb.ON_EXPIRY_COMMIT, ESTIMATED)],
    ids=["given back", "booked"],
)
def test_the_state_of_a_hold_follows_the_clock_before_and_after_its_entry(
    alice: RunningServer, on_expiry: rpb.OnExpiry.ValueType, state: int
) -> None:
    held = [alice.reserve(1, ttl=Duration(seconds=60), on_expiry=on_expiry) for _ in range(3)]
    alice.reserve(1)

    def ids(wanted: int) -> list[str]:
        request = rpb.ListReservationsRequest(project_id=PROJECT, state=wanted, page_size=2)  # type: ignore[arg-type]
        first = alice.stub.ListReservations(request)
        assert len(first.reservations) <= 2
        request.page_token = first.next_page_token
        second = alice.stub.ListReservations(request) if first.next_page_token else rpb.ListReservationsResponse()
        return [each.reservation_id for each in (*first.reservations, *second.reservations)]

    alice.clock.advance(seconds=60)
    for is_written in (False, True):
        if is_written:
            failure(lambda: alice.reserve(101))  # Holds that are due are expired before anybody is refused.
            assert len(alice.entries(kinds=[pb.ENTRY_KIND_EXPIRE])) == 3
        sent = reservation(alice, held[0])
        assert (sent.state, sent.end_time.ToMicroseconds()) == (state, alice.clock.now_us)
        assert (sent.held_nano_usd, sent.end_time) == (1, sent.expire_time)
        assert ids(state) == [each.reservation_id for each in reversed(held)]
        assert len(ids(OPEN)) == 1
