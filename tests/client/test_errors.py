"""From a status to an exception: by budgetd's reason, never by the code alone."""

import pickle

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2, wrappers_pb2
from google.rpc import error_details_pb2, status_pb2

from budgetd import BudgetClient, errors
from budgetd.errors import CLASS_OF_REASON, BudgetdError, FieldViolation
from budgetd.transport.status import error_of_item, error_of_status
from budgetd.v1 import budget_pb2
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain import errors as refusals
from budgetd_server.rpc.errors import STATUS, internal_status, item_error, status_of
from tests.client.fake_server import FakeServer, Refusal, of_budgetd, refusal
from tests.client.scripted import FakeClock, grpc_transport

CHARGE = cost_pb.UpdateCostRequest(project_id="p", budget_id="b", cost_nano_usd=1)
INVALID = refusals.InvalidField(
    [refusals.FieldViolation("budget_id", "must not be empty"), refusals.FieldViolation("model", "must be set")]
)
EXCEEDED = budget_pb2.BudgetExceeded(
    limits=[budget_pb2.LimitStatus(budget_id="team", amount=100, spent=90, held=8, remaining=2, used_ratio=0.98)],
    requested_nano_usd=5,
)


def raised_for(server: FakeServer, answer: Refusal) -> BudgetdError:
    server.will_answer([answer] * 50)
    clock = FakeClock()
    with (
        BudgetClient.over(grpc_transport(server.address), clock=clock, sleep=clock.sleep) as client,
        pytest.raises(BudgetdError) as caught,
    ):
        client.update_cost(CHARGE)
    return caught.value


def test_every_reason_of_the_server_has_a_class() -> None:
    reasons = {error.reason for error in STATUS} | {"INTERNAL"}

    assert reasons <= set(CLASS_OF_REASON)


def test_every_class_is_reached_by_a_reason_or_by_a_failure_that_has_none() -> None:
    classes = {each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, BudgetdError)}
    without_reason = {
        BudgetdError,
        errors.FailedPrecondition,
        errors.DatabaseRefused,
        errors.ServerUnreachable,
        errors.DeadlineExceeded,
        errors.CallFailed,
    }

    assert classes == set(CLASS_OF_REASON.values()) | without_reason


@pytest.mark.parametrize(
    ("error", "error_class"),
    [
        (INVALID, errors.InvalidRequest),
        (refusals.RequestIdReused("id"), errors.RequestIdReused),
        (refusals.UnknownModel("gpt-5x", near=["gpt-5"]), errors.UnknownModel),
        (refusals.UnpricedUsage("gpt-5", "output_tokens"), errors.UnpricedUsage),
        (refusals.BudgetNotFound("p", "b"), errors.NotFound),
        (refusals.BudgetExists("p", "b"), errors.AlreadyExists),
        (refusals.EtagMismatch("a", "b"), errors.EtagMismatch),
        (refusals.NoWindow("p", "b"), errors.NoWindow),
        (refusals.BelowZero(amount_nano_usd=-2, spent_nano_usd=1, of="spent"), errors.BelowZero),
        (refusals.CounterOverflow(counter="spent", value=1, added=2), errors.CounterOverflow),
        (refusals.QueueFull(7), errors.Unavailable),
        (refusals.StoreUnavailable("the disk is full"), errors.Unavailable),
        (refusals.ShuttingDown(), errors.Unavailable),
    ],
    ids=lambda value: getattr(value, "reason", ""),
)
def test_a_refusal_arrives_with_its_sentence_reason_and_numbers(
    server: FakeServer, error: refusals.BudgetError, error_class: type[BudgetdError]
) -> None:
    status = status_of(error)
    code = STATUS[type(error)]

    got = raised_for(server, Refusal(code, status.message, status.SerializeToString()))

    assert type(got) is error_class
    assert (str(got), got.message) == (error.message, error.message)
    assert (got.reason, got.code) == (error.reason, code)
    assert error.metadata.items() <= got.metadata.items()
    assert got.retry_after_seconds == getattr(error, "retry_after_seconds", None)
    assert len(got.request_id) == 36


