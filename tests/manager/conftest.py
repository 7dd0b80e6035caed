"""One manager for each of the two ways, with a project of the test's own."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetd import BudgetManager
from tests.client.server_process import ServerProcess


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for all tests of this folder."""
    process = ServerProcess(tmp_path_factory.mktemp("server") / "ledger.db")
    yield process.address
    process.kill()


@pytest.fixture(params=["hosted", "local"])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BudgetManager]:
    """A manager as LiteLLM's: windows end on request."""
    name: str = request.node.name
    if request.param == "hosted":
        address: str = request.getfixturevalue("address")
        made = BudgetManager(name, client_type="hosted", api_base=address, reset_mode="on_request")
    else:
        made = BudgetManager(name, database=tmp_path / "budgetd.db")
    with made:
        yield made


def an_unused_address() -> str:
    """An address without a listener."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"
