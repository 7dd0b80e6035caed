"""What the comparisons share: the two sides of each, on files of their own, and no network."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.server_process import ServerProcess

if TYPE_CHECKING:
    from tests.parity.sides import Side


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteLLM fetches prices and tokenizers if it is let; gRPC has sockets of its own, which this does not see."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: Any) -> None:
        is_here = self.family == socket.AF_UNIX or address[0] in {"127.0.0.1", "::1", "localhost"}
        assert is_here, f"a comparison asked the network: {address}"
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_here)


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BUDGETD_ADDRESS", "BUDGETD_TOKEN", "BUDGETD_DATABASE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a server listens, which every test of this process shares."""
    server = ServerProcess(tmp_path_factory.mktemp("server") / "budgetd.db")
    yield server.address
    server.kill()


@pytest.fixture
def theirs(tmp_path: Path) -> "Iterator[Side]":
    """LiteLLM's class, as it is, in an empty folder."""
    from tests.parity.sides import litellm_side  # noqa: PLC0415 - LiteLLM may be missing.

    folder = tmp_path / "litellm"
    folder.mkdir()
    side = litellm_side(folder)
    yield side
    side.close()


@pytest.fixture(params=["local", "hosted"])
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> "Iterator[Side]":
    """Our class: over a file of its own, and over the server."""
    from tests.parity.sides import hosted_side, local_side  # noqa: PLC0415 - The same.

    side = local_side(tmp_path) if request.param == "local" else hosted_side(request.getfixturevalue("address"))
    yield side
    side.close()
