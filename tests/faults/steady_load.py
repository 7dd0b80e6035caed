"""Callers that charge at a steady pace, whether the server keeps up or not, and how long each charge took.

A charge's time begins when it was to be sent: one that had to wait for the answer before it is as late for its caller.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from tests.faults.calls import charge, stub_for

#: How long a call may take before the drill fails.
PATIENCE_SECONDS = 60


class SteadyLoad:
    """The charges that were sent so far.

    Args:
        budget_ids: Who is charged, in turn.
        callers: How many connections there are.
        per_second: How many charges all of them send together.
    """

    def __init__(self, budget_ids: Sequence[str], *, callers: int, per_second: float) -> None:
        self._budget_ids = budget_ids
        self._callers = callers
        self._pause_seconds = callers / per_second
        #: When each was to begin, by the monotonic clock, and how long it then took.
        self.taken: list[tuple[float, float]] = []

    def seconds(self, began: float, ended: float) -> list[float]:
        """How long the charges took that were to begin in between, shortest first."""
        return sorted(seconds for at, seconds in self.taken if began <= at < ended)

    async def call(self, address: str, number: int) -> None:
        """One caller, until it is cancelled."""
        at = time.monotonic() + self._pause_seconds * number / self._callers
        sent = 0
        async with stub_for(address) as stub:
            while True:
                await asyncio.sleep(at - time.monotonic())
                budget_id = self._budget_ids[(number + sent * self._callers) % len(self._budget_ids)]
                await stub.UpdateCost(charge(f"steady-{number}-{sent}", 7, budget_id), timeout=PATIENCE_SECONDS)
                self.taken.append((at, time.monotonic() - at))
                sent += 1
                at += self._pause_seconds


@asynccontextmanager
async def steady_load(
    address: str, budget_ids: Sequence[str], *, callers: int = 16, per_second: float = 200.0
) -> AsyncIterator[SteadyLoad]:
    """A load for as long as the block lasts; a charge that fails ends the block."""
    load = SteadyLoad(budget_ids, callers=callers, per_second=per_second)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(load.call(address, number)) for number in range(callers)]
        yield load
        for task in tasks:
            task.cancel()


def quantile(seconds: Sequence[float], q: float) -> float:
    """The time that a share of the charges took at most, of times in order."""
    assert seconds, "charges were to be measured"
    return seconds[min(len(seconds) - 1, int(q * len(seconds)))]


def compared(what: str, before: Sequence[float], during: Sequence[float]) -> str:
    """A sentence with both p99s and their ratio."""
    first, second = quantile(before, 0.99), quantile(during, 0.99)
    return (
        f"p99 {what} {second / first:.2f} x the p99 before: {second * 1000:.1f} ms of {len(during)} charges, "
        f"before {first * 1000:.1f} ms of {len(before)}; medians {quantile(during, 0.5) * 1000:.1f} and "
        f"{quantile(before, 0.5) * 1000:.1f} ms; longest {during[-1] * 1000:.0f} and {before[-1] * 1000:.0f} ms"
    )
