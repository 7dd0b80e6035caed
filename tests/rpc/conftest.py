"""Servers for the tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.rpc.running_server import LoopThread, RunningServer, Setup

Start = Callable[[Setup], RunningServer]


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The one loop on which all servers of this process live."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def start(loop_thread: LoopThread, tmp_path: Path) -> Iterator[Start]:
    """Starts servers that are stopped after the test."""
    servers: list[RunningServer] = []

    def started(setup: Setup) -> RunningServer:
        folder = tmp_path / str(len(servers))
        folder.mkdir()
        servers.append(RunningServer(loop_thread, folder, setup))
        return servers[-1]

    yield started
    for server in servers:
        server.stop()


@pytest.fixture
def server(start: Start) -> RunningServer:
    """A server of the usual kind, with nothing in it."""
    return start(Setup())
