"""Describes each RPC once, and makes the methods of the synchronous and the asynchronous client from it."""

import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar, overload

from google.protobuf.message import Message

from budgetd.request_ids import RequestT

if TYPE_CHECKING:
    from budgetd.calls.callers import AsyncCaller, SyncCaller

ResponseT = TypeVar("ResponseT", bound=Message)
RequestT_contra = TypeVar("RequestT_contra", bound=Message, contravariant=True)
ResponseT_co = TypeVar("ResponseT_co", bound=Message, covariant=True)


class Method(Protocol[RequestT_contra, ResponseT_co]):
    """A method of a synchronous client."""

    def __call__(self, request: RequestT_contra, /, *, timeout_seconds: float | None = None) -> ResponseT_co:
        """Make the call.

        Args:
            request: The generated message. It is not changed.
            timeout_seconds: For the whole call with its retries; above 0, at most 1,000,000. None: the client's.

        Raises:
            TypeError, ValueError: An argument breaks a rule; nothing was sent.
            BudgetdError: The call was refused, or failed.
        """


class AsyncMethod(Protocol[RequestT_contra, ResponseT_co]):
    """A method of an asynchronous client. Arguments and errors are those of `Method`."""

    async def __call__(self, request: RequestT_contra, /, *, timeout_seconds: float | None = None) -> ResponseT_co:
        """Make the call."""


class UnaryRpc(Generic[RequestT, ResponseT]):
    """An RPC of the service, named after the attribute that holds it: `update_cost` is UpdateCost.

    Client classes replace it with a method.

    Args:
        request_class: The class of its requests.
        response_class: The class of its responses.
        doc: What the method does and raises.
        changes: True if it changes something. Its requests then have request ids.
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
        """Make the method of synchronous clients."""
        rpc = self

        def method(self: "SyncCaller", request: RequestT, /, *, timeout_seconds: float | None = None) -> ResponseT:
            return self.call(rpc, request, timeout_seconds=timeout_seconds)

        return method

    def awaiting(self) -> Callable[..., Awaitable[ResponseT]]:
        """Make the method of asynchronous clients."""
        rpc = self

        async def method(
            self: "AsyncCaller", request: RequestT, /, *, timeout_seconds: float | None = None
        ) -> ResponseT:
            return await self.call(rpc, request, timeout_seconds=timeout_seconds)

        return method

    def annotations(self) -> dict[str, Any]:
        """Return the types of the arguments and of the result, the same for both methods."""
        return {"request": self.request_class, "timeout_seconds": float | None, "return": self.response_class}

    if TYPE_CHECKING:  # At run time a client's class has functions in its place: see `give_methods`.

        @overload
        def __get__(self, caller: None, owner: type) -> Self: ...
        @overload
        def __get__(self, caller: "SyncCaller", owner: type) -> Method[RequestT, ResponseT]: ...
        @overload
        def __get__(self, caller: "AsyncCaller", owner: type) -> AsyncMethod[RequestT, ResponseT]: ...
        def __get__(self, caller: "SyncCaller | AsyncCaller | None", owner: type) -> object: ...


class Described(Protocol):
    """An entry of a table of methods, with the signature that help and inspect show."""

    def annotations(self) -> dict[str, Any]:
        """Return the types of the arguments and of the result."""


EntryT = TypeVar("EntryT", bound=Described)


def give_methods(owner: type, kind: type[EntryT], make: Callable[[EntryT], Callable[..., Any]]) -> None:
    """Add a method to a class for each entry of a table that it inherits.

    help, inspect and mocks then see ordinary methods, although each body is written only once.
    """
    for name in dir(owner):
        entry = inspect.getattr_static(owner, name)
        if isinstance(entry, kind):
            method = make(entry)
            method.__name__, method.__qualname__ = name, f"{owner.__qualname__}.{name}"
            method.__module__, method.__doc__ = owner.__module__, entry.__doc__
            method.__annotations__ = entry.annotations()
            setattr(owner, name, method)
