"""What help, inspect and mocks see of the clients and managers: methods like any others."""

import functools
import inspect
import pydoc
import typing
from typing import Any
from unittest.mock import AsyncMock, create_autospec

import pytest

from budgetd import AsyncBudgetClient, AsyncBudgetManager, BudgetClient, BudgetManager
from budgetd.calls.rpc import UnaryRpc
from budgetd.calls.service import BudgetServiceRpcs
from budgetd.manager.steps import Steps
from budgetd.v1 import cost_pb2 as cost_pb
from tests.client.fake_server import FakeServer

RPCS = {name: rpc for name, rpc in vars(BudgetServiceRpcs).items() if isinstance(rpc, UnaryRpc)}
PLANS = {name for each in BudgetManager.__mro__ for name, plan in vars(each).items() if isinstance(plan, Steps)}
CLIENTS = pytest.mark.parametrize("client_class", [BudgetClient, AsyncBudgetClient])
MANAGERS = pytest.mark.parametrize("manager_class", [BudgetManager, AsyncBudgetManager])
AWAITED = {AsyncBudgetClient, AsyncBudgetManager}


@CLIENTS
@pytest.mark.parametrize("name", RPCS)
def test_a_method_of_a_client_shows_its_name_its_messages_and_what_it_does(client_class: Any, name: str) -> None:
    rpc, method = RPCS[name], getattr(client_class("127.0.0.1:1"), name)

    signature = inspect.signature(method)

    assert method.__qualname__ == f"{client_class.__name__}.{name}"
    assert [(each.name, each.kind.name) for each in signature.parameters.values()] == [
        ("request", "POSITIONAL_ONLY"),
        ("timeout_seconds", "KEYWORD_ONLY"),
    ]
    assert typing.get_type_hints(method) == {
        "request": rpc.request_class,
        "timeout_seconds": float | None,
        "return": rpc.response_class,
    }
    assert inspect.iscoroutinefunction(method) is (client_class in AWAITED)
    assert str(rpc.__doc__).split(".")[0] in pydoc.plain(pydoc.render_doc(method)).replace("\n    ", " ")


@MANAGERS
@pytest.mark.parametrize("name", sorted(PLANS))
def test_a_method_of_a_manager_shows_what_it_takes_and_returns_and_nothing_of_plans(
    manager_class: Any, name: str
) -> None:
    method = getattr(manager_class, name)

    signature = inspect.signature(method)

    assert method.__qualname__ == f"{manager_class.__name__}.{name}"
    assert next(iter(signature.parameters)) == "self"
    assert "Generator" not in str(signature)
    assert typing.get_type_hints(method).keys() >= signature.parameters.keys() - {"self"}
    assert inspect.iscoroutinefunction(method) is (manager_class in AWAITED)
    text = pydoc.plain(pydoc.render_doc(method))
    assert f"{name}(self" in text
    assert method.__doc__.strip().splitlines()[0] in text


def test_the_signatures_of_the_manager_read_as_they_are_written() -> None:
    assert str(inspect.signature(BudgetManager.get_current_cost)) == "(self, user: str) -> float"
    assert str(inspect.signature(AsyncBudgetManager.get_users)) == "(self) -> list[str]"


def test_help_on_a_class_lists_its_methods() -> None:
    for owner, names in ((BudgetClient, set(RPCS)), (BudgetManager, PLANS)):
        text = pydoc.plain(pydoc.render_doc(owner))

        assert [name for name in names if f"{name}(self" not in text] == []
        assert "functools.partial" not in text


def test_a_mock_made_of_a_client_takes_what_the_client_takes_and_no_more() -> None:
    mock = create_autospec(BudgetClient, instance=True)
    mock.update_cost.return_value = cost_pb.UpdateCostResponse(cost_nano_usd=7)

    assert mock.update_cost(cost_pb.UpdateCostRequest(), timeout_seconds=1).cost_nano_usd == 7
    with pytest.raises(TypeError):
        mock.update_cost()
    with pytest.raises(TypeError):
        mock.update_cost(cost_pb.UpdateCostRequest(), retries=3)
    assert create_autospec(BudgetClient)("127.0.0.1:1").update_cost(cost_pb.UpdateCostRequest()) is not None


async def test_a_mock_made_of_an_awaited_manager_is_awaited() -> None:
    mock = create_autospec(AsyncBudgetManager, instance=True)
    mock.get_current_cost.return_value = 1.5

    assert isinstance(mock.get_current_cost, AsyncMock)
    assert await mock.get_current_cost("alice") == 1.5
    with pytest.raises(TypeError):
        await mock.get_current_cost("alice", "bob")


def test_methods_can_be_wrapped_bound_and_overridden(server: FakeServer) -> None:
    class Loud(BudgetClient):
        def update_cost(self, request: Any, /, *, timeout_seconds: float | None = None) -> Any:
            """Charge, aloud."""
            said.append("charging")
            return super().update_cost(request, timeout_seconds=timeout_seconds)

    said: list[str] = []
    request = cost_pb.UpdateCostRequest()
    with Loud(server.address) as client:
        functools.partial(client.update_cost, request, timeout_seconds=5)()
        functools.wraps(client.get_current_cost)(lambda: None)
        BudgetClient.update_cost(client, request)  # type: ignore[operator]  # The table, to type checkers.

    assert said == ["charging"]
    assert [each.rpc for each in server.asked] == ["UpdateCost", "UpdateCost"]
