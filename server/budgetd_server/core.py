"""The server without its transports: the handlers, prices, token counter and engine over one ledger."""

import time
from collections.abc import Callable

from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.engine import QUEUE_MAX, Engine
from budgetd_server.engine.sweeper import SWEEP_SECONDS
from budgetd_server.engine.watch import WATCH_SECONDS
from budgetd_server.ledger.base import Ledger
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.handlers import handlers
from budgetd_server.tokens import AsyncTokenCounter


def system_clock_us() -> int:
    """Return microseconds since the Unix epoch, from the only clock that the rules see."""
    return time.time_ns() // 1000


class Core:
    """Transport-independent server, shared by gRPC and embedded use. It belongs to one event loop.

    Args:
        ledger: An open store; closed by `stop`.
        prices: What models cost.
        clock: Microseconds since the Unix epoch.
        metrics: Where to count; None creates a registry of its own.
        tokens: Counts texts; None creates one with the shipped vocabularies. Closed by `stop`.
        queue_max: How many commands may be queued.
        sweep_seconds: How often to look for expired holds and ended windows.
        watch_seconds: How often to check whether the store may still be used, in addition to every commit and read.
    """

    def __init__(
        self,
        ledger: Ledger,
        prices: Prices,
        *,
        clock: Callable[[], int] = system_clock_us,
        metrics: Metrics | None = None,
        tokens: AsyncTokenCounter | None = None,
        queue_max: int = QUEUE_MAX,
        sweep_seconds: float = SWEEP_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self.ledger = ledger
        self.metrics = metrics or Metrics()
        self.tokens = tokens or AsyncTokenCounter()
        self.engine = Engine(
            ledger,
            clock,
            self.metrics,
            queue_max=queue_max,
            sweep_seconds=sweep_seconds,
            watch_seconds=watch_seconds,
        )
        self.handlers = handlers(self.engine, prices, self.tokens)

    def start(self) -> None:
        """Start the engine."""
        self.engine.start()

    async def stop(self) -> None:
        """Commit the queue and close the store; later calls are refused."""
        await self.engine.drain()
        self.tokens.close()
        await self.ledger.close()
