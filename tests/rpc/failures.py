"""The parts of the error of a failed call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

STATUS_TRAILER = "grpc-status-details-bin"
M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """The status of a call that failed."""

    code: grpc.StatusCode
    message: str
    status: status_pb2.Status
    #: The keys and values of all trailers, in bytes.
    trailer_bytes: int

    def detail(self, kind: type[M]) -> M | None:
        """The detail of that kind, None if there is none."""
        found = kind()
        for detail in self.status.details:
            if detail.Unpack(found):
                return found
        return None

    @property
    def info(self) -> error_details_pb2.ErrorInfo:
        """The ErrorInfo, which every error of budgetd's own has."""
        info = self.detail(error_details_pb2.ErrorInfo)
        assert info is not None, f"no ErrorInfo: {self}"
        return info

    @property
    def reason(self) -> str:
        """The machine-readable reason."""
        return str(self.info.reason)

    @property
    def violations(self) -> Mapping[str, str]:
        """The description of each bad field by its path."""
        bad = self.detail(error_details_pb2.BadRequest)
        return {} if bad is None else {each.field: each.description for each in bad.field_violations}

    @property
    def retry_seconds(self) -> float | None:
        """How long the caller is asked to wait. None if the error does not say."""
        retry = self.detail(error_details_pb2.RetryInfo)
        return None if retry is None else retry.retry_delay.ToMicroseconds() / 1e6


def failure_of(error: Any) -> Failure:
    """Take an error apart; it is a grpc.RpcError and a grpc.Call at once."""
    trailers = dict(error.trailing_metadata() or ())
    body = trailers.get(STATUS_TRAILER, b"")
    return Failure(
        code=error.code(),
        message=error.details() or "",
        status=status_pb2.Status.FromString(body if isinstance(body, bytes) else body.encode()),
        trailer_bytes=sum(len(key) + len(value) for key, value in trailers.items()),
    )


def failure(call: Callable[[], object]) -> Failure:
    """The failure of a call that has to fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return failure_of(raised.value)
