"""A clock that only sleeping moves, and transports that answer from a list, for both kinds of client."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from google.protobuf.message import Message

from budgetd import AsyncBudgetClient, BudgetClient, CallPolicy
from budgetd.address import parse_address
from budgetd.calls.rpc import ResponseT, UnaryRpc
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT
from budgetd.transport.channel import Endpoint, GrpcTransport


class FakeClock:
    """Seconds that pass during sleeps and calls."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.slept.append(seconds)
        self.now += seconds

    async def async_sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.sleep(seconds)


class Attempt(NamedTuple):
    """One attempt, as the transport saw it."""

    rpc: str
    request: Any
    timeout_seconds: float


class Script:
    """What a transport answers: an error for each attempt in turn, and then success.

    Args:
        errors: What is raised, in order; the last one for ever if `forever`.
        attempt_seconds: How long each attempt takes.
        before_attempt: Called at the start of each, with its number, from 1.
    """

    def __init__(
        self,
        clock: FakeClock,
        errors: Sequence[BudgetdError] = (),
        *,
        forever: bool = False,
        attempt_seconds: float = 0.0,
        before_attempt: Callable[[int], None] | None = None,
    ) -> None:
        self.clock, self.attempts, self.is_closed = clock, list[Attempt](), False
        self._errors, self._forever = list(errors), forever
        self._attempt_seconds, self._before_attempt = attempt_seconds, before_attempt

    def answer(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, timeout_seconds: float) -> ResponseT:
        """What both transports do."""
        sent = type(request)()
        sent.CopyFrom(request)
        self.attempts.append(Attempt(rpc.name, sent, timeout_seconds))
        if self._before_attempt is not None:
            self._before_attempt(len(self.attempts))
        self.clock.now += min(self._attempt_seconds, timeout_seconds)
        if self._errors:
            raise self._errors[0] if self._forever and len(self._errors) == 1 else self._errors.pop(0)
        return rpc.response_class()


class ScriptedTransport:
    """A transport that follows a script."""

    def __init__(self, script: Script) -> None:
        self._script = script

    def unary(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """One attempt."""
        return self._script.answer(rpc, request, timeout_seconds)

    def close(self) -> None:
        """Remember it."""
        self._script.is_closed = True


class AsyncScriptedTransport:
    """The same, awaited."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def unary(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float
    ) -> ResponseT:
        """One attempt."""
        return self._script.answer(rpc, request, timeout_seconds)

    async def close(self) -> None:
        """Remember it."""
        self._script.is_closed = True


def grpc_transport(address: str) -> GrpcTransport:
    """The real transport, patient with a busy machine; for clients whose clock or policy is the test's."""
    endpoint = Endpoint(address=parse_address(address), credentials=None, metadata=(), connect_timeout_seconds=5.0)
    return GrpcTransport(endpoint)


#: Makes one call of the named method with a client of one kind: (script, method, request, policy, jitter, options).
CallOnce = Callable[..., Message]


def call_waiting(
    script: Script,
    method: str,
    request: Message,
    *,
    policy: CallPolicy | None = None,
    jitter: float = 1.0,
    **options: float,
) -> Message:
    """Make one call with the client that waits."""
    with BudgetClient.over(
        ScriptedTransport(script),
        policy or CallPolicy(),
        clock=script.clock,
        sleep=script.clock.sleep,
        jitter=lambda: jitter,
    ) as client:
        response: Message = getattr(client, method)(request, **options)
    return response


def call_awaiting(
    script: Script,
    method: str,
    request: Message,
    *,
    policy: CallPolicy | None = None,
    jitter: float = 1.0,
    **options: float,
) -> Message:
    """Make one call with the client that awaits."""

    async def call() -> Message:
        async with AsyncBudgetClient.over(
            AsyncScriptedTransport(script),
            policy or CallPolicy(),
            clock=script.clock,
            sleep=script.clock.async_sleep,
            jitter=lambda: jitter,
        ) as client:
            response: Message = await getattr(client, method)(request, **options)
        return response

    return asyncio.run(call())
