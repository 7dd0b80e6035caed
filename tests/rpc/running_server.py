"""A real server in this process, on a thread of its own, over a real SQLite file, with a clock that tests move."""

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from unittest.mock import patch

import grpc
from google.protobuf.message import Message

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub
from budgetd_server import app
from budgetd_server.app import Server
from budgetd_server.config import Config
from budgetd_server.domain.pricing import Prices
from budgetd_server.ledger.base import Ledger
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.prices import load_prices

T = TypeVar("T")

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
#: Tuesday, 10 March 2026, 12:00 UTC.
NOW_US = 1_773_144_000 * SECOND_US
PROJECT = "project"
#: How long a call may take before a test fails instead of hanging, in seconds.
PATIENCE_SECONDS = 90.0


class FakeClock:
    """The server's clock: it does not move by itself."""

    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us

    def advance(self, *, days: float = 0, seconds: float = 0) -> None:
        """Move on; negative to step back."""
        self.now_us += round(days * DAY_US + seconds * SECOND_US)


class LoopThread:
    """An event loop on a thread of its own, so that tests and their clients can be synchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="server-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return what it does."""
        return self.begin(coroutine).result(PATIENCE_SECONDS)

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begin to run a coroutine there."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[[], T]) -> T:
        """Call a function there."""

        async def called() -> T:
            return function()

        return self.run(called())

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_SECONDS)
        self._loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """How a server is to be, where that is not the usual."""

    #: None: the shipped ones.
    prices: Prices | None = None
    has_http: bool = False
    queue_max: int = 100_000
    grace_seconds: float = 10.0
    #: Puts something between the engine and the file; None: nothing.
    wrap: Callable[[SqliteLedger], Ledger] | None = None


class RunningServer:
    """A server that serves, and a channel to it."""

    def __init__(self, loop: LoopThread, folder: Path, setup: Setup) -> None:
        self.clock = FakeClock()
        self.loop = loop
        self.database = folder / "budgetd.db"
        config = Config(
            listen="127.0.0.1:0",
            http_listen="127.0.0.1:0" if setup.has_http else "",
            database=str(self.database),
            queue_max=setup.queue_max,
            grace_seconds=setup.grace_seconds,
        )
        self.server: Server = loop.run(self._started(config, setup))
        self.address = f"127.0.0.1:{self.server.port}"
        self.channel = grpc.insecure_channel(self.address)
        self.stub = BudgetServiceStub(self.channel)

    async def _started(self, config: Config, setup: Setup) -> Server:
        opened = await SqliteLedger.open(self.database)
        ledger: Ledger = opened if setup.wrap is None else setup.wrap(opened)
        server = Server(config, ledger, setup.prices or shipped_prices(), clock=self.clock)
        await server.start()
        return server

    def call(self, rpc: str, request: Message | bytes) -> bytes:
        """Call an RPC by its name, with a message or with any bytes; returns the bytes of the answer."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        call: Any = self.channel.unary_unary(f"/budgetd.v1.BudgetService/{rpc}")
        return bytes(call(body, timeout=PATIENCE_SECONDS))

    def stored(self) -> dict[str, list[Any]]:
        """Everything that the file holds, except the heartbeat: shows that nothing was recorded."""
        connection = sqlite3.connect(f"{self.database.absolute().as_uri()}?mode=ro", uri=True)
        try:
            tables = (
                "projects",
                "budgets",
                "counters",
                "entries",
                "entry_budgets",
                "reservations",
                "open_holds",
                "request_ids",
                "notes",
            )
            return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}
        finally:
            connection.close()

    def entries(self, project_id: str = PROJECT, **filters: Any) -> list[pb.Entry]:
        """The newest entries of a project, newest first."""
        request = service.ListEntriesRequest(project_id=project_id, page_size=1_000, **filters)
        return list(self.stub.ListEntries(request).entries)

    def create(
        self, budget_id: str = "alice", *limits: pb.Limit, project_id: str = PROJECT, **fields: Any
    ) -> pb.Budget:
        """Create a budget."""
        budget = pb.Budget(project_id=project_id, budget_id=budget_id, limits=limits, **fields)
        return self.stub.CreateBudget(service.CreateBudgetRequest(budget=budget)).budget

    def create_many(self, budget_ids: Iterable[str], *limits: pb.Limit) -> None:
        """Create budgets at the same time, so that they share their commits."""
        create: Any = self.stub.CreateBudget
        budgets = (pb.Budget(project_id=PROJECT, budget_id=each, limits=limits) for each in budget_ids)
        for answer in [create.future(service.CreateBudgetRequest(budget=budget)) for budget in budgets]:
            answer.result(PATIENCE_SECONDS)

    def charge(self, cost_nano_usd: int, budget_id: str = "alice", **fields: Any) -> cost_pb.UpdateCostResponse:
        """Charge a budget with a given cost."""
        fields = {"project_id": PROJECT, "budget_id": budget_id, **fields}
        return self.stub.UpdateCost(cost_pb.UpdateCostRequest(cost_nano_usd=cost_nano_usd, **fields))

    def reserve(
        self, amount_nano_usd: int, budget_id: str = "alice", **fields: Any
    ) -> reservation_pb.ReserveCostResponse:
        """Hold money on a budget."""
        fields = {"project_id": PROJECT, "budget_id": budget_id, "amount_nano_usd": amount_nano_usd, **fields}
        return self.stub.ReserveCost(reservation_pb.ReserveCostRequest(**fields))

    def spent(self, budget_id: str = "alice", project_id: str = PROJECT) -> int:
        """What a budget has spent in its main window."""
        request = cost_pb.GetCurrentCostRequest(project_id=project_id, budget_id=budget_id)
        return self.stub.GetCurrentCost(request).current_cost_nano_usd

    def stop(self) -> None:
        """Close the channel and stop the server, without waiting for calls that may be on their way."""
        self.channel.close()
        with patch.object(app, "QUIET_SECONDS", 0.0):
            self.loop.run(self.server.stop())


_shipped: Prices | None = None


def shipped_prices() -> Prices:
    """The shipped prices, read once."""
    global _shipped  # noqa: PLW0603 - reading them takes a moment, and they never change.
    if _shipped is None:
        _shipped = load_prices()
    return _shipped
