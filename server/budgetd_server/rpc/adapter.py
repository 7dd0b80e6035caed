"""Adapts handlers to gRPC: parses and serializes, maps errors to statuses, and counts every call.

One adapter replaces a chain of interceptors: it also has to catch malformed messages, which gRPC parses before any
interceptor sees them, and each layer would cost time in every call.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass

from budgetd_server.connections import peer_name
from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.engine.answer_room import COUNTED_BYTES_MIN, AnswerRoom, Held
from budgetd_server.engine.in_flight import InFlight
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.answer_pages import ANSWER_BYTES_MAX
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.errors import STATUS_TRAILER
from budgetd_server.rpc.failures import failure_status
from budgetd_server.rpc.handlers import SERVICE, Handler, Handlers

Context = grpc.aio.ServicerContext[Any, Any]

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_GO_CODES = {grpc.StatusCode.OK: "OK", grpc.StatusCode.CANCELLED: "Canceled"}
_USUAL_CODES = (
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
)


class _Methods(grpc.GenericRpcHandler):
    """The methods of BudgetService. Calls of unknown methods share one label, to bound cardinality."""

    def __init__(self, methods: "Mapping[str, grpc.RpcMethodHandler[Any, Any]]", metrics: Metrics) -> None:
        self._methods = {f"/{SERVICE.full_name}/{name}": method for name, method in methods.items()}
        labels = ("unary", SERVICE.full_name, "unknown")
        self._started = metrics.rpcs_started.labels(*labels)
        self._handled = metrics.rpcs_handled.labels(*labels, go_code(grpc.StatusCode.UNIMPLEMENTED))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[Any, Any] | None":
        """Find the method of a call. Returns None if it is unknown, and gRPC answers UNIMPLEMENTED."""
        name = handler_call_details.method
        method = self._methods.get(name)
        if method is None and name.startswith(f"/{SERVICE.full_name}/"):
            self._started.inc()
            self._handled.inc()
        return method


def generic_handler(
    handlers: Handlers, metrics: Metrics, in_flight: InFlight, room: AnswerRoom
) -> grpc.GenericRpcHandler:
    """Create the gRPC handler that serves all of BudgetService."""
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        method.name: grpc.unary_unary_rpc_method_handler(
            _adapted(method, handlers[method.name], metrics, in_flight, room)
        )
        for method in SERVICE.methods
    }
    return _Methods(methods, metrics)


def go_code(code: grpc.StatusCode) -> str:
    """Return a status code in the form of gRPC for Go, which dashboards expect: NotFound for NOT_FOUND."""
    return _GO_CODES.get(code) or "".join(part.capitalize() for part in code.name.split("_"))


def _adapted(
    method: MethodDescriptor, handler: Handler, metrics: Metrics, in_flight: InFlight, room: AnswerRoom
) -> Callable[[bytes, Context], Awaitable[bytes]]:
    name, request_class = method.name, GetMessageClass(method.input_type)
    # A page may be as large as the largest answer, so its memory is reserved before it is built.
    is_page = "next_page_token" in method.output_type.fields_by_name
    labels = ("unary", SERVICE.full_name, name)
    started = metrics.rpcs_started.labels(*labels)
    seconds = metrics.rpc_seconds.labels(*labels)
    handled = {
        code: metrics.rpcs_handled.labels(*labels, go_code(code)) for code in _CODES.values() if code in _USUAL_CODES
    }

    def count(code: grpc.StatusCode) -> None:
        child = handled.get(code)
        if child is None:
            child = handled[code] = metrics.rpcs_handled.labels(*labels, go_code(code))
        child.inc()

    async def call(body: bytes, context: Context) -> bytes:
        started.inc()
        in_flight.began()
        began = time.perf_counter()
        try:
            in_flight.admit()
            request = _parsed(request_class, body)
            held = await _held_for_page(room, context, in_flight) if is_page else None
            response = await handler(request, RpcCaller(context.time_remaining()))
            answer = response.SerializeToString()
            if held is not None or len(answer) >= COUNTED_BYTES_MIN:
                (held or _held(room, context, in_flight, len(answer))).send(len(answer))
            count(grpc.StatusCode.OK)
            return answer  # noqa: TRY300 - the other outcomes follow below.
        except asyncio.CancelledError:
            count(grpc.StatusCode.CANCELLED)
            raise
        except Exception as error:  # noqa: BLE001 - anything but a refusal is logged with its traceback.
            status = failure_status(error, rpc=name, metrics=metrics)
        finally:
            seconds.observe(time.perf_counter() - began)
            in_flight.ended()
        count(_CODES[status.code])
        await context.abort(_CODES[status.code], status.message, ((STATUS_TRAILER, status.SerializeToString()),))
        raise AssertionError("abort does not return")

    return call


async def _held_for_page(room: AnswerRoom, context: Context, in_flight: InFlight) -> Held:
    return _released(await room.wait(peer_name(context.peer()), ANSWER_BYTES_MAX), context, in_flight)


def _held(room: AnswerRoom, context: Context, in_flight: InFlight, size: int) -> Held:
    return _released(room.take(peer_name(context.peer()), size), context, in_flight)


def _released(held: Held, context: Context, in_flight: InFlight) -> Held:
    """Release a reservation of memory once gRPC has written or dropped the answer; until then the call is in flight."""
    in_flight.began()

    def release(_: object) -> None:
        held.release()
        in_flight.ended()

    context.add_done_callback(release)  # type: ignore[arg-type]  # The stub is wrong: it takes a function.
    return held


def _parsed(request_class: type[Message], body: bytes) -> Message:
    try:
        return request_class.FromString(body)
    except DecodeError:
        violation = FieldViolation("", f"the body of {len(body)} bytes is not a {request_class.DESCRIPTOR.full_name}")
        raise InvalidField([violation]) from None
