"""Converts statuses, their details, and failures of gRPC itself to exceptions.

An error of budgetd is recognised by its ErrorInfo (domain "budgetd"), never by the status code alone: proxies and gRPC
use the same codes, for example RESOURCE_EXHAUSTED for a message that is too big.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from budgetd.errors import (
    CLASS_OF_REASON,
    AlreadyExists,
    BudgetdError,
    BudgetExceededError,
    CallFailed,
    DeadlineExceeded,
    FailedPrecondition,
    FieldViolation,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    ServerError,
    ServerUnreachable,
    Unauthenticated,
    Unavailable,
)
from budgetd.v1 import budget_pb2

DOMAIN = "budgetd"
STATUS_TRAILER = "grpc-status-details-bin"

_CODES: Mapping[int, grpc.StatusCode] = {code.value[0]: code for code in grpc.StatusCode}

#: The class for reasons that this version does not know. Without RESOURCE_EXHAUSTED, which need not be about a budget.
_CLASS_OF_CODE: Mapping[grpc.StatusCode, type[BudgetdError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidRequest,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.INTERNAL: ServerError,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
}

_HINTS: Mapping[grpc.StatusCode, str] = {
    grpc.StatusCode.UNIMPLEMENTED: "is that a budgetd server, and as new as this client?",
    grpc.StatusCode.CANCELLED: "the client was closed, or the server dropped the call",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "is the message above 4 MiB? This says nothing about a budget",
}

#: In gRPC's details if the server answered with HTTP/1.
_OF_HTTP_SERVERS = "http1.x server"

DetailT = TypeVar("DetailT", bound=Message)


def error_of_status(status: status_pb2.Status) -> BudgetdError | None:
    """Return the error for a status of budgetd. Returns None if the status has another origin."""
    info = _detail(status.details, error_details_pb2.ErrorInfo)
    if info is None or info.domain != DOMAIN:
        return None
    bad_request = _detail(status.details, error_details_pb2.BadRequest)
    retry = _detail(status.details, error_details_pb2.RetryInfo)
    violations = bad_request.field_violations if bad_request else ()
    code = _CODES.get(status.code, grpc.StatusCode.UNKNOWN)
    error = _class_of(info.reason, code)(
        status.message,
        code=code,
        reason=info.reason,
        metadata=info.metadata,
        field_violations=[FieldViolation(each.field, each.description) for each in violations],
        retry_after_seconds=_seconds(retry) if retry else None,
    )
    if isinstance(error, BudgetExceededError):
        error.exceeded = _detail(status.details, budget_pb2.BudgetExceeded)
    return error


def error_of_item(item: budget_pb2.ItemError) -> BudgetdError:
    """Return the error for an item of a batch: the one that the same request would raise on its own."""
    code = _CODES.get(item.code, grpc.StatusCode.UNKNOWN)
    error = _class_of(item.reason, code)(
        item.message or item.reason,
        code=code,
        reason=item.reason,
        metadata=item.metadata,
        field_violations=[FieldViolation(each.field, each.description) for each in item.field_violations],
    )
    if isinstance(error, BudgetExceededError) and item.HasField("budget_exceeded"):
        error.exceeded = item.budget_exceeded
    return error


def error_of_rpc(error: grpc.RpcError, *, target: str, has_answered: bool, proxy_variable: str = "") -> BudgetdError:
    """Return the error to raise for an error of gRPC.

    Args:
        error: The error that gRPC raised.
        target: The address, for the message.
        has_answered: True if budgetd has answered at this address before.
        proxy_variable: The environment variable that made gRPC use a proxy. Empty if no proxy was used.
    """
    call = cast(grpc.Call, error)
    code, details = call.code(), call.details() or ""
    status = _status_in(call.trailing_metadata())
    known = error_of_status(status) if status else None
    if known is not None:
        return known
    through = _through(proxy_variable, target)
    if code is grpc.StatusCode.UNAVAILABLE and has_answered:
        return Unavailable(f"the connection to budgetd at {target}{through} broke: {details}", code=code)
    if code is grpc.StatusCode.UNAVAILABLE and proxy_variable:
        return ServerUnreachable(f"no budgetd server answers at {target}{through}: {details}", code=code)
    if code is grpc.StatusCode.UNAVAILABLE and _OF_HTTP_SERVERS in details:
        return ServerUnreachable(
            f"{target} answers over HTTP, and budgetd is called over gRPC: this may be the server's HTTP port; "
            f"write its gRPC port, by default 50051: {details}",
            code=code,
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServerUnreachable(
            f"no budgetd server answers at {target}: start one with `budgetd serve`, "
            f"or give the address of another (BUDGETD_ADDRESS; with grpcs:// if it uses TLS): {details}",
            code=code,
        )
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return no_answer_in_time(f"{target}{through}")
    hint = f"; {_HINTS[code]}" if code in _HINTS else ""
    return CallFailed(
        f"{target}{through} answered {code.name}, which is not an answer of budgetd: {details}{hint}", code=code
    )


def _through(proxy_variable: str, target: str) -> str:
    """Return the words after the address in a message if a proxy was used. Empty if none was."""
    if not proxy_variable:
        return ""
    host = target.rpartition(":")[0].strip("[]")
    return f" through the proxy that the variable {proxy_variable} names (set no_proxy={host} to call it directly)"


def no_answer_in_time(target: str) -> DeadlineExceeded:
    """Return the error for a call whose deadline has passed."""
    return DeadlineExceeded(
        f"budgetd at {target} did not answer in time; whether a change took effect is unknown until the same "
        "request is sent again under the same request id",
        code=grpc.StatusCode.DEADLINE_EXCEEDED,
    )


def _class_of(reason: str, code: grpc.StatusCode) -> type[BudgetdError]:
    return CLASS_OF_REASON.get(reason) or _CLASS_OF_CODE.get(code, BudgetdError)


def _status_in(trailers: Iterable[tuple[str, str | bytes]] | None) -> status_pb2.Status | None:
    for key, value in trailers or ():
        if key == STATUS_TRAILER and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                return None  # The code and the message can still be reported.
    return None


def _detail(details: Iterable[Any], detail_class: type[DetailT]) -> DetailT | None:
    """Return the first detail of a type. Details of other types, and damaged ones, are skipped."""
    for packed in details:
        if packed.TypeName() == detail_class.DESCRIPTOR.full_name:
            try:
                return detail_class.FromString(packed.value)
            except DecodeError:
                continue
    return None


def _seconds(retry: error_details_pb2.RetryInfo) -> float:
    return float(retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9)
