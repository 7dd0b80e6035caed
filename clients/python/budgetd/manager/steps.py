"""Methods that are written once for the synchronous and the asynchronous manager.

A method that makes calls is written as a plan: a generator that yields each call and receives the response. `Steps`
makes an ordinary method of it for the synchronous manager, and a coroutine method for the asynchronous one.
"""

import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, overload

from google.protobuf.message import Message

from budgetd.calls.callers import AsyncCaller, AsyncCloses, Closes, SyncCaller
from budgetd.calls.rpc import ResponseT, UnaryRpc, give_methods
from budgetd.errors import BudgetdError
from budgetd.manager.arguments import refused
from budgetd.request_ids import RequestT
from budgetd.wording import MANAGER, reword

P = ParamSpec("P")
T = TypeVar("T")
MethodT = TypeVar("MethodT", bound=Callable[..., object])


#: A call that a plan needs: the RPC and its request.
Ask = tuple[UnaryRpc[Any, Any], Message]
#: Yields calls, receives their responses or errors, and returns the result of the method.
Plan = Generator[Ask, Message, T]


def ask(rpc: UnaryRpc[RequestT, ResponseT], request: RequestT) -> Plan[ResponseT]:
    """Make one call of a plan, by `yield from`, and return the typed response."""
    response = yield (rpc, request)
    assert isinstance(response, rpc.response_class)
    return response


class Waiting(Closes):
    """A manager whose methods wait for their calls."""

    _caller: SyncCaller

    def __init_subclass__(cls) -> None:
        give_methods(cls, Steps, Steps.waiting)

    def close(self) -> None:
        """Close the connection or the file. Methods then raise RuntimeError. Idempotent."""
        self._caller.close()

    def _run(self, plan: Plan[T]) -> T:
        try:
            asked = next(plan)
            while True:
                try:
                    response = self._caller.call(*asked)
                except BudgetdError as error:
                    asked = plan.throw(reword(error, MANAGER))
                else:
                    asked = plan.send(response)
        except StopIteration as end:
            result: T = end.value
            return result


class Awaiting(AsyncCloses):
    """A manager whose methods are coroutines."""

    _caller: AsyncCaller

    def __init_subclass__(cls) -> None:
        give_methods(cls, Steps, Steps.awaiting)

    async def close(self) -> None:
        """Close the connection or the file. Methods then raise RuntimeError. Idempotent."""
        await self._caller.close()

    async def _run(self, plan: Plan[T]) -> T:
        try:
            asked = next(plan)
            while True:
                try:
                    response = await self._caller.call(*asked)
                except BudgetdError as error:
                    asked = plan.throw(reword(error, MANAGER))
                else:
                    asked = plan.send(response)
        except StopIteration as end:
            result: T = end.value
            return result


class Steps(Generic[P, T]):
    """A method that is written as a plan. Manager classes replace it with a method."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan = plan
        self.__doc__, self.__name__ = plan.__doc__, plan.__name__

    def waiting(self) -> Callable[..., T]:
        """Make the method of synchronous managers."""

        def method(self_: Waiting, *args: P.args, **kwargs: P.kwargs) -> T:
            return self_._run(self._planned(self_, *args, **kwargs))  # noqa: SLF001 - a method of the same object.

        return self._signed(method)

    def awaiting(self) -> Callable[..., Coroutine[Any, Any, T]]:
        """Make the method of asynchronous managers."""

        async def method(self_: Awaiting, *args: P.args, **kwargs: P.kwargs) -> T:
            return await self_._run(self._planned(self_, *args, **kwargs))  # noqa: SLF001 - a method of the same object.

        return self._signed(method)

    def _planned(self, manager: object, *args: P.args, **kwargs: P.kwargs) -> Plan[T]:
        """Make the plan without running any of it, so that a TypeError here can only be about the arguments."""
        try:
            return self._plan(manager, *args, **kwargs)
        except TypeError as error:
            name = f"{type(manager).__name__}.{self.__name__}"
            raise refused(error, name, inspect.signature(self._plan)) from None

    def annotations(self) -> dict[str, Any]:
        """Return the types of the arguments and of the result, the same for both methods."""
        types = dict(self._plan.__annotations__)
        return {**types, "return": get_args(types["return"])[-1]}

    def _signed(self, method: MethodT) -> MethodT:
        signature = inspect.signature(self._plan)
        vars(method)["__signature__"] = signature.replace(return_annotation=self.annotations()["return"])
        return method

    if TYPE_CHECKING:

        @overload
        def __get__(self, instance: None, owner: type) -> Callable[Concatenate[Any, P], Any]: ...
        @overload
        def __get__(self, instance: Waiting, owner: type) -> Callable[P, T]: ...
        @overload
        def __get__(self, instance: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
        def __get__(self, instance: Any, owner: type) -> Any: ...
