"""The engine: the interface to the ledger for the edges of the server."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import (
    Command,
    DeleteBudget,
    Outcome,
    R,
    Request,
    ResetManyOnDuration,
    UpdateBudget,
)
from budgetd_server.domain.configure import anchored
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.errors import (
    BudgetNotFound,
    Refusal,
    ReservationNotFound,
    StoreUnavailable,
)
from budgetd_server.domain.queries import BudgetQuery, EntryPage, EntryQuery, ReservationPage, ReservationQuery
from budgetd_server.domain.recount import StaleRecount, begin_recount, limits_to_recount
from budgetd_server.domain.reservation import Reservation, reservation_id
from budgetd_server.domain.results import Configured, Deleted, WindowsReset
from budgetd_server.domain.status import BudgetStatus, budget_status
from budgetd_server.engine.shared_loads import SharedLoads
from budgetd_server.engine.sweeper import SWEEP_SECONDS, Sweeper
from budgetd_server.engine.watch import WATCH_SECONDS, Watch
from budgetd_server.engine.writer import Writer
from budgetd_server.ledger.base import Ledger
from budgetd_server.metrics import Metrics

QUEUE_MAX = 100_000
RECOUNT_ROWS_MAX = 1_000
RECOUNTS_MAX = 10
LIST_ROWS_MAX = 1_000
#: Rows per read of ListBudgets with models. Each may have two hundred models.
LIST_ROWS_WITH_MODELS_MAX = 100
#: The same for reads of a whole project.
ALL_ROWS_WITH_MODELS_MAX = 500
#: Reads of one ListBudgets before it returns what it has found.
LIST_READS_MAX = 5
RESET_STEP_BUDGETS = 200


class ListedBudget(NamedTuple):
    """One item of a list of budgets, or its end."""

    #: If the page ends here, the next one begins after this key.
    budget_key: int
    #: None: the page ends here because enough rows were read. More budgets may follow.
    status: BudgetStatus | None


class Engine:
    """Carries out commands in shared transactions and answers reads from shared loads.

    Args:
        ledger: The store. The caller closes it.
        clock: Returns microseconds since the Unix epoch. The server's clock decides when windows end.
        metrics: The metrics that are updated.
        queue_max: How many commands may wait. More are refused with QueueFull.
        sweep_seconds: How often to check for holds and windows that are over.
        watch_seconds: How often to check that the store may still be used, in addition to every commit and read.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Callable[[], int],
        metrics: Metrics,
        *,
        queue_max: int = QUEUE_MAX,
        sweep_seconds: float = SWEEP_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self.clock = clock
        self.writer = Writer(ledger, clock, metrics, queue_max=queue_max)
        self._loads = SharedLoads(ledger)
        self.sweeper = Sweeper(ledger, self.writer.submit, clock, sweep_seconds=sweep_seconds)
        self.watch = Watch(ledger, self.writer.store_failed, watch_seconds=watch_seconds)

    def start(self) -> None:
        """Start the writer, the sweeper and the watch."""
        self.writer.start()
        self.sweeper.start()
        self.watch.start()

    async def drain(self) -> None:
        """Refuse new commands, and return when the waiting ones are committed."""
        await self.watch.stop()
        await self.sweeper.stop()
        await self.writer.drain()

    async def submit(self, command: Command[R], *, timeout_seconds: float | None = None) -> Outcome[R]:
        """Carry out a command; see Writer.submit."""
        return await self.writer.submit(command, timeout_seconds=timeout_seconds)

    async def submit_many(
        self, commands: Sequence[Command[R]], *, timeout_seconds: float | None = None
    ) -> list[Outcome[R] | Refusal]:
        """Carry out commands in order; see Writer.submit_many."""
        return await self.writer.submit_many(commands, timeout_seconds=timeout_seconds)

    async def delete_budget(self, command: DeleteBudget, *, timeout_seconds: float | None = None) -> Outcome[Deleted]:
        """Delete a budget. The rows below a large tree's root follow in steps, which begin now."""
        outcome = await self.submit(command, timeout_seconds=timeout_seconds)
        if command.force:
            self.sweeper.wake()
        return outcome

    async def update_budget(
        self, command: UpdateBudget, *, timeout_seconds: float | None = None
    ) -> Outcome[Configured]:
        """Change a configuration. A new window is first counted from the ledger, while the server goes on."""
        for _ in range(RECOUNTS_MAX):
            try:
                return await self.submit(await self._recounted(command), timeout_seconds=timeout_seconds)
            except StaleRecount:
                continue
        raise StoreUnavailable("the budget's windows changed again and again while they were counted; try again")

    async def reset_all(
        self, project_id: str, request: Request, *, timeout_seconds: float | None = None
    ) -> Outcome[WindowsReset]:
        """Reset every budget of a project whose window is over, in steps, each in its own transaction."""
        step = ResetManyOnDuration(project_id=project_id, budget_ids=(), request=request)
        known = await self.submit(step, timeout_seconds=timeout_seconds)
        if known.replayed:
            return known
        reset_count, after_key = 0, 0
        while page := await self._ledger.list_budgets(
            BudgetQuery(project_id=project_id, after_key=after_key, rows_max=RESET_STEP_BUDGETS)
        ):
            after_key = page[-1].budget_key
            now_us = self.clock()
            ended = [
                each.budget_id
                for each in page
                if each.main.span.end_at_us is not None and each.main.span.end_at_us <= now_us
            ]
            if ended:
                step = replace(step, budget_ids=ended, reset_count_before=reset_count)
                reset_count = (await self.submit(step, timeout_seconds=timeout_seconds)).result.budgets_count
        last = replace(step, budget_ids=(), reset_count_before=reset_count, is_last=True)
        return await self.submit(last, timeout_seconds=timeout_seconds)

    async def budget(self, project_id: str, budget_id: str, *, with_models: bool = False) -> BudgetStatus:
        """Return a budget as of now.

        Raises:
            BudgetNotFound: No such budget exists.
        """
        state = await self._loads.budget((project_id, budget_id), with_models=with_models)
        if state is None:
            raise BudgetNotFound(project_id, budget_id)
        return budget_status(state, self.clock())

    async def touched(self, project_id: str, budget_id: str, additional_ids: Sequence[str] = ()) -> list[BudgetState]:
        """Return the budgets that a charge would count on: its own and the additional ones, with ancestors, each once.

        Raises:
            BudgetNotFound: One of them does not exist.
        """
        budget_ids = [budget_id, *additional_ids]
        found: dict[int, BudgetState] = {}
        for name, line in zip(budget_ids, await self._ledger.lineage(project_id, budget_ids), strict=True):
            if not line:
                raise BudgetNotFound(project_id, name)
            for budget in line:
                found.setdefault(budget.budget_key, budget)
        return list(found.values())

    async def lineages(self, project_id: str, budget_ids: Sequence[str]) -> list[BudgetStatus]:
        """Return the given budgets that exist, and their ancestors, each once, as of now."""
        lines = await self._ledger.lineage(project_id, budget_ids)
        now_us = self.clock()
        found = {budget.budget_key: budget for line in lines for budget in line}
        return [budget_status(budget, now_us) for budget in found.values()]

    async def reservation(self, project_id: str, seq: int) -> tuple[Reservation, Mapping[int, str]]:
        """Return a reservation, and the ids of its other budgets by key.

        Raises:
            ReservationNotFound: No such reservation exists.
        """
        found = await self._ledger.reservation(project_id, seq)
        if found is None:
            raise ReservationNotFound(project_id, reservation_id(seq))
        return found

    async def list_reservations(self, query: ReservationQuery) -> ReservationPage:
        """Return a page of reservations; see Ledger.list_reservations."""
        return await self._ledger.list_reservations(query)

    async def list_budgets(self, query: BudgetQuery, *, page_size: int) -> AsyncIterator[ListedBudget]:
        """Yield the budgets of a query that match, as of now, in order of creation; see `ListedBudget`.

        Args:
            query: The filters, and where to begin. Its `rows_max` is replaced.
            page_size: About how many budgets to read. The caller stops when it has enough.
        """
        after_key = query.after_key
        rows_max = min(LIST_ROWS_WITH_MODELS_MAX if query.with_models else LIST_ROWS_MAX, 2 * page_size)
        for _ in range(LIST_READS_MAX):
            page = await self._ledger.list_budgets(replace(query, after_key=after_key, rows_max=rows_max))
            now_us = self.clock()
            for state in page:
                status = budget_status(state, now_us)
                if query.matches(status):
                    yield ListedBudget(state.budget_key, status)
                after_key = state.budget_key
            if len(page) < rows_max:
                return
        yield ListedBudget(after_key, None)

    async def all_budgets(self, project_id: str, *, with_models: bool = False) -> AsyncIterator[Sequence[BudgetState]]:
        """Yield the live budgets of a project in order of creation, in pages, each as of the moment of its read.

        Args:
            project_id: The project. If it does not exist, there are no budgets.
            with_models: True: including the sums by model.
        """
        rows_max = ALL_ROWS_WITH_MODELS_MAX if with_models else LIST_ROWS_MAX
        query = BudgetQuery(project_id=project_id, rows_max=rows_max, with_models=with_models)
        while page := await self._ledger.list_budgets(query):
            yield page
            if len(page) < rows_max:
                return
            query = replace(query, after_key=page[-1].budget_key)

    async def entries(self, project_id: str, seqs: Sequence[int]) -> Mapping[int, Entry]:
        """Return entries of a project by number; see Ledger.entries."""
        return await self._ledger.entries(project_id, seqs)

    def count_refusals(self, reasons: Iterable[str]) -> None:
        """Count the refused items of a batch. Calls that are refused as a whole are counted at the end of the call."""
        for reason, count in Counter(reasons).items():
            self._metrics.refusals.labels(reason).inc(count)

    async def list_entries(self, query: EntryQuery) -> EntryPage:
        """Return a page of the ledger; see Ledger.list_entries."""
        return await self._ledger.list_entries(query)

    async def _recounted(self, command: UpdateBudget) -> UpdateBudget:
        """Return the command with the first step of its recount, if it needs one."""
        state = await self._loads.budget((command.project_id, command.budget_id))
        if state is None or not command.sets_limits:
            return command
        limits = limits_to_recount(state, anchored(command.limits, state.created_at_us))
        if not limits:
            return command
        recount = begin_recount(state, limits, self.clock())
        await self._ledger.recount(recount, command.project_id, RECOUNT_ROWS_MAX)
        return replace(command, recount=recount)
