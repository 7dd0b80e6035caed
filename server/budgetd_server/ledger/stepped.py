"""The common part of all ledgers: each read consists of steps, which a driver carries out on one snapshot."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.queries import BudgetQuery, Due, EntryPage, EntryQuery, ReservationPage, ReservationQuery
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.reservation import Reservation
from budgetd_server.ledger import reading
from budgetd_server.ledger.base import BudgetKey
from budgetd_server.ledger.chains import Position, recount_slice
from budgetd_server.ledger.steps import Steps, T


class SteppedLedger(ABC):
    """Implements all reads of a ledger by `_ask`."""

    @abstractmethod
    async def _ask(self, steps: Steps[T]) -> T:
        """Carry out steps on one snapshot of everything that was committed before.

        Raises:
            StoreUnavailable: The store did not answer.
        """

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """See Ledger.load_budgets."""
        wanted, with_models = list(keys), set(models_of)
        return await self._ask(reading.live_budgets(wanted, with_models))

    async def lineage(self, project_id: str, budget_ids: Sequence[str]) -> Sequence[Sequence[BudgetState]]:
        """See Ledger.lineage."""
        return await self._ask(reading.lineage(project_id, budget_ids))

    async def list_budgets(self, query: BudgetQuery) -> Sequence[BudgetState]:
        """See Ledger.list_budgets."""
        return await self._ask(reading.budget_page(query))

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """See Ledger.list_entries."""
        return await self._ask(reading.entry_page(query))

    async def entries(self, project_id: str, seqs: Sequence[int]) -> Mapping[int, Entry]:
        """See Ledger.entries."""
        return await self._ask(reading.entries(project_id, seqs))

    async def reservation(self, project_id: str, seq: int) -> tuple[Reservation, Mapping[int, str]] | None:
        """See Ledger.reservation."""
        return await self._ask(reading.reservation(project_id, seq))

    async def list_reservations(self, query: ReservationQuery) -> ReservationPage:
        """See Ledger.list_reservations."""
        return await self._ask(reading.reservation_page(query))

    async def due(self, now_us: int, rows_max: int) -> Due:
        """See Ledger.due."""
        return await self._ask(reading.due(now_us, rows_max))

    async def recount(self, recount: Recount, project_id: str, rows_max: int) -> None:
        """See Ledger.recount."""
        position: Position | None = None
        while True:
            began = time.monotonic()
            position = await self._ask(recount_slice(recount, project_id, position, rows_max))
            if position is None:
                return
            # Summing in Python holds the GIL, so this recount pauses for a third of the time.
            await asyncio.sleep((time.monotonic() - began) / 2)
