"""A real ledger that records its calls, and that a test can pause or make fail."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.queries import BudgetQuery, Due, EntryPage, EntryQuery, ReservationPage, ReservationQuery
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.reservation import Reservation
from budgetd_server.ledger.base import BudgetKey, Clock, Committed, Decide, Ledger, LedgerRefused

T = TypeVar("T")


class Gate:
    """Open at first. When closed, it holds each arrival and reports it."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()
        self._arrived = asyncio.Semaphore(0)

    def close(self) -> None:
        """Hold who comes from now on."""
        self._open.clear()

    def open(self) -> None:
        """Let everybody pass."""
        self._open.set()

    async def arrival(self) -> None:
        """Wait until one more has arrived at the closed gate."""
        await self._arrived.acquire()

    async def passed(self) -> None:
        """Go through."""
        if not self._open.is_set():
            self._arrived.release()
            await self._open.wait()


class WatchedLedger:
    """Passes everything on to a ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.trouble: LedgerRefused | None = ledger.trouble
        self.outdated = ledger.outdated
        #: The commands of each transaction that was asked for.
        self.commits: list[Sequence[Command[Any]]] = []
        self.lock_waits_seconds: list[float] = []
        #: The budgets of each load.
        self.loads: list[set[BudgetKey]] = []
        self.recounts = 0
        #: Before a transaction begins, after it is committed, and before a load begins.
        self.before_commit, self.after_commit, self.before_load = Gate(), Gate(), Gate()
        #: What the next transactions do instead of beginning, and instead of telling that they are committed.
        self.failures: deque[BaseException] = deque()
        self.failures_after_commit: deque[BaseException] = deque()
        self.load_failures: deque[BaseException] = deque()
        #: What a transaction is said to have taken, in seconds; None: the truth.
        self.reported_seconds: float | None = None
        #: Awaited after each recount.
        self.on_recounted: Callable[[], Awaitable[object]] | None = None

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """See Ledger.commit."""
        self.commits.append(list(commands))
        self.lock_waits_seconds.append(lock_wait_seconds)
        await self.before_commit.passed()
        if self.failures:
            raise self.failures.popleft()
        outcomes, committed = await self._ledger.commit(
            commands, decide, clock=clock, lock_wait_seconds=lock_wait_seconds
        )
        await self.after_commit.passed()
        if self.failures_after_commit:
            raise self.failures_after_commit.popleft()
        if self.reported_seconds is not None:
            committed = Committed(0.0, self.reported_seconds)
        return outcomes, committed

    async def prove(self, now_us: int) -> None:
        """See Ledger.prove."""
        await self._ledger.prove(now_us)

    async def check(self) -> None:
        """See Ledger.check."""
        await self._ledger.check()

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """See Ledger.load_budgets."""
        wanted = set(keys)
        self.loads.append(wanted)
        await self.before_load.passed()
        if self.load_failures:
            raise self.load_failures.popleft()
        return await self._ledger.load_budgets(wanted, models_of)

    async def lineage(self, project_id: str, budget_ids: Sequence[str]) -> Sequence[Sequence[BudgetState]]:
        """See Ledger.lineage."""
        return await self._ledger.lineage(project_id, budget_ids)

    async def entries(self, project_id: str, seqs: Sequence[int]) -> Mapping[int, Entry]:
        """See Ledger.entries."""
        return await self._ledger.entries(project_id, seqs)

    async def reservation(self, project_id: str, seq: int) -> tuple[Reservation, Mapping[int, str]] | None:
        """See Ledger.reservation."""
        return await self._ledger.reservation(project_id, seq)

    async def list_reservations(self, query: ReservationQuery) -> ReservationPage:
        """See Ledger.list_reservations."""
        return await self._ledger.list_reservations(query)

    async def due(self, now_us: int, rows_max: int) -> Due:
        """See Ledger.due."""
        return await self._ledger.due(now_us, rows_max)

    async def list_budgets(self, query: BudgetQuery) -> Sequence[BudgetState]:
        """See Ledger.list_budgets."""
        return await self._ledger.list_budgets(query)

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """See Ledger.list_entries."""
        return await self._ledger.list_entries(query)

    async def recount(self, recount: Recount, project_id: str, rows_max: int) -> None:
        """See Ledger.recount."""
        self.recounts += 1
        await self._ledger.recount(recount, project_id, rows_max)
        if self.on_recounted is not None:
            await self.on_recounted()

    async def close(self) -> None:
        """See Ledger.close."""
        await self._ledger.close()
