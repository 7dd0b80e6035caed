"""A server with an HTTP port, for the tests of this folder."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from tests.engine.watched_ledger import WatchedLedger
from tests.rpc.running_server import LoopThread, RunningServer, Setup


class Observed(NamedTuple):
    """A server, its ledger, and a client of its HTTP port."""

    server: RunningServer
    ledger: WatchedLedger
    http: httpx.Client

    def scrape(self) -> str:
        """What Prometheus would read."""
        return self.http.get("/metrics").raise_for_status().text

    def value(self, sample: str) -> float:
        """The value of one sample, named with its labels as it is written; zero if it is not there."""
        for line in self.scrape().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The one loop on which all servers of this process live."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def observed(loop_thread: LoopThread, tmp_path: Path) -> Iterator[Observed]:
    """A server with nothing in it."""
    ledgers: list[WatchedLedger] = []

    def wrap(ledger: Any) -> WatchedLedger:
        ledgers.append(WatchedLedger(ledger))
        return ledgers[0]

    server = RunningServer(loop_thread, tmp_path, Setup(has_http=True, wrap=wrap))
    with httpx.Client(base_url=f"http://127.0.0.1:{server.server.http_port}", trust_env=False) as http:
        yield Observed(server, ledgers[0], http)
    server.stop()
