"""Deadlines, request ids and retries, by a clock that only sleeping moves, for both kinds of client."""

import re
import uuid
from dataclasses import fields
from itertools import pairwise
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from budgetd import CallPolicy, new_request_id, with_request_ids
from budgetd import errors as e
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.client.no_spans import NO_SPANS
from tests.client.scripted import CallOnce, FakeClock, Script, call_awaiting, call_waiting

CHARGE = cost_pb.UpdateCostRequest(project_id="p", budget_id="b", cost_nano_usd=1)
CHANGES = {
    "create_budget": service.CreateBudgetRequest(),
    "update_budget": service.UpdateBudgetRequest(),
    "delete_budget": service.DeleteBudgetRequest(),
    "update_cost": CHARGE,
    "adjust_cost": cost_pb.AdjustCostRequest(),
    "reset_cost": service.ResetCostRequest(),
    "reset_on_duration": service.ResetOnDurationRequest(),
    "reset_all_on_duration": service.ResetAllOnDurationRequest(),
}

both = pytest.mark.parametrize("call", [call_waiting, call_awaiting], ids=["sync", "async"])


def unavailable(retry_after_seconds: float | None = None) -> e.Unavailable:
    return e.Unavailable("try again", code=grpc.StatusCode.UNAVAILABLE, retry_after_seconds=retry_after_seconds)


def unreachable() -> e.ServerUnreachable:
    return e.ServerUnreachable("nobody", code=grpc.StatusCode.UNAVAILABLE)


def refused(error_class: type[e.BudgetdError], code: grpc.StatusCode) -> e.BudgetdError:
    return error_class("no", code=code, retry_after_seconds=0.1)


@both
@pytest.mark.parametrize("method", CHANGES)
def test_a_change_gets_a_request_id_that_stays_over_all_attempts(call: CallOnce, method: str) -> None:
    script = Script(FakeClock(), [unavailable(), unavailable(), unavailable()])
    request = CHANGES[method]

    call(script, method, request)

    ids = [attempt.request.request_id for attempt in script.attempts]
    assert len(ids) == 4
    assert len(set(ids)) == 1
    assert uuid.UUID(ids[0]).version == 7
    assert not getattr(request, "request_id", "")


@both
def test_two_calls_have_two_request_ids(call: CallOnce) -> None:
    script = Script(FakeClock())

    call(script, "update_cost", CHARGE)
    call(script, "update_cost", CHARGE)

    first, second = script.attempts
    assert first.request.request_id != second.request.request_id


@both
def test_a_request_id_of_the_caller_is_kept(call: CallOnce) -> None:
    script = Script(FakeClock(), [unavailable()])

    call(script, "update_cost", cost_pb.UpdateCostRequest(request_id="mine"))

    assert [attempt.request.request_id for attempt in script.attempts] == ["mine", "mine"]


@both
def test_each_item_of_a_batch_has_its_own_request_id_over_all_attempts(call: CallOnce) -> None:
    script = Script(FakeClock(), [unavailable()])
    batch = cost_pb.BatchUpdateCostRequest(requests=[CHARGE, cost_pb.UpdateCostRequest(request_id="mine"), CHARGE])

    call(script, "batch_update_cost", batch)

    first, second = [[item.request_id for item in attempt.request.requests] for attempt in script.attempts]
    assert first == second
    assert first[1] == "mine"
    assert len({*first, ""}) == 4
    assert [item.request_id for item in batch.requests] == ["", "mine", ""]


@both
def test_a_request_that_the_caller_alters_meanwhile_is_sent_again_as_it_was(call: CallOnce) -> None:
    request = cost_pb.UpdateCostRequest(budget_id="b", cost_nano_usd=1)

    def alter(number: int) -> None:
        request.cost_nano_usd += number

    script = Script(FakeClock(), [unavailable()], before_attempt=alter)

    call(script, "update_cost", request)

    assert [attempt.request.cost_nano_usd for attempt in script.attempts] == [1, 1]


@both
def test_the_filter_of_a_read_is_no_request_id(call: CallOnce) -> None:
    script = Script(FakeClock())

    call(script, "list_entries", service.ListEntriesRequest(project_id="p"))

    assert script.attempts[0].request.request_id == ""


