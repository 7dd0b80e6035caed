"""The errors of failing calls: a code, a reason, details to act on, and nothing of the server's internals."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain import errors
from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.budget import Action, Unit
from budgetd_server.domain.counting import Part
from budgetd_server.domain.errors import BrokenRule, BudgetError, FieldViolation, InvalidField, StoreUnavailable, Term
from budgetd_server.domain.status import LimitStatus
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Span
from budgetd_server.domain.window_rules import WindowTerm
from budgetd_server.rpc.errors import DETAILS_BYTES_MAX, FIELDS, SENTENCE_BYTES_MAX, STATUS, item_error, status_of
from budgetd_server.rpc.limit_requests import WINDOW_FIELDS
from tests.engine.watched_ledger import WatchedLedger
from tests.rpc.conftest import Start
from tests.rpc.failures import Failure, failure, failure_of
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT, RunningServer, Setup
from tests.rpc.valid_requests import HOUR, VALID, failure_of_changed

FIRST_FIELDS = {rpc: set(request.DESCRIPTOR.fields_by_name) for rpc, request in VALID.items()}
DOCS = Path(__file__).parents[2] / "docs" / "errors.md"
#: What an unexpected error says, and no caller may see.
SECRET = "/var/lib/ledger.db: sqlite3.OperationalError in Traceback"
LEAKS = ("/", "\\", "sqlite", "Traceback", "Error(", ".py", "object at 0x")


def _concrete(base: type[BudgetError]) -> Iterator[type[BudgetError]]:
    for each in base.__subclasses__():
        if hasattr(each, "reason"):
            yield each
        yield from _concrete(each)


@pytest.fixture
def watched(start: Start) -> tuple[RunningServer, WatchedLedger]:
    """A server over a ledger that can be held up or made to fail."""
    ledgers: list[WatchedLedger] = []

    def wrap(ledger: Any) -> WatchedLedger:
        ledgers.append(WatchedLedger(ledger))
        return ledgers[0]

    server = start(Setup(wrap=wrap, queue_max=1))
    return server, ledgers[0]


# --- The table of errors.


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == set(_concrete(BudgetError))


def test_every_reason_is_one_errors_alone_and_of_a_sound_form() -> None:
    reasons = [error.reason for error in STATUS]

    assert len(set(reasons)) == len(reasons)
    assert all(re.fullmatch(r"[A-Z][A-Z_]{1,62}", reason) for reason in reasons)


def _documented() -> Mapping[str, str]:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `([A-Z_]+)` \| \S.* \| \S.* \|$", DOCS.read_text("utf-8"), re.MULTILINE)
    return dict(rows)


def test_every_reason_is_documented_with_its_code_cause_and_remedy() -> None:
    assert _documented() == {error.reason: code.name for error, code in STATUS.items()} | {"INTERNAL": "INTERNAL"}


def test_every_reason_of_the_domain_is_known_to_the_docstring_of_its_module() -> None:
    for error in STATUS:
        assert error.__name__ in (errors.__doc__ or "")


def test_every_term_of_the_domain_has_a_field_of_the_contract() -> None:
    fields = {field for message in FIRST_FIELDS.values() for field in message}

    assert set(FIELDS) == set(Term)
    assert set(WINDOW_FIELDS) == set(WindowTerm)
    for path in WINDOW_FIELDS.values():
        kind, field = path.split(".")
        message = pb.Window.DESCRIPTOR.fields_by_name[kind].message_type
        assert message is not None
        assert field in message.fields_by_name
    assert {path.split(".")[0] for path in FIELDS.values()} <= fields


def test_a_broken_rule_of_the_domain_arrives_under_the_path_of_its_field() -> None:
    error = InvalidField([FieldViolation("labels", "must be few")], broken=[BrokenRule(Term.LIMIT_TO_RESET, "no", 2)])

    assert str(error) == "labels: must be few; limit to reset: no"
    assert status_of(error).message == item_error(error).message == "labels: must be few; limit_ids[2]: no"
    assert [each.field for each in item_error(error).field_violations] == ["labels", "limit_ids[2]"]


# --- Refusals, as they arrive.


BUDGET_RPCS = [rpc for rpc, request in VALID.items() if "budget_id" in request.DESCRIPTOR.fields_by_name]


@pytest.mark.parametrize("rpc", sorted({*BUDGET_RPCS, "UpdateBudget"} - {"ListEntries", "ListReservations"}))
def test_a_missing_budget_is_named_as_a_resource(rpc: str, server: RunningServer) -> None:
    failed = failure_of_changed(server, rpc)

    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "BUDGET_NOT_FOUND")
    assert failed.message == "project 'project' has no budget 'alice'"
    assert dict(failed.info.metadata) == {"project_id": PROJECT, "budget_id": "alice"}
    resource = failed.detail(error_details_pb2.ResourceInfo)
    assert resource is not None
    assert (resource.resource_type, resource.resource_name) == ("budgetd.v1.Budget", "project/alice")
    assert server.stored()["projects"] == []


def test_entries_of_a_budget_that_never_was_are_refused(server: RunningServer) -> None:
    failed = failure_of_changed(server, "ListEntries", budget_id="alice")

    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "BUDGET_NOT_FOUND")


def test_a_budget_that_exists_is_named_and_left_as_it_is(server: RunningServer) -> None:
    server.create("new", pb.Limit(amount=5))
    before = server.stored()

    failed = failure_of_changed(server, "CreateBudget")

    assert (failed.code, failed.reason) == (grpc.StatusCode.ALREADY_EXISTS, "BUDGET_EXISTS")
    resource = failed.detail(error_details_pb2.ResourceInfo)
    assert resource is not None
    assert resource.resource_name == "project/new"
    assert server.stored() == before


@pytest.mark.parametrize("rpc", ["UpdateBudget", "DeleteBudget"])
def test_another_etag_is_refused_with_the_current_one(rpc: str, server: RunningServer) -> None:
    etag = server.create().etag
    before = server.stored()
    request: Any = type(VALID[rpc])()
    request.CopyFrom(VALID[rpc])
    (request.budget if rpc == "UpdateBudget" else request).etag = "9-9"

    failed = failure(lambda: server.call(rpc, request))

    assert (failed.code, failed.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert dict(failed.info.metadata) == {"etag": "9-9", "current_etag": etag}
    assert server.stored() == before


def test_a_reset_on_duration_without_a_window_is_refused(server: RunningServer) -> None:
    server.create("alice", pb.Limit(amount=5))
    before = server.stored()

    failed = failure_of_changed(server, "ResetOnDuration")

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "NO_WINDOW")
    assert server.stored() == before


def test_giving_back_more_than_was_spent_is_refused_with_both_numbers(server: RunningServer) -> None:
    server.create()
    server.charge(5)
    before = server.stored()

    failed = failure_of_changed(server, "AdjustCost", amount_nano_usd=-6)

    assert (failed.code, failed.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "BELOW_ZERO")
    assert dict(failed.info.metadata) == {"amount_nano_usd": "-6", "spent_nano_usd": "5"}
    assert server.stored() == before


def test_a_charge_that_would_overflow_a_counter_is_refused_alone(server: RunningServer) -> None:
    server.create()
    dearest = cost_pb.UpdateCostRequest(budget_id="alice", cost_nano_usd=10**15)
    for items in (8_000, 999):
        server.stub.BatchUpdateCost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[dearest] * items))

    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[dearest] * 3)
    first, second, third = server.stub.BatchUpdateCost(batch).results

    assert first.charged.cost_nano_usd == 10**15
    assert second.error.reason == third.error.reason == "COUNTER_OVERFLOW"
    assert second.error.metadata["value"] == str(9 * 10**18)
    assert server.spent() == 9 * 10**18


def test_a_request_id_with_other_content_is_refused(server: RunningServer) -> None:
    server.create()
    server.charge(5, request_id="r1")
    before = server.stored()

    failed = failure(lambda: server.charge(6, request_id="r1"))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert dict(failed.info.metadata) == {"request_id": "r1"}
    assert server.stored() == before


# --- Errors to retry.


def test_a_full_queue_reports_when_to_retry(watched: tuple[RunningServer, WatchedLedger]) -> None:
    server, ledger = watched
    server.create()
    server.loop.call(ledger.before_commit.close)
    waiting: Any = server.stub.UpdateCost
    waiting = waiting.future(cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=1))
    server.loop.run(ledger.before_commit.arrival())

    failed = failure(lambda: server.charge(1))

    server.loop.call(ledger.before_commit.open)
    waiting.result(PATIENCE_SECONDS)
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "QUEUE_FULL")
    assert dict(failed.info.metadata) == {"queue_max": "1"}
    _assert_retry(failed, nanos=100_000_000)
    assert server.spent() == 1


@pytest.mark.parametrize("is_committed", [False, True], ids=["before the commit", "behind the commit"])
def test_an_error_of_the_store_is_settled_by_the_same_request_id(
    watched: tuple[RunningServer, WatchedLedger], is_committed: bool
) -> None:
    server, ledger = watched
    server.create()
    error = StoreUnavailable("the store could not write (full)", metadata={"kind": "full"})
    (ledger.failures_after_commit if is_committed else ledger.failures).append(error)

    failed = failure(lambda: server.charge(5, request_id="r1"))
    again = server.charge(5, request_id="r1")

    assert (failed.code, failed.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert dict(failed.info.metadata) == {"kind": "full"}
    _assert_retry(failed, nanos=500_000_000)
    assert again.replayed is is_committed
    assert server.spent() == 5


def _assert_retry(failed: Failure, *, nanos: int) -> None:
    retry = failed.detail(error_details_pb2.RetryInfo)
    assert retry is not None
    assert (retry.retry_delay.seconds, retry.retry_delay.nanos) == (0, nanos)


# --- Internal errors.


def _assert_reveals_nothing(failed: Failure) -> None:
    sent = [failed.message, failed.status.message, str(failed.info)]
    assert not [leak for leak in LEAKS for text in sent if leak in text]


@pytest.mark.parametrize("is_read", [False, True], ids=["in a write", "in a read"])
def test_an_unexpected_error_returns_an_incident_id_that_is_in_the_log_and_nothing_else(
    watched: tuple[RunningServer, WatchedLedger], is_read: bool, caplog: pytest.LogCaptureFixture, capsys: Any
) -> None:
    server, ledger = watched
    server.create()
    before = server.stored()
    (ledger.load_failures if is_read else ledger.failures).extend([RuntimeError(SECRET)] * 2)

    failed = failure(server.spent if is_read else lambda: server.charge(1))

    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    _assert_reveals_nothing(failed)
    (incident_id,) = dict(failed.info.metadata).values()
    assert incident_id in failed.message
    logged = caplog.text + "".join(capsys.readouterr())
    assert incident_id in logged
    assert SECRET in logged
    assert server.stored() == before


def test_no_refusal_reveals_anything_about_the_machine(server: RunningServer) -> None:
    """Each RPC, refused in every way that an empty, a missing and a strange name can bring about."""
    for rpc in VALID:
        for body in (b"", b"\xff", VALID[rpc].SerializeToString(), VALID[rpc].SerializeToString() + b"\x07"):
            try:
                server.call(rpc, body)
            except grpc.RpcError as error:
                _assert_reveals_nothing(failure_of(error))


# --- Sizes.


@pytest.mark.parametrize("character", ["x", "%", "é", "😀", "\u202e"], ids=["ASCII", "percent", "é", "emoji", "bidi"])
def test_hundreds_of_violations_of_long_values_arrive_in_a_small_trailer(server: RunningServer, character: str) -> None:
    text = character * 400
    budget = pb.Budget(project_id=text, budget_id=text, limits=[pb.Limit(limit_id=text, window=pb.Window(fixed=HOUR))])
    budget.labels.update({f"{n:02}{text}": text for n in range(64)})

    failed = failure(lambda: server.stub.CreateBudget(service.CreateBudgetRequest(budget=budget, request_id=text)))

    assert failed.reason == "INVALID_FIELD"
    assert failed.info.metadata["violations"] == str(2 + 2 + 2 * 64 + 1)
    assert 3 <= len(failed.violations) <= 16
    assert list(failed.violations)[:2] == ["budget.project_id", "budget.budget_id"]
    assert failed.message.startswith("133 bad fields: budget.project_id: ")
    encoded = sum(1 if " " <= each <= "~" and each != "%" else 3 * len(each.encode()) for each in failed.message)
    assert encoded <= SENTENCE_BYTES_MAX + len("%E2%80%A6")
    assert failed.trailer_bytes + encoded < DETAILS_BYTES_MAX


def _longest() -> list[BudgetError]:
    """Each error with the longest names that it can have."""
    name = "😀" * 64
    return [
        InvalidField([FieldViolation(name * 2, name * 4)] * 500),
        errors.RequestIdReused("%" * 64),
        errors.UnknownModel(name, provider=name, near=[name] * 3, version="v" * 100),
        errors.UnknownModel(name, provider=name, zero_row=name, version="v" * 100),
        errors.UnpricedUsage(name, "cached_audio_input_tokens", value=name, version="v" * 100),
        errors.BudgetNotFound(name, name),
        errors.BudgetExists(name, name),
        errors.ReservationNotFound(name, "r" * 64),
        errors.EntryNotFound(name, name, "e" * 64),
        errors.HasChildren(name, 10**9),
        errors.HasOpenReservations(name, 10**9),
        errors.ParentCycle(name, name),
        errors.TooDeep(name, depth=9, depth_max=8),
        errors.IsTemplate(name),
        errors.AlreadySettled("r" * 64, "COMMITTED"),
        errors.RefundExceedsEntry("e" * 64, amount_nano_usd=-(10**15), left_nano_usd=10**18),
        _exceeded(name, 64 * 33),
        errors.EtagMismatch("😀" * 10_000, "1-1"),
        errors.NoWindow(name, name),
        errors.BelowZero(amount_nano_usd=-(10**15), spent_nano_usd=10**18, of=name),
        errors.CounterOverflow(counter=name, value=10**18, added=10**18),
        errors.QueueFull(10**9),
        StoreUnavailable(name * 100, metadata={"kind": name}),
        errors.ShuttingDown(),
        errors.AnswersUnread(of_connection=10**9, in_all=10**9),
    ]


def _exceeded(name: str, limits: int) -> BudgetExceeded:
    """A refusal by so many limits, each with patterns."""
    status = LimitStatus(
        name,
        name,
        10**18,
        10**18,
        Span(1, 2 * 10**15),
        Action.BLOCK,
        10**18,
        10**15,
        Unit.TOKENS,
        10**18,
        (name,) * 64,
    )
    return BudgetExceeded([status] * limits, Part(10**15, Usage(10**12, 10**12), 1), 86_400 * 10**6)


@pytest.mark.parametrize("name", ["alice", "😀" * 64], ids=["usual", "long"])
@pytest.mark.parametrize("limits", [1, 2, 16, 17, 64 * 33])
def test_a_refusal_has_as_many_limits_as_fit_and_counts_the_rest(name: str, limits: int) -> None:
    error = _exceeded(name, limits)
    status = status_of(error)
    details = {detail.TypeName(): detail for detail in status.details}

    sent = pb.BudgetExceeded.FromString(details["budgetd.v1.BudgetExceeded"].value)
    assert list(details)[:2] == ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"]
    assert "google.rpc.QuotaFailure" in details
    assert len(sent.limits) + sent.omitted_limits == limits
    assert len(sent.limits) >= 1
    assert item_error(error).budget_exceeded == sent
    assert status.ByteSize() <= DETAILS_BYTES_MAX


def test_no_error_passes_the_bound_of_its_details_nor_loses_one() -> None:
    assert {type(error) for error in _longest()} == set(STATUS)
    for error in _longest():
        status = status_of(error)

        assert status.ByteSize() <= DETAILS_BYTES_MAX, error
        kinds = [detail.TypeName() for detail in status.details]
        assert kinds[0] == "google.rpc.ErrorInfo"
        assert len(kinds) == 1 or not isinstance(error, InvalidField) or kinds[1] == "google.rpc.BadRequest"


def test_an_items_error_is_that_of_the_single_call() -> None:
    for error in _longest():
        item, status = item_error(error), status_of(error)
        info = error_details_pb2.ErrorInfo()
        status.details[0].Unpack(info)

        assert (item.code, item.message) == (status.code, status.message)
        assert (item.reason, dict(item.metadata)) == (info.reason, dict(info.metadata))
