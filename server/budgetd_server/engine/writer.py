"""The writer: commands wait in a queue, and one task carries them out, many in one transaction.

`submit` queues a command with a future. The task takes everything that waits (at most 1,000 commands, or what it can
commit in about 20 ms), lets the ledger run one transaction over it, and resolves the futures only after the commit has
returned. While that transaction runs, the next batch gathers; a single command never waits for others. The slower the
disk, the larger the batches, and the more commands share one fsync.

The commands of large batches (`submit_many`) wait in a second queue. They fill the rest of a transaction after single
commands, in slices that alternate between callers, so that a full batch does not delay single callers.

A refusal is one command's outcome. A failing transaction fails every command in it with the same retryable error. An
internal error in one command fails the transaction, too; its commands are then carried out one by one, so that only
the one that causes it fails. If a caller cancels before its batch begins, its command is dropped; after that the
command is carried out without an answer.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

from budgetd_server.domain.commands import Command, Outcome, R
from budgetd_server.domain.decide import RULES, decide
from budgetd_server.domain.errors import QueueFull, Refusal, ShuttingDown, StoreUnavailable
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.state import State, Tally
from budgetd_server.engine.tally import count_tally
from budgetd_server.ledger.base import LOGGED_KINDS, BatchEntangled, Committed, Ledger
from budgetd_server.metrics import Metrics

BATCH_COMMANDS_MAX = 1_000
BATCH_COMMANDS_MIN = 50
BATCH_SECONDS = 0.020
LOCK_WAIT_SECONDS_MAX = 5.0
#: If a batch waited longer than this for the lock, another process is using the file.
CONTENDED_SECONDS = 0.002
#: How long the lock is then left to the other process.
YIELD_SECONDS = 0.003
PROVE_SECONDS = 0.5

Result = Outcome[Any] | Exception
log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Single:
    """One command and the future of its caller."""

    command: Command[Any]
    future: "asyncio.Future[Outcome[Any]]"
    #: On the clock of the event loop. None: the caller waits without a deadline.
    deadline: float | None


@dataclass(slots=True, eq=False)
class _Bulk:
    """Many commands of one caller, carried out in order, in slices."""

    commands: Sequence[Command[Any]]
    future: "asyncio.Future[list[Result]]"
    deadline: float | None
    results: list[Result] = field(default_factory=list)


class _Batch(NamedTuple):
    """The commands of one transaction."""

    singles: list[_Single]
    bulks: list[tuple[_Bulk, int]]
    commands: list[Command[Any]]


class Writer:
    """Owns every write to a ledger."""

    def __init__(self, ledger: Ledger, clock: Callable[[], int], metrics: Metrics, *, queue_max: int) -> None:
        self._ledger = ledger
        self._clock = clock
        self._metrics = metrics
        self._queue_max = queue_max
        self._singles: deque[_Single] = deque()
        self._bulks: deque[_Bulk] = deque()
        self._waiting = 0
        self._batch_max = BATCH_COMMANDS_MAX
        self._arrival = asyncio.Event()
        self._is_draining = False
        self._task: asyncio.Task[None] | None = None
        self._prover: asyncio.Task[None] | None = None
        self._in_hand: _Batch | None = None
        #: Called whenever `is_healthy` has changed: the store begins or stops accepting writes.
        self.on_health: Callable[[], None] = lambda: None
        self.is_healthy = True
        metrics.queue_capacity.set(queue_max)
        metrics.queue_depth.set_function(lambda: self._waiting)
        metrics.store_healthy.set(1)

    def start(self) -> None:
        """Start carrying out commands."""
        self._task = asyncio.create_task(self._run(), name="budgetd-writer")
        self._task.add_done_callback(self._ended)

    async def submit(self, command: Command[R], *, timeout_seconds: float | None = None) -> Outcome[R]:
        """Carry out a command. Returns after the commit, so an answered command survives a crash.

        Args:
            command: What to do.
            timeout_seconds: How long the caller waits. None: without a deadline.

        Raises:
            Refusal: The command was refused; nothing of it was recorded.
            QueueFull, ShuttingDown: The command was not begun.
            StoreUnavailable: The outcome is unknown; a retry with the same request id settles it.
        """
        loop = asyncio.get_running_loop()
        self._admit(1)
        single = _Single(command, loop.create_future(), _deadline(loop, timeout_seconds))
        self._singles.append(single)
        self._arrival.set()
        return await single.future

    async def submit_many(
        self, commands: Sequence[Command[R]], *, timeout_seconds: float | None = None
    ) -> list[Outcome[R] | Refusal]:
        """Carry out commands in order, each independent of the others, in as many transactions as needed.

        Raises:
            QueueFull, ShuttingDown, StoreUnavailable: Any of them may have been carried out.
        """
        if not commands:
            return []
        loop = asyncio.get_running_loop()
        self._admit(len(commands))
        bulk = _Bulk(commands, loop.create_future(), _deadline(loop, timeout_seconds))
        self._bulks.append(bulk)
        self._arrival.set()
        results: list[Outcome[R] | Refusal] = []
        for result in await bulk.future:
            if not isinstance(result, Outcome | Refusal):
                raise result
            results.append(result)
        return results

    async def drain(self) -> None:
        """Refuse new commands, commit the waiting ones, and end the task."""
        self._is_draining = True
        self._arrival.set()
        if self._task is not None:
            await asyncio.wait([self._task])  # If the task has died, that was logged.
        if self._prover is not None:
            self._prover.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._prover

    def _admit(self, commands: int) -> None:
        if self._is_draining:
            raise ShuttingDown
        if self._waiting + commands > self._queue_max:
            raise QueueFull(self._queue_max)
        self._waiting += commands

    async def _run(self) -> None:
        while True:
            batch = self._take()
            if not batch.commands:
                if self._is_draining and not self._bulks:
                    return
                self._arrival.clear()
                await self._arrival.wait()
                continue
            self._in_hand = batch
            results = await self._carry_out(batch.commands, self._lock_wait_seconds(batch))
            self._waiting -= len(batch.commands)
            self._settle(batch, results)
            self._in_hand = None

    def _ended(self, task: "asyncio.Task[None]") -> None:
        """Fail every waiting caller when the task ends, for any reason."""
        if not task.cancelled() and task.exception() is not None:
            log.critical("the writer has died", exc_info=task.exception())
            self._set_health(is_healthy=False)
        self._is_draining = True
        if self._in_hand is not None:
            begun = [each.future for each in self._in_hand.singles] + [bulk.future for bulk, _ in self._in_hand.bulks]
            _fail(begun, lambda: StoreUnavailable("the server could not finish; send the same request id again"))
        waiting = [each.future for each in self._singles] + [bulk.future for bulk in self._bulks]
        _fail(waiting, ShuttingDown)

    def _take(self) -> _Batch:
        batch = _Batch([], [], [])
        while self._singles and len(batch.commands) < self._batch_max:
            single = self._singles.popleft()
            if single.future.cancelled():
                self._waiting -= 1  # The caller was cancelled before anything was begun.
                continue
            batch.singles.append(single)
            batch.commands.append(single.command)
        for _ in range(len(self._bulks)):
            room = self._batch_max - len(batch.commands)
            if room <= 0:
                break
            bulk = self._bulks.popleft()
            begun = len(bulk.results)
            if bulk.future.cancelled():
                self._waiting -= len(bulk.commands) - begun
                continue
            taken = bulk.commands[begun : begun + room]
            batch.bulks.append((bulk, len(taken)))
            batch.commands.extend(taken)
        return batch

    def _lock_wait_seconds(self, batch: _Batch) -> float:
        """Return how long the batch may wait for the lock: until the latest deadline of its callers."""
        deadlines = [each.deadline for each in batch.singles] + [bulk.deadline for bulk, _ in batch.bulks]
        patient = [deadline for deadline in deadlines if deadline is not None]
        if len(patient) < len(deadlines):
            return LOCK_WAIT_SECONDS_MAX
        return min(LOCK_WAIT_SECONDS_MAX, max(patient) - asyncio.get_running_loop().time())

    async def _carry_out(self, commands: Sequence[Command[Any]], lock_wait_seconds: float) -> list[Result]:
        """Run one transaction; return a result for each command."""
        try:
            (results, tally), committed = await self._ledger.commit(
                commands,
                partial(self._decide_all, commands),
                clock=self._clock,
                lock_wait_seconds=lock_wait_seconds,
            )
        except StoreUnavailable as error:
            self._metrics.store_errors.labels(error.metadata.get("kind", "other")).inc()
            self.store_failed(error)
            return [StoreUnavailable(error.message, metadata=error.metadata) for _ in commands]
        except BatchEntangled as error:
            if len(commands) == 1:
                log.exception("a command still lacks rows after the last load")
                return [error]
            middle = len(commands) // 2
            first = await self._carry_out(commands[:middle], lock_wait_seconds)
            return first + await self._carry_out(commands[middle:], lock_wait_seconds)
        except Exception as error:
            log.exception("a batch failed with an internal error", extra={"commands": len(commands)})
            if len(commands) == 1:
                return [error]
            return [(await self._carry_out([each], lock_wait_seconds))[0] for each in commands]
        self._committed(len(commands), committed)
        if tally.holds or tally.alerts or tally.unread or tally.charges:
            count_tally(self._metrics, tally)
        if committed.lock_wait_seconds > CONTENDED_SECONDS:
            await asyncio.sleep(YIELD_SECONDS)
        return results

    def _decide_all(self, commands: Sequence[Command[Any]], state: State, now_us: int) -> tuple[list[Result], Tally]:
        """Decide a batch. The ledger calls it inside the transaction, possibly on another thread."""
        results: list[Result] = []
        for command in commands:
            try:
                results.append(decide(state, command, now_us))
            except (Refusal, StaleRecount) as refusal:
                results.append(refusal)
        return results, state.tally

    def _settle(self, batch: _Batch, results: Sequence[Result]) -> None:
        """Answer the callers. If a caller was cancelled meanwhile, its command stays committed."""
        for single, result in zip(batch.singles, results, strict=False):
            if not single.future.done():
                _resolve(single.future, result)
        begun = len(batch.singles)
        self._count_charges([single.command for single in batch.singles], results)
        for bulk, taken in batch.bulks:
            slice_ = results[begun : begun + taken]
            begun += taken
            carried_out = bulk.commands[len(bulk.results) :]
            bulk.results.extend(slice_)
            self._count_charges(carried_out, slice_)
            failed = any(not isinstance(result, Outcome | Refusal) for result in slice_)
            if failed or len(bulk.results) == len(bulk.commands):
                self._waiting -= len(bulk.commands) - len(bulk.results)
                if not bulk.future.done():
                    bulk.future.set_result(bulk.results)
            else:
                self._bulks.append(bulk)

    def _count_charges(self, commands: Sequence[Command[Any]], results: Sequence[Result]) -> None:
        """Count charges by outcome, one update per kind, and the money that they and other commands charged."""
        recorded = replayed = refused = unavailable = cost_nano_usd = 0
        for command, result in zip(commands, results, strict=False):
            rule = RULES[type(command)]
            if rule.charged_nano_usd is None:
                continue
            if isinstance(result, Outcome):
                if result.replayed:
                    replayed += rule.is_charge
                else:
                    recorded += rule.is_charge
                    cost_nano_usd += rule.charged_nano_usd(command, result.result)
            elif isinstance(result, Refusal):
                refused += rule.is_charge
            else:
                unavailable += rule.is_charge
        self._metrics.count_charges(recorded=recorded, replayed=replayed, refused=refused, unavailable=unavailable)
        self._metrics.charged_nano_usd.inc(cost_nano_usd)

    def _committed(self, commands: int, committed: Committed) -> None:
        metrics = self._metrics
        metrics.commit_commands.observe(commands)
        metrics.commit_seconds.observe(committed.transaction_seconds)
        metrics.lock_wait_seconds.observe(committed.lock_wait_seconds)
        fitting = int(commands * BATCH_SECONDS / max(committed.transaction_seconds, 1e-6))
        if committed.transaction_seconds > BATCH_SECONDS:
            self._batch_max = max(BATCH_COMMANDS_MIN, fitting)
        elif commands >= self._batch_max:
            self._batch_max = min(BATCH_COMMANDS_MAX, max(self._batch_max, fitting))
        if not self.is_healthy:
            self._set_health(is_healthy=True)

    def store_failed(self, error: StoreUnavailable) -> None:
        """Mark the store as unhealthy, and try to write until it works again."""
        kind = error.metadata.get("kind", "other")
        if kind not in LOGGED_KINDS:
            log.error("the store could not commit a batch", exc_info=error, extra={"kind": kind})
        if self.is_healthy:
            self._set_health(is_healthy=False)
        if self._prover is None or self._prover.done():
            self._prover = asyncio.create_task(self._prove(), name="budgetd-prover")

    async def _prove(self) -> None:
        """Write a heartbeat until it succeeds, so that the server becomes healthy without waiting for a caller."""
        while not self.is_healthy:
            await asyncio.sleep(PROVE_SECONDS)
            try:
                await self._ledger.prove(self._clock())
            except StoreUnavailable:
                continue
            if not self.is_healthy:
                self._set_health(is_healthy=True)

    def _set_health(self, *, is_healthy: bool) -> None:
        self.is_healthy = is_healthy
        self._metrics.store_healthy.set(int(is_healthy))
        log.warning("the store accepts writes again" if is_healthy else "the store does not accept writes")
        self.on_health()


def _resolve(future: "asyncio.Future[Outcome[Any]]", result: Result) -> None:
    if isinstance(result, Outcome):
        future.set_result(result)
    else:
        future.set_exception(result)


def _fail(futures: "Sequence[asyncio.Future[Any]]", error: Callable[[], Exception]) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error())


def _deadline(loop: asyncio.AbstractEventLoop, timeout_seconds: float | None) -> float | None:
    return None if timeout_seconds is None else loop.time() + timeout_seconds