@both
def test_a_read_is_tried_again_too(call: CallOnce) -> None:
    script = Script(FakeClock(), [unavailable()])

    call(script, "get_budget", service.GetBudgetRequest())

    assert len(script.attempts) == 2


@both
@pytest.mark.parametrize(
    "error",
    [
        refused(e.InvalidRequest, grpc.StatusCode.INVALID_ARGUMENT),
        refused(e.NotFound, grpc.StatusCode.NOT_FOUND),
        refused(e.EtagMismatch, grpc.StatusCode.ABORTED),
        refused(e.BudgetExceededError, grpc.StatusCode.RESOURCE_EXHAUSTED),
        refused(e.ServerError, grpc.StatusCode.INTERNAL),
        refused(e.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED),
        refused(e.CallFailed, grpc.StatusCode.CANCELLED),
    ],
    ids=lambda error: type(error).__name__,
)
def test_nothing_but_unavailable_is_tried_again(call: CallOnce, error: e.BudgetdError) -> None:
    script = Script(FakeClock(), [error])

    with pytest.raises(type(error)) as caught:
        call(script, "update_cost", CHARGE)

    assert caught.value is error
    assert len(script.attempts) == 1
    assert error.request_id == script.attempts[0].request.request_id


@both
def test_pauses_double_up_to_the_longest_one(call: CallOnce) -> None:
    clock = FakeClock()
    policy = CallPolicy(first_pause_seconds=0.1, pause_seconds_max=0.5)

    call(Script(clock, [unavailable() for _ in range(5)]), "update_cost", CHARGE, policy=policy)

    assert clock.slept == pytest.approx([0.1, 0.2, 0.4, 0.5, 0.5])


@both
def test_jitter_takes_up_to_half_of_a_pause_away(call: CallOnce) -> None:
    clock = FakeClock()

    call(Script(clock, [unavailable(), unavailable()]), "update_cost", CHARGE, jitter=0.0)

    assert clock.slept == pytest.approx([0.025, 0.05])


@both
def test_a_pause_is_at_least_as_long_as_the_server_asks(call: CallOnce) -> None:
    clock = FakeClock()

    call(Script(clock, [unavailable(2.0), unavailable(3.0)]), "update_cost", CHARGE)

    assert clock.slept == pytest.approx([2.05, 3.1])


@both
def test_a_pause_that_would_pass_the_deadline_is_not_begun(call: CallOnce) -> None:
    clock = FakeClock()
    script = Script(clock, [unavailable(60.0)])

    with pytest.raises(e.Unavailable):
        call(script, "update_cost", CHARGE)

    assert clock.slept == []


@both
def test_a_server_that_wants_a_negative_pause_gets_the_usual_one(call: CallOnce) -> None:
    clock = FakeClock()

    call(Script(clock, [unavailable(-5.0)]), "update_cost", CHARGE)

    assert clock.slept == pytest.approx([0.05])


@both
def test_attempts_share_one_deadline(call: CallOnce) -> None:
    clock = FakeClock()
    script = Script(clock, [unavailable()], forever=True, attempt_seconds=1.0)

    with pytest.raises(e.Unavailable) as caught:
        call(script, "update_cost", CHARGE, timeout_seconds=4.0)

    left = [attempt.timeout_seconds for attempt in script.attempts]
    assert left[0] == 4.0
    assert all(later <= earlier - 1.0 for earlier, later in pairwise(left))
    assert clock.now <= 1_004.0
    assert caught.value.__notes__ == [f"gave up after {len(left)} attempts in {clock.now - 1_000:.1f} s"]


@both
def test_the_default_deadline_is_ten_seconds(call: CallOnce) -> None:
    clock = FakeClock()
    script = Script(clock, [unavailable()], forever=True)

    with pytest.raises(e.Unavailable):
        call(script, "update_cost", CHARGE)

    assert script.attempts[0].timeout_seconds == 10.0
    assert 9.0 <= clock.now - 1_000.0 <= 10.0


@both
def test_a_deadline_that_passes_after_failures_reports_the_last_of_them(call: CallOnce) -> None:
    late = refused(e.DeadlineExceeded, grpc.StatusCode.DEADLINE_EXCEEDED)

    with pytest.raises(e.DeadlineExceeded) as caught:
        call(Script(FakeClock(), [unavailable(), late]), "update_cost", CHARGE)

    assert "the previous attempt failed: try again" in caught.value.__notes__


