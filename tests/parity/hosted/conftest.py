"""A budgetd that serves LiteLLM's self-hosted protocol in this process, and a server as its page asks for it."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.rpc.running_server import SECOND_US, LoopThread, RunningServer, Setup


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The one loop on which all servers of this process live."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def budgetd(loop_thread: LoopThread, tmp_path: Path) -> Iterator[RunningServer]:
    """A server with nothing in it, at whose clock it is now."""
    server = RunningServer(loop_thread, tmp_path, Setup(has_http=True))
    server.clock.now_us = (int(time.time()) + 1) * SECOND_US
    yield server
    server.stop()


@pytest.fixture
def dictionary() -> Iterator[DictionaryServer]:
    """The other one, with nothing in it."""
    server = DictionaryServer()
    yield server
    server.stop()
