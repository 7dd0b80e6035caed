"""The sweeper: lets holds expire and windows end that nobody touches.

Whoever touches a budget rolls its windows, and expires the holds that are in the way, without any job. The sweeper does
the rest, so that money that nobody asks for comes free and the ledger tells of every window. It asks the store what is
due and sends small commands through the queue as any caller does, one at a time, so that callers are never far behind.
Each command looks anew inside its transaction: any number of servers may sweep one store, and every roll is written
once. Windows below an hour roll on touch alone.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from budgetd_server.domain.commands import Outcome, Sweep
from budgetd_server.domain.errors import BudgetError, StoreUnavailable
from budgetd_server.ledger.base import Ledger

SWEEP_SECONDS = 1.0
#: How much of each kind is asked for at once,
LOOK_MAX = 1_000
#: and how much one command does: a few milliseconds of work.
STEP_MAX = 50

T = TypeVar("T")
log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps a store from time to time.

    Args:
        ledger: What is swept.
        submit: Carries out a command; see Writer.submit.
        clock: Microseconds since the Unix epoch.
        sweep_seconds: How long it rests when nothing is due.
    """

    def __init__(
        self,
        ledger: Ledger,
        submit: Callable[[Sweep], Awaitable[Outcome]],
        clock: Callable[[], int],
        *,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._submit = submit
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sweep."""
        self._task = asyncio.create_task(self._run(), name="budgetd-sweeper")

    async def stop(self) -> None:
        """Cease to sweep; what is left is for others, or for later."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def sweep(self) -> int:
        """Do what is due now, as far as one look at the store tells; returns how much was looked at."""
        due = await self._ledger.due(self._clock(), LOOK_MAX)
        holds: dict[str, list[int]] = defaultdict(list)
        budgets: dict[str, list[str]] = defaultdict(list)
        for project_id, seq in due.holds:
            holds[project_id].append(seq)
        for project_id, budget_id in due.budgets:
            budgets[project_id].append(budget_id)
        for project_id, seqs in holds.items():
            for step in _steps(seqs):
                await self._submit(Sweep(project_id=project_id, reservation_seqs=step))
        for project_id, budget_ids in budgets.items():
            for step_ids in _steps(budget_ids):
                await self._submit(Sweep(project_id=project_id, budget_ids=step_ids))
        return len(due.holds) + len(due.budgets)

    async def _run(self) -> None:
        while True:
            looked_at = 0
            try:
                looked_at = await self.sweep()
            except StoreUnavailable:
                pass  # The writer has told of it, and tells when it is over.
            except BudgetError as error:
                log.warning("sweeping was refused: %s", error)
            except Exception:
                log.exception("sweeping failed by a mistake of ours")
            if looked_at < LOOK_MAX:
                await asyncio.sleep(self._sweep_seconds)


def _steps(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[begin : begin + STEP_MAX] for begin in range(0, len(items), STEP_MAX)]
