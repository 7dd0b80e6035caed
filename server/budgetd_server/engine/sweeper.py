"""The sweeper: lets holds expire and windows end that nobody touches, and finishes deletions of large trees.

Whoever touches a budget rolls its windows, and expires the holds that are in the way, without any job. The sweeper does
the rest, so that money that nobody asks for comes free and the ledger tells of every window. It asks the store what is
due and sends small commands through the queue as any caller does, one at a time, so that callers are never far behind.
Each command looks anew inside its transaction: any number of servers may sweep one store, and every roll is written
once. Windows below an hour roll on touch alone.

A deletion of a large tree takes effect at once, and the rows below its root follow in steps, whoever began it. After
each step the sweeper rests for as long as the step took.
"""

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from budgetd_server.domain.commands import Outcome, Sweep
from budgetd_server.domain.errors import BudgetError, StoreUnavailable
from budgetd_server.domain.results import Swept
from budgetd_server.ledger.base import Ledger

SWEEP_SECONDS = 1.0
#: How much of each kind is asked for at once,
LOOK_MAX = 1_000
#: and how much one command does: a few milliseconds of work.
STEP_MAX = 50
#: How many steps of a project's deletions it takes before it looks for what else is due.
DELETION_STEPS_MAX = 50

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
        submit: Callable[[Sweep], Awaitable[Outcome[Swept]]],
        clock: Callable[[], int],
        *,
        sweep_seconds: float = SWEEP_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._submit = submit
        self._clock = clock
        self._sweep_seconds = sweep_seconds
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._is_more = False

    def start(self) -> None:
        """Begin to sweep."""
        self._task = asyncio.create_task(self._run(), name="budgetd-sweeper")

    async def stop(self) -> None:
        """Cease to sweep; what is left is for others, or for later."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Look at once: there may be a deletion to finish."""
        self._wake.set()

    async def sweep(self) -> int:
        """Do what is due now, as far as one look at the store tells; returns how much was done."""
        due = await self._ledger.due(self._clock(), LOOK_MAX)
        holds: dict[str, list[int]] = defaultdict(list)
        budgets: dict[str, list[str]] = defaultdict(list)
        for project_id, seq in due.holds:
            holds[project_id].append(seq)
        for project_id, budget_id in due.budgets:
            budgets[project_id].append(budget_id)
        steps = [Sweep(project_id=name, reservation_seqs=step) for name, seqs in holds.items() for step in _steps(seqs)]
        steps += [Sweep(project_id=name, budget_ids=step) for name, ids in budgets.items() for step in _steps(ids)]
        done = sum([await self._done(step) for step in steps])
        self._is_more = any([await self._finish_deletions(project_id) for project_id in due.deleting])
        return done

    async def _finish_deletions(self, project_id: str) -> bool:
        """Take some steps; True if there are more."""
        loop, step = asyncio.get_running_loop(), Sweep(project_id=project_id, finishes_deletions=True)
        for _ in range(DELETION_STEPS_MAX):
            began = loop.time()
            if not await self._done(step):
                return False
            await asyncio.sleep(loop.time() - began)
        return True

    async def _done(self, step: Sweep) -> int:
        """Carry out one step. An internal error in one must not keep the others from their turn."""
        try:
            return (await self._submit(step)).result.changes_count
        except BudgetError:
            raise  # Of the store or the queue, and so of all steps.
        except Exception:
            log.exception("a step of sweeping failed with an internal error")
            return 0

    async def _run(self) -> None:
        while True:
            done, self._is_more = 0, False
            self._wake.clear()
            try:
                done = await self.sweep()
            except StoreUnavailable:
                pass  # The writer has logged it, and logs when it is over.
            except BudgetError as error:
                log.warning("sweeping was refused: %s", error)
            except Exception:  # The next sweep must take place in any case.
                log.exception("sweeping failed with an internal error")
            # There may be more; but what was looked at and could not be done is no reason to look again at once.
            if done < LOOK_MAX and not self._is_more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._sweep_seconds):
                        await self._wake.wait()


def _steps(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[begin : begin + STEP_MAX] for begin in range(0, len(items), STEP_MAX)]
