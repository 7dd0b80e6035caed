"""Methods written once and had twice: waiting, and awaiting.

A method that makes calls is written as a plan: a generator that yields each call it needs and is sent the response.
`Steps` makes of it, on an object that waits, a method that returns the result, and on one that awaits, a method that
returns a coroutine of it. So the synchronous and the asynchronous manager have one body.
"""

import functools
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, overload

from google.protobuf.message import Message

from budgetd._rpcs import AsyncCaller, Caller, ResponseT, Rpc
from budgetd._wording import MANAGER, reword
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT

P = ParamSpec("P")
T = TypeVar("T")


#: A call that a plan needs: what is called, and with what.
Ask = tuple[Rpc[Any, Any], Message]
#: Yields calls, is sent their responses or thrown their errors, and returns what the method returns.
Plan = Generator[Ask, Message, T]


def ask(rpc: Rpc[RequestT, ResponseT], request: RequestT) -> Plan[ResponseT]:
    """One call of a plan, by `yield from`; what it returns is typed."""
    response = yield (rpc, request)
    assert isinstance(response, rpc.response_class)
    return response


class Waiting:
    """An object whose methods wait for their calls."""

    _caller: Caller

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


class Awaiting:
    """An object whose methods are awaited."""

    _caller: AsyncCaller

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
    """A method made of a plan."""

    def __init__(self, plan: Callable[Concatenate[Any, P], Plan[T]]) -> None:
        self._plan = plan
        self.__doc__, self.__name__ = plan.__doc__, plan.__name__
        self.__wrapped__ = plan

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Waiting, owner: type) -> Callable[P, T]: ...
    @overload
    def __get__(self, instance: Awaiting, owner: type) -> Callable[P, Coroutine[Any, Any, T]]: ...
    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self

        @functools.wraps(self._plan)
        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return instance._run(self._plan(instance, *args, **kwargs))  # noqa: SLF001 - it is one of the two above.

        return method

    def __call__(self, instance: Any, *args: P.args, **kwargs: P.kwargs) -> Any:
        """The method as a function of the class: `BudgetManager.get_users(manager)`."""
        return self.__get__(instance, type(instance))(*args, **kwargs)
