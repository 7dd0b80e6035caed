"""A whole server inside the test, on any ledger and any clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from budgetd_server.app import Server
from budgetd_server.config import Config
from budgetd_server.core import system_clock_us
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.prices import ReloadablePrices
from tests.faults.calls import channel_to, stub_on
from tests.faults.planted_ledgers import GatedLedger, HangingLoadsLedger

if TYPE_CHECKING:
    import grpc

    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub


class Inside:
    """A server that serves on a port of this process, and a client of it."""

    def __init__(self, server: Server, channel: "grpc.aio.Channel", stub: "BudgetServiceAsyncStub") -> None:
        self.server = server
        self.channel = channel
        self.stub = stub

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server.port}"

    def waiting(self) -> int:
        """How many commands are in its queue or being carried out."""
        return int(self.server.metrics.registry.get_sample_value("budgetd_queue_depth") or 0)


@asynccontextmanager
async def serving(
    database: Path,
    *,
    ledger_class: type[SqliteLedger] = SqliteLedger,
    clock: Callable[[], int] = system_clock_us,
) -> AsyncIterator[Inside]:
    """A server over a file, stopped in order at the end of the block."""
    async with serving_ledger(await ledger_class.open(database), clock=clock) as inside:
        yield inside


@asynccontextmanager
async def serving_ledger(ledger: SqliteLedger, *, clock: Callable[[], int] = system_clock_us) -> AsyncIterator[Inside]:
    """A server over a ledger that the test holds in its hand."""
    config = Config(listen="127.0.0.1:0", http_listen="", database="not opened here")
    server = Server(config, ledger, _prices(), clock=clock)
    await server.start()
    try:
        async with channel_to(f"127.0.0.1:{server.port}") as channel:
            yield Inside(server, channel, stub_on(channel))
    finally:
        if isinstance(ledger, GatedLedger | HangingLoadsLedger):
            ledger.gate.set()  # A test that fails with its gate closed must not hang as well.
        await server.stop()


@cache
def _prices() -> ReloadablePrices:
    return ReloadablePrices()


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds; the test's own time limit is the end of patience."""
    while not holds():
        await asyncio.sleep(0.001)
