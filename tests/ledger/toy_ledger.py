"""A second ledger, for tests alone: tables in memory, and a driver that waits for each answer as one over a network."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Any

from budgetd_server.domain.commands import Command
from budgetd_server.domain.decide import needs_of
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.domain.needs import Needs
from budgetd_server.ledger import loading
from budgetd_server.ledger.base import Clock, Committed, Decide, LedgerRefused
from budgetd_server.ledger.saving import changes
from budgetd_server.ledger.stepped import SteppedLedger
from budgetd_server.ledger.steps import Steps, T
from tests.ledger.awaiting import carried_out_awaiting
from tests.ledger.toy_rows import Tables, ToyRows


class ToyLedger(SteppedLedger):
    """A ledger on tables that any number of ledgers of this process share, with the lock of the current writer."""

    def __init__(self, tables: Tables, lock: threading.Lock) -> None:
        self._tables, self._lock = tables, lock
        self._writing, self._is_closed = asyncio.Lock(), False
        self.trouble: LedgerRefused | None = None
        self.outdated = asyncio.Event()

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        async with self._writing:
            await self.check()
            return await asyncio.to_thread(self._run_batch, needs_of(commands), decide, clock, lock_wait_seconds)

    async def prove(self, now_us: int) -> None:
        await self.check()

    async def check(self) -> None:
        if self._is_closed:
            raise StoreUnavailable("the store is closed", metadata={"kind": "closed"})

    async def close(self) -> None:
        async with self._writing:
            self._is_closed = True

    async def _ask(self, steps: Steps[T]) -> T:
        await self.check()
        return await carried_out_awaiting(ToyRows(dict(self._tables)), steps)

    def _run_batch(
        self, needs: Needs, decide: Decide[T], clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Carry out one transaction, on a thread and an event loop of its own, since deciding may block."""
        began = time.monotonic()
        if not self._lock.acquire(timeout=lock_wait_seconds):
            raise StoreUnavailable("another ledger is writing", metadata={"kind": "busy"})
        try:
            locked = time.monotonic()
            rows = ToyRows({name: dict(table) for name, table in self._tables.items()})
            state, outcomes = asyncio.run(carried_out_awaiting(rows, loading.decided(needs, decide, clock())))
            rows.write(changes(state))
            self._tables.update(rows.tables)
            return outcomes, Committed(locked - began, time.monotonic() - locked)
        finally:
            self._lock.release()
