"""Proxies of the environment: never on the way to this machine, and named by the error where they are in the way."""

import pytest

from budgetd import BudgetClient, ServerUnreachable
from budgetd._address import address_of
from budgetd.v1 import budget_service_pb2 as service
from tests.client.fake_server import FakeServer

READ = service.GetBudgetRequest()
#: A port at which nobody listens.
PROXY = "http://user:s3cret@127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", ["grpc_proxy", "https_proxy", "http_proxy"])
def test_the_error_names_the_variable_and_how_to_exclude_the_address(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, PROXY)

    with (
        BudgetClient("budgets.example:50051", connect_timeout_seconds=0.2) as client,
        pytest.raises(ServerUnreachable) as caught,
    ):
        client.get_budget(READ)

    message = str(caught.value)
    assert f"the proxy that the variable {variable} names" in message
    assert "no_proxy=budgets.example" in message
    assert "start one with" not in message
    assert "s3cret" not in message


def test_an_address_that_is_excluded_gets_the_usual_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)
    monkeypatch.setenv("no_proxy", "other.example, .invalid")

    with (
        BudgetClient("budgets.invalid:50051", connect_timeout_seconds=0.2) as client,
        pytest.raises(ServerUnreachable, match="start one with"),
    ):
        client.get_budget(READ)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "localhost.", "budgetd.localhost", "127.0.0.1", "[::1]"])
def test_names_of_this_machine_need_no_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)

    assert address_of(f"{host}:1").needs_no_proxy
    assert address_of(f"{host}:1").proxy_variable() == ""
    assert address_of("unix:/run/budgetd.sock").proxy_variable() == ""
    assert not address_of("localhost.evil.example:1").needs_no_proxy


def test_a_server_of_this_machine_is_called_by_its_name_without_the_proxy(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", PROXY)

    with BudgetClient(f"LOCALHOST:{server.port}") as client:
        client.get_budget(READ)

    assert [asked.rpc for asked in server.asked] == ["GetBudget"]