def test_every_bad_field_is_named(server: FakeServer) -> None:
    status = status_of(INVALID)

    got = raised_for(server, Refusal(grpc.StatusCode.INVALID_ARGUMENT, "no", status.SerializeToString()))

    assert got.field_violations == (
        FieldViolation("budget_id", "must not be empty"),
        FieldViolation("model", "must be set"),
    )


def test_an_internal_error_of_the_server_has_its_incident_id(server: FakeServer) -> None:
    status = internal_status("abc123")

    got = raised_for(server, Refusal(grpc.StatusCode.INTERNAL, status.message, status.SerializeToString()))

    assert type(got) is errors.ServerError
    assert got.metadata == {"incident_id": "abc123"}


def test_an_exceeded_budget_is_known_by_its_reason(server: FakeServer) -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=90, nanos=500_000_000))
    answer = of_budgetd(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED", retry, remaining_nano_usd="5")

    got = raised_for(server, answer)

    assert type(got) is errors.BudgetExceededError
    assert (got.retry_after_seconds, got.metadata) == (90.5, {"remaining_nano_usd": "5"})
    assert len(server.asked) == 1


def test_an_exceeded_budget_has_its_limits(server: FakeServer) -> None:
    answer = of_budgetd(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED", EXCEEDED)

    got = raised_for(server, answer)

    assert isinstance(got, errors.BudgetExceededError)
    assert got.exceeded == EXCEEDED


def test_an_item_that_exceeds_a_budget_has_its_limits() -> None:
    item = budget_pb2.ItemError(code=8, reason="BUDGET_EXCEEDED", message="no", budget_exceeded=EXCEEDED)

    got = error_of_item(item)

    assert isinstance(got, errors.BudgetExceededError)
    assert got.exceeded == EXCEEDED


def test_an_exceeded_budget_whose_limits_were_not_sent_has_none(server: FakeServer) -> None:
    alone = raised_for(server, of_budgetd(grpc.StatusCode.RESOURCE_EXHAUSTED, "BUDGET_EXCEEDED"))
    item = error_of_item(budget_pb2.ItemError(code=8, reason="BUDGET_EXCEEDED"))

    assert isinstance(alone, errors.BudgetExceededError)
    assert isinstance(item, errors.BudgetExceededError)
    assert (alone.exceeded, item.exceeded) == (None, None)


def test_the_limits_survive_being_sent_to_another_process() -> None:
    error = errors.BudgetExceededError("no", code=grpc.StatusCode.RESOURCE_EXHAUSTED)
    error.exceeded = EXCEEDED

    assert pickle.loads(pickle.dumps(error)).exceeded == EXCEEDED


@pytest.mark.parametrize(
    ("reason", "code", "error_class"),
    [
        ("RESERVATION_NOT_FOUND", grpc.StatusCode.NOT_FOUND, errors.NotFound),
        ("ENTRY_NOT_FOUND", grpc.StatusCode.NOT_FOUND, errors.NotFound),
        ("REFUND_EXCEEDS_ENTRY", grpc.StatusCode.FAILED_PRECONDITION, errors.RefundExceedsEntry),
        ("ALREADY_SETTLED", grpc.StatusCode.FAILED_PRECONDITION, errors.AlreadySettled),
        ("HAS_CHILDREN", grpc.StatusCode.FAILED_PRECONDITION, errors.HasChildren),
        ("HAS_OPEN_RESERVATIONS", grpc.StatusCode.FAILED_PRECONDITION, errors.HasOpenReservations),
        ("PARENT_CYCLE", grpc.StatusCode.FAILED_PRECONDITION, errors.ParentCycle),
        ("TOO_DEEP", grpc.StatusCode.FAILED_PRECONDITION, errors.TooDeep),
        ("IS_TEMPLATE", grpc.StatusCode.FAILED_PRECONDITION, errors.IsTemplate),
    ],
)
def test_each_reason_of_trees_holds_and_refunds_has_its_class(
    server: FakeServer, reason: str, code: grpc.StatusCode, error_class: type[BudgetdError]
) -> None:
    got = raised_for(server, of_budgetd(code, reason))

    assert type(got) is error_class
    assert got.reason == reason


@pytest.mark.parametrize(
    "code",
    [code for code in grpc.StatusCode if code.name not in ("OK", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED")],
    ids=lambda code: code.name,
)
@pytest.mark.parametrize(
    "kind", ["no trailer", "no details", "another domain", "an empty trailer", "a trailer of noise"]
)
def test_a_status_that_is_not_of_budgetd_is_no_refusal(server: FakeServer, code: grpc.StatusCode, kind: str) -> None:
    answers = {
        "no trailer": Refusal(code, "from a proxy"),
        "no details": refusal(code, message="from a proxy"),
        "another domain": refusal(
            code, error_details_pb2.ErrorInfo(reason="BUDGET_EXCEEDED", domain="else.where"), message="from a proxy"
        ),
        "an empty trailer": Refusal(code, "from a proxy", b""),
        "a trailer of noise": Refusal(code, "from a proxy", b"\xff\xfe\x00noise"),
    }

    got = raised_for(server, answers[kind])

    assert type(got) is errors.CallFailed
    assert (got.code, got.reason) == (code, "")
    assert "from a proxy" in str(got)
    assert code.name in str(got)


def test_details_of_unknown_types_and_damaged_ones_are_passed_over() -> None:
    status = status_of(refusals.BudgetNotFound("p", "b"))
    strangers = [
        any_pb2.Any(type_url="type.googleapis.com/budgetd.v9.NotYetKnown", value=b"\x01\x02"),
        any_pb2.Any(type_url="no url at all", value=b"\xff"),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.ErrorInfo", value=b"\xff\xff"),
        any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=b"\xff\xff"),
    ]
    wrapped = any_pb2.Any()
    wrapped.Pack(wrappers_pb2.StringValue(value="other"))
    status = status_pb2.Status(code=status.code, message=status.message, details=[*strangers, wrapped, *status.details])

    got = error_of_status(status)

    assert type(got) is errors.NotFound
    assert got.retry_after_seconds is None


@pytest.mark.parametrize(
    ("code", "error_class"),
    [
        (grpc.StatusCode.FAILED_PRECONDITION, errors.FailedPrecondition),
        (grpc.StatusCode.INVALID_ARGUMENT, errors.InvalidRequest),
        (grpc.StatusCode.NOT_FOUND, errors.NotFound),
        (grpc.StatusCode.UNAUTHENTICATED, errors.Unauthenticated),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, BudgetdError),
        (grpc.StatusCode.OUT_OF_RANGE, BudgetdError),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_reason_of_a_newer_server_becomes_the_class_of_its_family(
    server: FakeServer, code: grpc.StatusCode, error_class: type[BudgetdError]
) -> None:
    got = raised_for(server, of_budgetd(code, "NEWER_THAN_THIS"))

    assert type(got) is error_class
    assert got.reason == "NEWER_THAN_THIS"


def test_a_code_that_does_not_exist_is_unknown() -> None:
    status = status_of(refusals.BudgetNotFound("p", "b"))
    status.code = 4711

    got = error_of_status(status)

    assert type(got) is errors.NotFound
    assert got.code is grpc.StatusCode.UNKNOWN


def test_the_error_of_an_item_is_the_one_that_the_request_alone_would_raise() -> None:
    for error in (INVALID, refusals.BudgetNotFound("p", "b"), refusals.UnknownModel("m")):
        alone, item = error_of_status(status_of(error)), error_of_item(item_error(error))

        assert type(item) is type(alone)
        assert item.__dict__ == alone.__dict__


def test_an_item_whose_sentence_was_left_out_still_says_something() -> None:
    got = error_of_item(budget_pb2.ItemError(code=5, reason="BUDGET_NOT_FOUND"))

    assert type(got) is errors.NotFound
    assert str(got) == "BUDGET_NOT_FOUND"


@pytest.mark.parametrize(
    "error_class", [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, BudgetdError)]
)
def test_an_error_survives_being_sent_to_another_process(error_class: type[BudgetdError]) -> None:
    error = error_class(
        "no",
        code=grpc.StatusCode.NOT_FOUND,
        reason="R",
        metadata={"a": "1"},
        field_violations=[FieldViolation("f", "d")],
        retry_after_seconds=0.5,
        request_id="id",
    )
    error.add_note("more")

    copy = pickle.loads(pickle.dumps(error))

    assert type(copy) is error_class
    assert str(copy) == "no"
    assert copy.__dict__ == error.__dict__
