"""An engine over a watched ledger, on the test's own loop."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import Charge, CreateBudget, LimitDraft, Outcome, Request
from budgetd_server.engine.engine import Engine
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.metrics import Metrics
from tests.engine.watched_ledger import WatchedLedger
from tests.rpc.running_server import PROJECT, FakeClock


@dataclass(slots=True)
class Bench:
    """What the tests of the engine have in hand."""

    engine: Engine
    ledger: WatchedLedger
    clock: FakeClock
    metrics: Metrics
    requests: int = 0

    def request(self, request_id: str = "") -> Request:
        """A request with an id that was not used yet, unless one is given."""
        self.requests += 1
        return Request(request_id or f"r{self.requests}", b"digest")

    def charge(self, cost_nano_usd: int = 1, budget_id: str = "alice", request_id: str = "") -> Charge:
        """A charge."""
        return Charge(PROJECT, budget_id, self.request(request_id), cost_nano_usd)

    async def create(self, budget_id: str = "alice", limit: Limit | None = None) -> Outcome[Any]:
        """Create a budget; what the ledger was asked for until then is forgotten."""
        limits = () if limit is None else (LimitDraft(limit=limit),)
        command = CreateBudget(
            project_id=PROJECT, budget_id=budget_id, request=self.request(), limits=limits, labels={}
        )
        outcome = await self.engine.submit(command)
        self.ledger.commits.clear()
        return outcome

    async def spent(self, budget_id: str = "alice") -> int:
        """What the ledger says that a budget has spent."""
        return (await self.engine.budget(PROJECT, budget_id)).current_cost_nano_usd

    def value(self, metric: str, **labels: str) -> float:
        """A sample of a metric."""
        value = self.metrics.registry.get_sample_value(metric, labels)
        assert value is not None, metric
        return value

    @property
    def waiting(self) -> int:
        """How many commands are in the queue or being carried out."""
        return int(self.value("budgetd_queue_depth"))


QUEUE_MAX = 10_000
#: The time that the writer believes a transaction to take, so that its batches do not depend on the machine's load.
FAST_SECONDS = 0.001


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """An engine that works, with nothing in its ledger."""
    ledger = WatchedLedger(await SqliteLedger.open(tmp_path / "budgetd.db"))
    ledger.reported_seconds = FAST_SECONDS
    clock, metrics = FakeClock(), Metrics()
    engine = Engine(ledger, clock, metrics, queue_max=QUEUE_MAX)
    engine.start()
    yield Bench(engine, ledger, clock, metrics)
    for gate in (ledger.before_commit, ledger.after_commit, ledger.before_load):
        gate.open()
    await engine.drain()
    await ledger.close()
