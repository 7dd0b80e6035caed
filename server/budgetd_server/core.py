"""The server without its edges: the handlers over prices, tokens and one engine over one ledger."""

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
    """The one clock of the server: microseconds since the Unix epoch."""
    return time.time_ns() // 1000


class Core:
    """What answers, whoever asks: a socket's calls, or those of the same process. It belongs to one event loop.

    Args:
        ledger: An open store; closed by `stop`.
        prices: What models cost.
        clock: Microseconds since the Unix epoch.
        metrics: Where to count; None: in a registry of its own.
        tokens: What counts texts; None: one with the shipped vocabularies. Closed by `stop`.
        queue_max: How many commands may wait.
        sweep_seconds: How often to look for holds and windows that are over.
        watch_seconds: How often to look whether the store may still be used, beside every commit and read.
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
        """Begin to work."""
        self.engine.start()

    async def stop(self) -> None:
        """Commit what is queued, and close the store; what is asked from now on is refused."""
        await self.engine.drain()
        self.tokens.close()
        await self.ledger.close()
