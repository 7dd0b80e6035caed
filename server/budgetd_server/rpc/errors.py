"""Maps every error to what a caller gets: a status code, a sentence, and details to act on."""

from collections.abc import Mapping

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.budget import Unit
from budgetd_server.domain.errors import (
    AlreadySettled,
    AnswersUnread,
    BelowZero,
    BrokenRule,
    BudgetError,
    BudgetExists,
    BudgetNotFound,
    CounterOverflow,
    EntryNotFound,
    EtagMismatch,
    FieldViolation,
    HasChildren,
    HasOpenReservations,
    InvalidField,
    IsTemplate,
    NoWindow,
    ParentCycle,
    QueueFull,
    RefundExceedsEntry,
    RequestIdReused,
    ReservationNotFound,
    ShuttingDown,
    StoreUnavailable,
    Term,
    TooDeep,
    Unavailable,
    UnknownModel,
    UnpricedUsage,
)
from budgetd_server.rpc import answers

DOMAIN = "budgetd"
STATUS_TRAILER = "grpc-status-details-bin"
#: Limit of all details together: larger trailers were lost, and a bare RESOURCE_EXHAUSTED arrived in their place.
DETAILS_BYTES_MAX = 6 * 1024
#: Limit of the sentence, which gRPC sends a second time, percent-encoded, in addition to the details.
SENTENCE_BYTES_MAX = 1_000
VIOLATIONS_MAX = 16

STATUS: Mapping[type[BudgetError], grpc.StatusCode] = {
    InvalidField: grpc.StatusCode.INVALID_ARGUMENT,
    RequestIdReused: grpc.StatusCode.INVALID_ARGUMENT,
    UnknownModel: grpc.StatusCode.INVALID_ARGUMENT,
    UnpricedUsage: grpc.StatusCode.INVALID_ARGUMENT,
    BudgetNotFound: grpc.StatusCode.NOT_FOUND,
    BudgetExists: grpc.StatusCode.ALREADY_EXISTS,
    ReservationNotFound: grpc.StatusCode.NOT_FOUND,
    EntryNotFound: grpc.StatusCode.NOT_FOUND,
    EtagMismatch: grpc.StatusCode.ABORTED,
    BudgetExceeded: grpc.StatusCode.RESOURCE_EXHAUSTED,
    HasChildren: grpc.StatusCode.FAILED_PRECONDITION,
    HasOpenReservations: grpc.StatusCode.FAILED_PRECONDITION,
    AlreadySettled: grpc.StatusCode.FAILED_PRECONDITION,
    ParentCycle: grpc.StatusCode.FAILED_PRECONDITION,
    TooDeep: grpc.StatusCode.FAILED_PRECONDITION,
    RefundExceedsEntry: grpc.StatusCode.FAILED_PRECONDITION,
    IsTemplate: grpc.StatusCode.FAILED_PRECONDITION,
    NoWindow: grpc.StatusCode.FAILED_PRECONDITION,
    BelowZero: grpc.StatusCode.FAILED_PRECONDITION,
    CounterOverflow: grpc.StatusCode.FAILED_PRECONDITION,
    QueueFull: grpc.StatusCode.UNAVAILABLE,
    StoreUnavailable: grpc.StatusCode.UNAVAILABLE,
    ShuttingDown: grpc.StatusCode.UNAVAILABLE,
    AnswersUnread: grpc.StatusCode.UNAVAILABLE,
}


#: The fields of the contract's requests by the terms of the domain.
FIELDS: Mapping[Term, str] = {
    Term.ADDITIONAL_BUDGETS: "additional_budget_ids",
    Term.TEMPLATE_OF_BUDGET: "template_budget_id",
    Term.MODEL_OF_CORRECTION: "model",
    Term.LIMIT_TO_RESET: "limit_ids",
    Term.LIMITS_OF_BUDGET: "budget.limits",
    Term.PARENT_OF_BUDGET: "budget.parent_budget_id",
    Term.IS_TEMPLATE: "budget.is_template",
}


def in_fields(error: BudgetError) -> BudgetError:
    """Return the same error with the fields of the contract in place of the terms of the domain."""
    if not isinstance(error, InvalidField) or not error.broken:
        return error
    of_edges = error.violations[: len(error.violations) - len(error.broken)]
    return InvalidField([*of_edges, *(FieldViolation(_path(each), each.description) for each in error.broken)])


def _path(broken: BrokenRule) -> str:
    field = FIELDS[broken.term]
    return field if broken.position is None else f"{field}[{broken.position}]"


def sentence(error: BudgetError) -> str:
    """Return the message for people, of bounded length."""
    message = error.message
    if isinstance(error, InvalidField) and len(error.violations) > VIOLATIONS_MAX:
        message = f"{len(error.violations)} bad fields: {message}"
    return _cut(message)


