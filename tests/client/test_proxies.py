"""Proxies of the environment: never on the way to this machine, and named by the error where they are in the way."""

import socket
from collections.abc import Iterator
from typing import NoReturn

import grpc
import pytest

from budgetd import BudgetClient, CallFailed, DeadlineExceeded, ServerUnreachable
from budgetd.address import parse_address
from budgetd.transport.status import error_of_rpc
from budgetd.v1 import budget_service_pb2 as service
from tests.client.fake_server import FakeServer

READ = service.GetBudgetRequest()
#: A port without a listener.
PROXY = "http://user:s3cret@127.0.0.1:1"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def silent_proxy() -> Iterator[str]:
    """A proxy that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


class _Answered(grpc.RpcError):
    """What a proxy of HTTP answers, as gRPC raises it."""

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return "Stream removed"

    def trailing_metadata(self) -> tuple[()]:
        return ()


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


def test_a_proxy_that_never_answers_is_named_by_the_deadline_too(
    silent_proxy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", silent_proxy)

    with (
        BudgetClient("budgets.example:50051", timeout_seconds=0.2) as client,
        pytest.raises(DeadlineExceeded, match="through the proxy that the variable http_proxy names") as caught,
    ):
        client.get_budget(READ)

    assert "no_proxy=budgets.example" in str(caught.value)


def test_what_a_proxy_answers_in_place_of_budgetd_is_reported_with_its_variable() -> None:
    failed = error_of_rpc(_Answered(), target="budgets.example:50051", has_answered=False, proxy_variable="grpc_proxy")

    assert isinstance(failed, CallFailed)
    assert "budgets.example:50051 through the proxy that the variable grpc_proxy names" in str(failed)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST",
        "localhost.",
        "budgetd.localhost",
        "127.0.0.1",
        "127.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "0.0.0.0",
        socket.gethostname(),
        socket.gethostname().upper(),
        f"{socket.gethostname()}.",
        socket.gethostname().partition(".")[0],
    ],
)
def test_names_of_this_machine_need_no_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)

    assert parse_address(f"{host}:1").needs_no_proxy
    assert parse_address(f"{host}:1").proxy_variable() == ""
    assert parse_address("unix:/run/budgetd.sock").proxy_variable() == ""


@pytest.mark.parametrize(
    "host",
    [
        "localhost.evil.example",
        f"{socket.gethostname()}.evil.example",
        "evil-" + socket.gethostname(),
        "192.0.2.1",  # For examples: no machine has it.
        "[2001:db8::1]",
        "[::ffff:192.0.2.1]",
        "a" * 80,
    ],
)
def test_another_machine_is_called_through_the_proxy(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", PROXY)

    assert parse_address(f"{host}:1").proxy_variable() == "http_proxy"


def test_no_name_is_looked_up_to_tell_whose_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def looked_up(host: str, *arguments: object, **options: int) -> NoReturn:
        asked.append(options["flags"])
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", looked_up)

    assert not parse_address("budgets.example:1").needs_no_proxy
    assert asked == [socket.AI_NUMERICHOST]


@pytest.mark.parametrize("host", ["LOCALHOST", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_a_server_of_this_machine_is_called_by_its_name_without_the_proxy(
    host: str, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", PROXY)

    with BudgetClient(f"{host}:{server.port}", connect_timeout_seconds=5) as client:
        client.get_budget(READ)

    assert [asked.rpc for asked in server.asked] == ["GetBudget"]
