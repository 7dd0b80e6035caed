"""The RPCs, each described once, and the two ways of calling them: waiting, and awaiting.

`BudgetServiceRpcs` is the one table. Of each entry, a client that waits gets a method that returns the response; one
that awaits, a method that returns a coroutine of it. So neither list of methods nor their types exist twice.
"""

import asyncio
import inspect
import random
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar, overload

from google.protobuf.message import Message

from budgetd._calls import Call, CallPolicy
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT

ResponseT = TypeVar("ResponseT", bound=Message)
RequestT_contra = TypeVar("RequestT_contra", bound=Message, contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", bound=Message, covariant=True)

_POLICY = CallPolicy()


class Method(Protocol[RequestT_contra, ResponseT_co]):
    """A method of a client that waits."""

    def __call__(self, request: RequestT_contra, /, *, timeout_seconds: float | None = None) -> ResponseT_co:
        """Make the call.

        Args:
            request: The generated message; it is not changed.
            timeout_seconds: For the whole call with its retries; above 0, at most 1,000,000. None: the client's.

        Raises:
            TypeError, ValueError: An argument breaks a rule; nothing was sent.
            BudgetdError: It was refused, or failed.
        """


class AsyncMethod(Protocol[RequestT_contra, ResponseT_co]):
    """A method of a client that awaits; otherwise as `Method`."""

    async def __call__(self, request: RequestT_contra, /, *, timeout_seconds: float | None = None) -> ResponseT_co:
        """Make the call."""


class Rpc(Generic[RequestT, ResponseT]):
    """One RPC of the service, named by the attribute that holds it: `update_cost` is UpdateCost.

    A client's class has a method in its place.

    Args:
        request_class: What it takes.
        response_class: What it answers.
        doc: What the method does and raises.
        changes: True: its requests carry request ids.
    """

    def __init__(
        self, request_class: type[RequestT], response_class: type[ResponseT], *, doc: str, changes: bool = False
    ) -> None:
        self.request_class = request_class
        self.response_class = response_class
        self.changes = changes
        self.__doc__ = doc

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = "".join(part.capitalize() for part in name.split("_"))

    def waiting(self) -> Callable[..., ResponseT]:
        """The method of clients that wait."""
        rpc = self

        def method(self: "Caller", request: RequestT, /, *, timeout_seconds: float | None = None) -> ResponseT:
            return self.call(rpc, request, timeout_seconds=timeout_seconds)

        return method

    def awaiting(self) -> Callable[..., Awaitable[ResponseT]]:
        """The method of clients that await."""
        rpc = self

        async def method(
            self: "AsyncCaller", request: RequestT, /, *, timeout_seconds: float | None = None
        ) -> ResponseT:
            return await self.call(rpc, request, timeout_seconds=timeout_seconds)

        return method

    def annotations(self) -> dict[str, Any]:
        """The types of either method."""
        return {"request": self.request_class, "timeout_seconds": float | None, "return": self.response_class}

    if TYPE_CHECKING:  # At run time a client's class has functions in its place: see `give_methods`.

        @overload
        def __get__(self, caller: None, owner: type) -> Self: ...
        @overload
        def __get__(self, caller: "Caller", owner: type) -> Method[RequestT, ResponseT]: ...
        @overload
        def __get__(self, caller: "AsyncCaller", owner: type) -> AsyncMethod[RequestT, ResponseT]: ...
        def __get__(self, caller: "Caller | AsyncCaller | None", owner: type) -> object: ...


class Described(Protocol):
    """An entry of a table of methods: what help and inspect tell of it."""

    def annotations(self) -> dict[str, Any]:
        """The types of its arguments and of what it returns."""


EntryT = TypeVar("EntryT", bound=Described)


def give_methods(owner: type, kind: type[EntryT], make: Callable[[EntryT], Callable[..., Any]]) -> None:
    """Put a function of its own into a class for each entry of a table that it inherits.

    So help, inspect and mocks see methods like any others, and each body is written once all the same.
    """
    for name in dir(owner):
        entry = inspect.getattr_static(owner, name)
        if isinstance(entry, kind):
            method = make(entry)
            method.__name__, method.__qualname__ = name, f"{owner.__qualname__}.{name}"
            method.__module__, method.__doc__ = owner.__module__, entry.__doc__
            method.__annotations__ = entry.annotations()
            setattr(owner, name, method)


class Transport(Protocol):
    """The seam below the client: one attempt of a call. gRPC fills it, and so can a server in the same process."""

    def unary(self, rpc: Rpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt.

        Raises:
            BudgetdError: There is no response; `Unavailable` if another attempt may bring one.
        """

    def close(self) -> None:
        """Let go of everything; closing twice is fine."""


class AsyncTransport(Protocol):
    """`Transport`, awaited."""

    async def unary(self, rpc: Rpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt."""

    async def close(self) -> None:
        """Let go of everything."""


class _Starter(NamedTuple):
    """Begins calls, for either caller."""

    policy: CallPolicy
    clock: Callable[[], float]
    jitter: Callable[[], float]

    def begin(self, rpc: Rpc[RequestT, ResponseT], request: RequestT, timeout_seconds: float | None) -> Call[RequestT]:
        """Check what the caller gave, and start the call's clock."""
        if type(request) is not rpc.request_class:
            raise TypeError(f"{rpc.name} takes a {rpc.request_class.__name__}, got {type(request).__name__}")
        return Call(
            request,
            changes=rpc.changes,
            policy=self.policy,
            timeout_seconds=timeout_seconds,
            clock=self.clock,
            jitter=self.jitter,
        )


class Caller:
    """Makes calls over a transport, waiting for them."""

    def __init_subclass__(cls) -> None:
        give_methods(cls, Rpc, Rpc.waiting)

    def __init__(
        self,
        transport: Transport,
        policy: CallPolicy = _POLICY,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._transport, self._sleep = transport, sleep
        self._starter = _Starter(policy, clock, jitter)

    def call(
        self, rpc: Rpc[RequestT, ResponseT], request: RequestT, /, *, timeout_seconds: float | None = None
    ) -> ResponseT:
        """What every method of the table does; see `Method`."""
        call = self._starter.begin(rpc, request, timeout_seconds)
        while True:
            try:
                return self._transport.unary(rpc, call.request, timeout_seconds=call.attempt_seconds())
            except BudgetdError as error:
                pause_seconds = call.pause_seconds_after(error)
                if pause_seconds is None:
                    raise
            self._sleep(pause_seconds)

    def close(self) -> None:
        """Close the connection; calls then raise RuntimeError. Closing twice is fine."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        self.close()


class AsyncCaller:
    """Makes calls over a transport, awaiting them."""

    def __init_subclass__(cls) -> None:
        give_methods(cls, Rpc, Rpc.awaiting)

    def __init__(
        self,
        transport: AsyncTransport,
        policy: CallPolicy = _POLICY,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._transport, self._sleep = transport, sleep
        self._starter = _Starter(policy, clock, jitter)

    async def call(
        self, rpc: Rpc[RequestT, ResponseT], request: RequestT, /, *, timeout_seconds: float | None = None
    ) -> ResponseT:
        """What every method of the table does; see `Method`."""
        call = self._starter.begin(rpc, request, timeout_seconds)
        while True:
            try:
                return await self._transport.unary(rpc, call.request, timeout_seconds=call.attempt_seconds())
            except BudgetdError as error:
                pause_seconds = call.pause_seconds_after(error)
                if pause_seconds is None:
                    raise
            await self._sleep(pause_seconds)

    async def close(self) -> None:
        """Close the connection; calls then raise RuntimeError. Closing twice is fine."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None:
        await self.close()