def status_of(error: BudgetError) -> status_pb2.Status:
    """Build the complete status of an error, as sent in the trailer."""
    error = in_fields(error)
    code: int = STATUS[type(error)].value[0]
    status = status_pb2.Status(code=code, message=sentence(error))
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=_metadata(error))
    for detail in (info, *_more_details(error)):
        packed = _packed(detail)
        if status.ByteSize() + packed.ByteSize() <= DETAILS_BYTES_MAX:
            status.details.append(packed)
    return status


def internal_status(incident_id: str) -> status_pb2.Status:
    """Build the status of an internal error: only an id, under which the log has the details."""
    status = status_pb2.Status(
        code=grpc.StatusCode.INTERNAL.value[0],
        message=f"internal error; the server's log has the details under {incident_id}",
    )
    info = error_details_pb2.ErrorInfo(reason="INTERNAL", domain=DOMAIN, metadata={"incident_id": incident_id})
    status.details.append(_packed(info))
    return status


def item_error(error: BudgetError) -> pb.ItemError:
    """Encode the error of one item of a batch."""
    error = in_fields(error)
    item = pb.ItemError(
        code=STATUS[type(error)].value[0],
        reason=error.reason,
        message=sentence(error),
        metadata=_metadata(error),
    )
    if isinstance(error, InvalidField):
        item.field_violations.extend(
            pb.FieldViolation(field=field, description=description)
            for field, description in error.violations[:VIOLATIONS_MAX]
        )
    if isinstance(error, BudgetExceeded):
        item.budget_exceeded.CopyFrom(exceeded(error))
    return item


def _cut(text: str) -> str:
    """Cut a text to what gRPC sends in SENTENCE_BYTES_MAX bytes, where a byte that is not plain ASCII takes three."""
    if len(text) <= SENTENCE_BYTES_MAX and text.isascii() and text.isprintable() and "%" not in text:
        return text
    sent_bytes = 0
    for index, character in enumerate(text):
        sent_bytes += 1 if " " <= character <= "~" and character != "%" else 3 * len(character.encode())
        if sent_bytes > SENTENCE_BYTES_MAX:
            return f"{text[:index]}…"
    return text


def _metadata(error: BudgetError) -> dict[str, str]:
    metadata = dict(error.metadata)
    if isinstance(error, InvalidField):
        metadata["violations"] = str(len(error.violations))
    return metadata


def _bad_request(error: InvalidField) -> error_details_pb2.BadRequest:
    """Encode only the first violations, so that the details are not lost."""
    bad = error_details_pb2.BadRequest()
    for field, description in error.violations[:VIOLATIONS_MAX]:
        bad.field_violations.add(field=field, description=description)
        if bad.ByteSize() > DETAILS_BYTES_MAX // 2:
            del bad.field_violations[-1]
            break
    return bad


def _more_details(error: BudgetError) -> list[Message]:
    match error:
        case InvalidField():
            return [_bad_request(error)]
        case BudgetNotFound() | BudgetExists():
            return [_resource("Budget", error.project_id, error.budget_id)]
        case ReservationNotFound():
            return [_resource("Reservation", error.project_id, error.reservation_id)]
        case EntryNotFound():
            return [_resource("Entry", error.project_id, error.entry_id)]
        case BudgetExceeded():
            return [*_retry_info(error), exceeded(error), _quota_failure(error)]
        case Unavailable():
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromMilliseconds(int(error.retry_after_seconds * 1000))
            return [retry]
    return []


def exceeded(error: BudgetExceeded) -> pb.BudgetExceeded:
    """Encode the exceeded limits, worst first, as many as surely fit; the others are only counted."""
    message = pb.BudgetExceeded(
        requested_nano_usd=error.requested.cost_nano_usd, requested_tokens=error.requested.of(Unit.TOKENS)
    )
    for status in error.limits[:VIOLATIONS_MAX]:
        # The model patterns of a limit alone may exceed the limit of all details.
        message.limits.append(answers.limit_status(status._replace(models=())))
        if message.ByteSize() > DETAILS_BYTES_MAX // 3:
            del message.limits[-1]
            break
    message.omitted_limits = len(error.limits) - len(message.limits)
    return message


def _quota_failure(error: BudgetExceeded) -> error_details_pb2.QuotaFailure:
    """Encode the exceeded limits as standard details, for programs that know only these."""
    failure = error_details_pb2.QuotaFailure()
    for status in error.limits[:VIOLATIONS_MAX]:
        failure.violations.add(
            subject="/".join(part for part in (status.budget_id, status.limit_id) if part),
            description=f"{status.spent} spent and {status.held} held of {status.amount} {status.unit.name}",
        )
        if failure.ByteSize() > DETAILS_BYTES_MAX // 4:
            del failure.violations[-1]
            break
    return failure


def _retry_info(error: BudgetExceeded) -> list[Message]:
    """Encode when every limit could have room again. Returns an empty list if one never will."""
    if error.retry_after_us is None:
        return []
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMicroseconds(error.retry_after_us)
    return [retry]


def _resource(kind: str, project_id: str, name: str) -> error_details_pb2.ResourceInfo:
    return error_details_pb2.ResourceInfo(resource_type=f"budgetd.v1.{kind}", resource_name=f"{project_id}/{name}")


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed
