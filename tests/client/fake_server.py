"""A gRPC server with scripted answers that records its requests."""

import threading
from collections.abc import Callable, Iterable
from concurrent import futures
from typing import Any, NamedTuple

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.rpc import error_details_pb2, status_pb2

from budgetd.v1 import budget_service_pb2 as service

SERVICE = service.DESCRIPTOR.services_by_name["BudgetService"]
STATUS_TRAILER = "grpc-status-details-bin"


class Asked(NamedTuple):
    """One call, as the server saw it."""

    rpc: str
    request: Any
    metadata: dict[str, Any]
    #: None: the client set no deadline.
    seconds_left: float | None


class Refusal(NamedTuple):
    """An answer that is an error."""

    code: grpc.StatusCode
    message: str = "no"
    #: The value of the status trailer; None: there is none.
    trailer: bytes | None = None


def refusal(code: grpc.StatusCode, *details: Message, message: str = "no") -> Refusal:
    """An error with a trailer of these details."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return Refusal(code, message, status.SerializeToString())


def of_budgetd(code: grpc.StatusCode, reason: str, *more: Message, **metadata: str) -> Refusal:
    """An error as budgetd sends it."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain="budgetd", metadata=metadata)
    return refusal(code, info, *more)


class FakeServer:
    """Serves BudgetService on a port of 127.0.0.1. Without a script, calls succeed with an empty response."""

    def __init__(self, port: int = 0) -> None:
        self.asked: list[Asked] = []
        self.next_answers: list[Refusal] = []
        #: While it is not set, calls hang.
        self.may_answer = threading.Event()
        self.may_answer.set()
        self._server = grpc.server(futures.ThreadPoolExecutor(16), options=[("grpc.so_reuseport", 0)])
        handlers = {method.name: self._handler(method.name) for method in SERVICE.methods}
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE.full_name, handlers),))
        self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        self._server.start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def will_answer(self, answers: Iterable[Refusal]) -> None:
        """Answer the next calls so, whatever they ask."""
        self.next_answers = list(answers)

    def stop(self) -> None:
        """Stop at once."""
        self.may_answer.set()
        self._server.stop(None).wait()

    def break_off(self) -> None:
        """End every connection and its calls, and stop listening."""
        self._server.stop(None)

    def _handler(self, rpc: str) -> "grpc.RpcMethodHandler[Any, Any]":
        method = SERVICE.methods_by_name[rpc]
        request_class, response_class = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
        return grpc.unary_unary_rpc_method_handler(
            self._behaviour(rpc, response_class), request_class.FromString, response_class.SerializeToString
        )

    def _behaviour(self, rpc: str, response_class: type[Message]) -> Callable[[Message, grpc.ServicerContext], Message]:
        def answer(request: Message, context: grpc.ServicerContext) -> Message:
            metadata = dict(context.invocation_metadata())
            self.asked.append(Asked(rpc, request, metadata, context.time_remaining()))
            self.may_answer.wait(10)
            if self.next_answers:
                script = self.next_answers.pop(0)
                if script.trailer is not None:
                    context.set_trailing_metadata(((STATUS_TRAILER, script.trailer),))
                context.abort(script.code, script.message)
            return response_class()

        return answer
