"""Reads that wait at the same moment share one load, as writes share a commit.

A read joins only a load that has not begun, so it sees everything that was acknowledged before it was requested:
callers read their own writes. A load that hangs delays only the reads that joined it, since others run in parallel.
"""

import asyncio
from collections.abc import Mapping

from budgetd_server.domain.budget import BudgetState
from budgetd_server.ledger.base import BudgetKey, Ledger

LOADS_AT_ONCE_MAX = 2


class _Load:
    """One load: the requested budgets, and the futures of the waiting readers."""

    def __init__(self) -> None:
        self.keys: set[BudgetKey] = set()
        self.models_of: set[BudgetKey] = set()
        self.has_task = False
        #: One future per reader, so that a reader that is cancelled does not cancel the load for the others.
        self.waiting: list[asyncio.Future[Mapping[BudgetKey, BudgetState]]] = []


class SharedLoads:
    """Point reads of budgets."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._gathering: _Load | None = None
        self._running: set[asyncio.Task[None]] = set()

    async def budget(self, key: BudgetKey, *, with_models: bool = False) -> BudgetState | None:
        """Return a live budget as of now, with all its models if requested. None if no such budget exists.

        The state is shared with other readers and must not be changed.
        """
        if self._gathering is None:
            self._gathering = _Load()
        load = self._gathering
        load.keys.add(key)
        if with_models:
            load.models_of.add(key)
        loaded: asyncio.Future[Mapping[BudgetKey, BudgetState]] = asyncio.get_running_loop().create_future()
        load.waiting.append(loaded)
        self._begin()
        return (await loaded).get(key)

    def _begin(self) -> None:
        load = self._gathering
        if load is not None and not load.has_task and len(self._running) < LOADS_AT_ONCE_MAX:
            load.has_task = True
            task = asyncio.create_task(self._run(load))
            self._running.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._begin()

    async def _run(self, load: _Load) -> None:
        # The load begins here: later reads join the next one.
        self._gathering = None
        try:
            loaded = await self._ledger.load_budgets(load.keys, load.models_of)
        except BaseException as error:
            if isinstance(error, asyncio.CancelledError):
                for waiting in load.waiting:
                    waiting.cancel()
                raise
            for waiting in load.waiting:
                if not waiting.done():  # Otherwise its reader was cancelled.
                    waiting.set_exception(error)
        else:
            for waiting in load.waiting:
                if not waiting.done():
                    waiting.set_result(loaded)