@both
def test_a_server_that_never_answered_is_given_up_after_the_connect_timeout(call: CallOnce) -> None:
    clock = FakeClock()

    with pytest.raises(e.ServerUnreachable):
        call(Script(clock, [unreachable()], forever=True), "update_cost", CHARGE)

    assert 0.5 <= clock.now - 1_000.0 <= 1.0


@both
def test_a_server_that_is_starting_is_found_within_the_connect_timeout(call: CallOnce) -> None:
    script = Script(FakeClock(), [unreachable(), unreachable(), unavailable()])

    call(script, "update_cost", CHARGE)

    assert len(script.attempts) == 4


@both
@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_call_without_time_is_refused(call: CallOnce, seconds: float) -> None:
    script = Script(FakeClock())

    with pytest.raises(ValueError, match="timeout_seconds"):
        call(script, "update_cost", CHARGE, timeout_seconds=seconds)

    assert script.attempts == []


@both
def test_a_message_of_another_rpc_is_refused(call: CallOnce) -> None:
    script = Script(FakeClock())

    with pytest.raises(TypeError, match="the request of UpdateCost must be UpdateCostRequest, got GetBudgetRequest"):
        call(script, "update_cost", service.GetBudgetRequest())

    assert script.attempts == []


@both
def test_leaving_the_context_closes_the_transport(call: CallOnce) -> None:
    script = Script(FakeClock())

    call(script, "update_cost", CHARGE)

    assert script.is_closed


@given(
    asked=st.lists(st.none() | st.floats(-1, 100), max_size=40),
    timeout_seconds=st.floats(0.01, 60),
    attempt_seconds=st.floats(0, 5),
    jitter=st.floats(0, 1),
)
def test_no_call_outlasts_its_deadline(
    asked: list[float | None], timeout_seconds: float, attempt_seconds: float, jitter: float
) -> None:
    clock = FakeClock()
    script = Script(clock, [unavailable(seconds) for seconds in asked], attempt_seconds=attempt_seconds)

    try:
        call_waiting(script, "update_cost", CHARGE, jitter=jitter, timeout_seconds=timeout_seconds)
    except e.Unavailable:
        assert len(script.attempts) <= len(asked)
    else:
        assert len(script.attempts) == len(asked) + 1

    assert clock.now - 1_000.0 <= timeout_seconds + 0.001


def test_request_ids_are_time_ordered_and_all_different() -> None:
    ids = [new_request_id() for _ in range(2_000)]

    assert len(set(ids)) == len(ids)
    assert all(uuid.UUID(each).version == 7 and uuid.UUID(each).variant == uuid.RFC_4122 for each in ids)
    assert [each[:13] for each in ids] == sorted(each[:13] for each in ids)


@pytest.mark.parametrize("request_", [service.GetBudgetRequest(), service.ListEntriesRequest()])
def test_a_read_takes_no_request_id(request_: Message) -> None:
    with pytest.raises(TypeError, match="changes nothing"):
        with_request_ids(request_)


@both
@pytest.mark.parametrize(("seconds", "error", "rule"), NO_SPANS)
def test_a_timeout_of_one_call_that_is_no_time_is_refused_before_anything_is_sent(
    call: CallOnce, seconds: Any, error: type[Exception], rule: str
) -> None:
    script = Script(FakeClock())

    with pytest.raises(error, match=rf"^timeout_seconds must be {rule}, got {re.escape(repr(seconds)[:50])}"):
        call(script, "update_cost", CHARGE, timeout_seconds=seconds)

    assert not script.attempts


@pytest.mark.parametrize("name", [field.name for field in fields(CallPolicy)])
@pytest.mark.parametrize(("seconds", "error", "rule"), NO_SPANS)
def test_each_span_of_a_policy_obeys_the_rule(name: str, seconds: Any, error: type[Exception], rule: str) -> None:
    with pytest.raises(error, match=rf"^{name} must be {rule}, got "):
        CallPolicy(**{name: seconds})


@pytest.mark.parametrize("seconds", [1, 0.25, 1e-9, 1_000_000])
def test_whole_and_other_numbers_of_seconds_are_taken(seconds: float) -> None:
    assert CallPolicy(timeout_seconds=seconds).timeout_seconds == seconds
