"""The sweeper: expires holds and ends windows of untouched budgets, and finishes deletions of large trees.

Commands that touch a budget roll its windows and expire the holds that block them; no job is needed for that. The
sweeper does the rest, so that unused holds are released and the ledger has an entry for every window. It asks the store
what is due and sends small commands through the queue, one at a time, like a caller, so that callers hardly wait. Each
command checks again inside its transaction, so any number of servers may sweep one store, and every roll is written
once. Windows shorter than an hour roll only when touched.

A deletion of a large tree takes effect at once; the rows below its root follow in steps, on any server. After each step
the sweeper rests for as long as the step took.
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
#: How many due items of each kind one query returns.
LOOK_MAX = 1_000
#: How many items one command handles: a few milliseconds of work.
STEP_MAX = 50
#: How many steps of a project's deletions are taken before checking what else is due.
DELETION_STEPS_MAX = 50

T = TypeVar("T")
log = logging.getLogger(__name__)


class Sweeper:
    """Sweeps a store from time to time.

    Args:
        ledger: The store to sweep.
        submit: Carries out a command; see Writer.submit.
        clock: Returns microseconds since the Unix epoch.
        sweep_seconds: How long to rest when nothing is due.
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
        """Start sweeping."""
        self._task = asyncio.create_task(self._run(), name="budgetd-sweeper")

    async def stop(self) -> None:
        """Stop sweeping. Other servers, or a later start, do what is left."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Check the store at once, since there may be a deletion to finish."""
        self._wake.set()

    async def sweep(self) -> int:
        """Do what one query of the store finds due now. Return how much was done."""
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
        """Take some steps. Return True if there are more."""
        loop, step = asyncio.get_running_loop(), Sweep(project_id=project_id, finishes_deletions=True)
        for _ in range(DELETION_STEPS_MAX):
            began = loop.time()
            if not await self._done(step):
                return False
            await asyncio.sleep(loop.time() - began)
        return True

    async def _done(self, step: Sweep) -> int:
        """Carry out one step. An internal error in a step is logged, so that it does not stop the others."""
        try:
            return (await self._submit(step)).result.changes_count
        except BudgetError:
            raise  # The store or the queue failed, so all steps would.
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
                pass  # The writer logs the failure, and its end.
            except BudgetError as error:
                log.warning("sweeping was refused: %s", error)
            except Exception:  # An error must not end the task.
                log.exception("sweeping failed with an internal error")
            # Sweep again at once only if there may be more, but not because of items that could not be handled.
            if done < LOOK_MAX and not self._is_more:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._sweep_seconds):
                        await self._wake.wait()


def _steps(items: Sequence[T]) -> list[Sequence[T]]:
    return [items[begin : begin + STEP_MAX] for begin in range(0, len(items), STEP_MAX)]
