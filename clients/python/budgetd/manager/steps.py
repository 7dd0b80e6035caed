"""Methods written once and had twice: waiting, and awaiting.

A method that makes calls is written as a plan: a generator that yields each call it needs and is sent the response.
`Steps` makes of it, on an object that waits, a method that returns the result, and on one that awaits, a method that
returns a coroutine of it. So the synchronous and the asynchronous manager have one body.
"""

import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Concatenate, Generic, ParamSpec, TypeVar, get_args, overload

from google.protobuf.message import Message

from budgetd.calls.callers import AsyncCaller, AsyncCloses, Closes, SyncCaller
from budgetd.calls.rpc import ResponseT, UnaryRpc, give_methods
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT
from budgetd.wording import MANAGER, reword

P = ParamSpec("P")
T = TypeVar("T")
MethodT = TypeVar("MethodT", bound=Callable[..., object])


#: A call that a plan needs: what is called, and with what.
Ask = tuple[UnaryRpc[Any, Any], Message]
#: Yields calls, is sent their responses or thrown their errors, and returns what the method returns.
Plan = Generator[Ask, Message, T]


def ask(rpc: UnaryRpc[RequestT, ResponseT], request: RequestT) -> Plan[ResponseT]:
    """One call of a plan, by `yield from`; what it returns is typed."""
    response = yield (rpc, request)
    assert isinstance(response, rpc.response_class)
    return response


class Waiting(Closes):
    """An object whose methods wait for their calls."""

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
    """An object whose methods are awaited."""

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
    """A method made of a plan. A manager's class has a method in its place."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan = plan
        self.__doc__ = plan.__doc__

    def waiting(self) -> Callable[..., T]:
        """The method of managers that wait."""

        def method(self_: Waiting, *args: P.args, **kwargs: P.kwargs) -> T:
            return self_._run(self._plan(self_, *args, **kwargs))  # noqa: SLF001 - it is its own.

        return self._signed(method)

    def awaiting(self) -> Callable[..., Coroutine[Any, Any, T]]:
        """The method of managers that await."""

        async def method(self_: Awaiting, *args: P.args, **kwargs: P.kwargs) -> T:
            return await self_._run(self._plan(self_, *args, **kwargs))  # noqa: SLF001 - it is its own.

        return self._signed(method)

    def annotations(self) -> dict[str, Any]:
        """The types of either method; what it returns is what the plan does."""
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
