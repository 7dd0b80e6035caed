"""A whole server inside the test, on any ledger and any clock, and ledgers that plant faults below it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from budgetd_server.app import Server, system_clock_us
from budgetd_server.config import Config
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command
from budgetd_server.ledger.base import BudgetKey, Committed, Decide
from budgetd_server.ledger.sqlite import SqliteLedger
from budgetd_server.prices import ReloadablePrices
from tests.faults.calls import channel_to, stub_on

if TYPE_CHECKING:
    import grpc

    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

T = TypeVar("T")


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
        return int(self.server.metrics.queue_depth.collect()[0].samples[0].value)


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
async def serving_ledger(
    ledger: SqliteLedger, *, clock: Callable[[], int] = system_clock_us
) -> AsyncIterator[Inside]:
    """A server over a ledger that the test holds in its hand."""
    config = Config(listen="127.0.0.1:0", http_listen="", database="not opened here")
    server = Server(config, ledger, _prices(), clock=clock)
    await server.start()
    try:
        async with channel_to(f"127.0.0.1:{server.port}") as channel:
            yield Inside(server, channel, stub_on(channel))
    finally:
        await server.stop()


@cache
def _prices() -> ReloadablePrices:
    return ReloadablePrices()


async def until(holds: Callable[[], bool]) -> None:
    """Return once something holds; the test's own time limit is the end of patience."""
    while not holds():
        await asyncio.sleep(0.001)


class GatedLedger(SqliteLedger):
    """Holds up commits before they begin, for as long as its gate is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = asyncio.Event()
        self.gate.set()
        #: How many commits have begun to wait at the gate or have passed it.
        self.commits = 0

    async def commit(
        self, commands: Sequence[Command], decide: Decide[T], *, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Wait for the gate, then commit."""
        self.commits += 1
        await self.gate.wait()
        return await super().commit(commands, decide, lock_wait_seconds=lock_wait_seconds)


class HangingLoadsLedger(SqliteLedger):
    """Lets loads hang after they have read, so that they return what is old by then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        #: How many of the next loads hang.
        self.to_hang = 0
        self.hanging = 0
        self.gate = asyncio.Event()

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """Read, then hang if this load is to."""
        loaded = await super().load_budgets(keys, models_of)
        if self.to_hang:
            self.to_hang -= 1
            self.hanging += 1
            await self.gate.wait()
        return loaded
