"""`budgetd health`, as a person and as a container's health check ask it."""

import json
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from grpc_health.v1 import health as health_service
from grpc_health.v1 import health_pb2, health_pb2_grpc
from typer.testing import CliRunner

from budgetd_server.cli import app
from budgetd_server.cli.connection import address_text
from tests.rpc.running_server import RunningServer


@pytest.fixture
def draining_address() -> Iterator[str]:
    """A server that answers NOT_SERVING, as ours does while it drains."""
    server = grpc.server(ThreadPoolExecutor(1))
    servicer = health_service.HealthServicer()
    servicer.set("budgetd.v1.BudgetService", health_pb2.HealthCheckResponse.NOT_SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


@pytest.fixture
def silent_address() -> Iterator[str]:
    """A port that is taken and refuses every connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def test_a_server_that_serves_is_exit_code_0(server: RunningServer) -> None:
    result = CliRunner().invoke(app, ["health", "--address", server.address])

    assert (result.exit_code, result.stdout) == (0, "SERVING\n")


def test_a_server_that_drains_is_exit_code_1(draining_address: str) -> None:
    result = CliRunner().invoke(app, ["health", "--address", draining_address])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == f"budgetd: {draining_address} is not serving: NOT_SERVING\n"


def test_no_server_at_the_address_is_exit_code_1(silent_address: str) -> None:
    result = CliRunner().invoke(app, ["health", "--address", silent_address])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"budgetd: {silent_address} is not serving: UNAVAILABLE")
    assert result.stderr.count("\n") == 1


def test_the_answer_is_json_for_programs(server: RunningServer, draining_address: str) -> None:
    results = [
        CliRunner().invoke(app, ["health", "--json", "--address", address])
        for address in (server.address, draining_address)
    ]

    assert [result.exit_code for result in results] == [0, 1]
    assert [json.loads(result.stdout)["status"] for result in results] == ["SERVING", "NOT_SERVING"]


def test_without_an_address_it_asks_where_this_machine_s_server_listens(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_LISTEN", server.address)

    assert CliRunner().invoke(app, ["health"]).exit_code == 0


@pytest.mark.parametrize(
    ("listen", "asked"),
    [
        ("", "127.0.0.1:50051"),
        ("127.0.0.1:7", "127.0.0.1:7"),
        ("0.0.0.0:7", "127.0.0.1:7"),
        ("[::]:7", "[::1]:7"),
        ("budgets.example:7", "budgets.example:7"),
    ],
)
def test_a_server_that_listens_everywhere_is_asked_on_this_machine(
    listen: str, asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_LISTEN", listen)

    assert address_text(None) == asked


def test_a_port_that_the_system_chose_cannot_be_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BUDGETD_LISTEN", "127.0.0.1:0")

    result = CliRunner().invoke(app, ["health"])

    assert result.exit_code == 2
    assert "--address HOST:PORT" in result.stderr


@pytest.mark.parametrize("address", ["localhost", "http://localhost:1", "localhost:none"])
def test_an_address_that_cannot_be_read_is_wrong_usage(address: str) -> None:
    result = CliRunner().invoke(app, ["health", "--address", address])

    assert result.exit_code == 2
    assert "--address" in result.stderr


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e300", "0"])
def test_a_timeout_that_is_no_time_is_wrong_usage(silent_address: str, seconds: str) -> None:
    result = CliRunner().invoke(app, ["health", "--address", silent_address, "--timeout", seconds])

    assert result.exit_code == 2
    assert "above 0 and at most 1,000,000" in " ".join(result.stderr.replace("│", " ").split())


def test_a_proxy_in_the_way_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("grpc_proxy", "https_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)

    result = CliRunner().invoke(app, ["health", "--address", "budgets.example:1", "--timeout", "0.2"])

    assert result.exit_code == 1
    assert result.stderr.endswith("through the proxy of the variable http_proxy\n")
