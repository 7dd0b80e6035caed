"""The one loop on which servers of these tests live."""

from collections.abc import Iterator

import pytest

from tests.rpc.running_server import LoopThread


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """An event loop on a thread of its own."""
    loop = LoopThread()
    yield loop
    loop.close()
