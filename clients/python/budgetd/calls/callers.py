"""The synchronous and the asynchronous caller. Each has one transport and one policy."""

import asyncio
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from budgetd.calls.call import Call, CallPolicy
from budgetd.calls.rpc import ResponseT, UnaryRpc, give_methods
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT

TransportT = TypeVar("TransportT")
SleepT = TypeVar("SleepT")

_POLICY = CallPolicy()


class Transport(Protocol):
    """Carries out single attempts of calls, over gRPC or by a server in the same process."""

    def unary(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt.

        Raises:
            BudgetdError: The attempt failed; `Unavailable` if another attempt may succeed.
        """

    def close(self) -> None:
        """Release all resources. Idempotent."""


class AsyncTransport(Protocol):
    """`Transport`, awaited."""

    async def unary(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float
    ) -> ResponseT:
        """Carry out one attempt."""

    async def close(self) -> None:
        """Release all resources. Idempotent."""


class Closes(ABC):
    """A base of classes that are closed at the end of a `with` block."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection or the file. Calls then raise RuntimeError. Idempotent."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


class AsyncCloses(ABC):
    """A base of classes that are closed at the end of an `async with` block."""

    @abstractmethod
    async def close(self) -> None:
        """Close the connection or the file. Calls then raise RuntimeError. Idempotent."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self.close()


class CallerBase(Generic[TransportT, SleepT]):
    """The common part of both callers: their constructor, and how a call begins."""

    #: Pauses between two attempts.
    _sleep: SleepT

    def __init__(
        self,
        transport: TransportT,
        policy: CallPolicy,
        clock: Callable[[], float] = time.monotonic,
        sleep: SleepT | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._transport, self._policy, self._clock, self._jitter = transport, policy, clock, jitter
        if sleep is not None:
            self._sleep = sleep

    @classmethod
    def over(
        cls,
        transport: TransportT,
        policy: CallPolicy = _POLICY,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: SleepT | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> Self:
        """Make a client over a transport, such as a server in the same process.

        Args:
            transport: Carries out the attempts of each call. The client closes it.
            policy: The timeouts of calls.
            clock: Returns seconds that never step back.
            sleep: Pauses for some seconds between attempts. None: `time.sleep` or `asyncio.sleep`.
            jitter: Returns a random number from 0 to 1, by which pauses differ.
        """
        client = cls.__new__(cls)
        CallerBase.__init__(client, transport, policy, clock, sleep, jitter)
        return client

    def _begin(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None
    ) -> Call[RequestT]:
        """Check the arguments and start the call's clock."""
        if type(request) is not rpc.request_class:
            raise TypeError(
                f"the request of {rpc.name} must be {rpc.request_class.__name__}, got {type(request).__name__}"
            )
        return Call(
            request,
            changes=rpc.changes,
            policy=self._policy,
            timeout_seconds=timeout_seconds,
            clock=self._clock,
            jitter=self._jitter,
        )


class SyncCaller(Closes, CallerBase[Transport, Callable[[float], None]]):
    """Makes calls and waits for them."""

    _sleep = staticmethod(time.sleep)

    def __init_subclass__(cls) -> None:
        give_methods(cls, UnaryRpc, UnaryRpc.waiting)

    def call(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, /, *, timeout_seconds: float | None = None
    ) -> ResponseT:
        """Make a call: the common body of all methods. See `Method`."""
        call = self._begin(rpc, request, timeout_seconds)
        while True:
            try:
                return self._transport.unary(rpc, call.request, timeout_seconds=call.attempt_seconds())
            except BudgetdError as error:
                pause_seconds = call.pause_seconds_after(error)
                if pause_seconds is None:
                    raise
            self._sleep(pause_seconds)

    def close(self) -> None:
        """Close the connection. Calls then raise RuntimeError. Idempotent."""
        self._transport.close()


class AsyncCaller(AsyncCloses, CallerBase[AsyncTransport, Callable[[float], Awaitable[None]]]):
    """Makes calls and awaits them."""

    _sleep = staticmethod(asyncio.sleep)

    def __init_subclass__(cls) -> None:
        give_methods(cls, UnaryRpc, UnaryRpc.awaiting)

    async def call(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, /, *, timeout_seconds: float | None = None
    ) -> ResponseT:
        """Make a call: the common body of all methods. See `Method`."""
        call = self._begin(rpc, request, timeout_seconds)
        while True:
            try:
                return await self._transport.unary(rpc, call.request, timeout_seconds=call.attempt_seconds())
            except BudgetdError as error:
                pause_seconds = call.pause_seconds_after(error)
                if pause_seconds is None:
                    raise
            await self._sleep(pause_seconds)

    async def close(self) -> None:
        """Close the connection. Calls then raise RuntimeError. Idempotent."""
        await self._transport.close()
