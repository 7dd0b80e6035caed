"""Budgets and entries in one SQLite file, safe for any number of processes.

One connection writes. A batch (load, decide, save, COMMIT) runs as one function on that connection's own thread,
because awaiting a single statement takes 0.1 ms for the round trip, and a batch has ten. It begins with `BEGIN
IMMEDIATE`, so what a batch reads stays true until it commits, even if other processes use the file. Other connections
read; each read is a snapshot of everything that was committed before it began.

After an error of the store, the state of its connection is unknown. It is closed, and the next batch opens another.
"""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Self

import aiosqlite

from budgetd_server.domain.commands import Command
from budgetd_server.domain.decide import needs_of
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.domain.needs import Needs
from budgetd_server.ledger.base import (
    Clock,
    Committed,
    Decide,
    FileLost,
    FileOutdated,
    LedgerRefused,
)
from budgetd_server.ledger.loading import decided
from budgetd_server.ledger.sqlite.file import connect, log_keeper, open_file
from budgetd_server.ledger.sqlite.guard import FileGuard
from budgetd_server.ledger.sqlite.save import SqliteSave
from budgetd_server.ledger.sqlite.statements import SqliteStatements
from budgetd_server.ledger.stepped import SteppedLedger
from budgetd_server.ledger.steps import Steps, T

READERS = 2
#: How long to wait before trying to get the lock again: short, since another writer holds it for about a millisecond.
LOCK_POLL_SECONDS = 0.001

log = logging.getLogger(__name__)


class SqliteLedger(SteppedLedger):
    """A ledger in a file. Create it by `open`; close it by `close`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._statements = SqliteStatements()
        self._save = SqliteSave(self._statements)
        self._writer: aiosqlite.Connection | None = None
        self._writing = asyncio.Lock()
        self._readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._is_closed = False
        self._guard = FileGuard(path)
        self.trouble: LedgerRefused | None = None
        self.outdated = asyncio.Event()

    @classmethod
    async def open(cls, path: Path, *, migrates: bool = False) -> Self:
        """Open a file. Creates it if it does not exist.

        Raises:
            LedgerRefused: The file must not be used; the text says why.
        """
        migrated = await asyncio.to_thread(open_file, path, migrates=migrates)
        if migrated is not None:
            log.warning("%s was migrated from version %d to %d; copy: %s", path, *migrated)
        return await cls.connected(path)

    @classmethod
    async def connected(cls, path: Path) -> Self:
        """Connect to a file that `open_file` has found sound.

        Raises:
            LedgerRefused: The file must not be used.
            sqlite3.Error: The file cannot be opened.
        """
        ledger = cls(path)
        try:
            for _ in range(READERS):
                ledger._readers.put_nowait(await _opened(path, is_reader=True))
            ledger._writer = await _opened(path, is_reader=False)
            await _on_thread(ledger._writer, ledger._guard.learn)
        except BaseException:
            while not ledger._readers.empty():
                await ledger._readers.get_nowait().close()
            await ledger._give_up_writer()
            raise
        return ledger

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """See Ledger.commit."""
        needs = needs_of(commands)
        return await self._write(partial(self._run_batch, needs, decide, clock, lock_wait_seconds))

    async def prove(self, now_us: int) -> None:
        """See Ledger.prove."""

        def beat(connection: sqlite3.Connection) -> None:
            _begin(connection, wait_seconds=1.0)
            self._guard.check_version(connection)
            self._save.beat(connection, now_us)
            self._guard.check_place()
            connection.execute("COMMIT")
            self._guard.check_place()

        await self._write(beat)

    async def check(self) -> None:
        """See Ledger.check."""
        await self._read(lambda _: None)

    async def close(self) -> None:
        """See Ledger.close."""
        async with self._writing:
            if self._is_closed:
                return
            self._is_closed = True
            keeper = await asyncio.to_thread(log_keeper, self._path) if self._guard.is_replaced() else None
            if self._writer is not None:
                await self._writer.close()
                self._writer = None
        for _ in range(READERS):
            await (await self._readers.get()).close()
        if keeper is not None:
            keeper.close()

    async def _ask(self, steps: Steps[T]) -> T:
        """See SteppedLedger."""
        return await self._read(lambda connection: self._statements.carried_out(connection, steps))

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function on a reading connection, on one snapshot."""

        def snapshot(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                self._guard.check_version(connection)
                result = function(connection)
            finally:
                connection.execute("ROLLBACK")
            self._guard.check_place()
            return result

        self._check_open()
        connection = await self._readers.get()
        try:
            result = await _on_thread(connection, snapshot)
        except (sqlite3.Error, LedgerRefused) as error:
            raise self._failed(error, "read") from error
        finally:
            self._readers.put_nowait(connection)
        self.trouble = None
        return result

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Call a function that writes and commits. After an error of the store, close the connection."""
        async with self._writing:
            self._check_open()
            try:
                if self._writer is None:
                    self._writer = await self._reopened()
                result = await _on_thread(self._writer, function)
            except (sqlite3.Error, LedgerRefused) as error:
                await self._give_up_writer()
                raise self._failed(error, "write") from error
            self.trouble = None
            return result

    async def _reopened(self) -> aiosqlite.Connection:
        """Return a new connection for writing, only to the file that is already open."""
        self._guard.check_place()
        writer = await _opened(self._path, is_reader=False)
        try:
            self._guard.check_place()
        except LedgerRefused:
            await writer.close()
            raise
        return writer

    def _failed(self, error: Exception, what: str) -> StoreUnavailable:
        """Return the error for callers, and log the details for the operator once."""
        if isinstance(error, FileLost | FileOutdated):
            if str(self.trouble) != str(error):
                log.error("the file must not be used, so all calls fail: %s", error)
            self.trouble = error
            if isinstance(error, FileOutdated):
                self.outdated.set()
        return _unavailable(error, what)

    def _check_open(self) -> None:
        if self._is_closed:
            raise StoreUnavailable("the store is closed", metadata={"kind": "closed"})

    async def _give_up_writer(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer.close()
            except sqlite3.Error:
                log.warning("the connection could not be closed cleanly", exc_info=True)

    def _run_batch(
        self,
        needs: Needs,
        decide: Decide[T],
        clock: Clock,
        lock_wait_seconds: float,
        connection: sqlite3.Connection,
    ) -> tuple[T, Committed]:
        lock_waited_seconds = _begin(connection, wait_seconds=lock_wait_seconds)
        locked = time.monotonic()
        try:
            self._guard.check_version(connection)
            state, outcomes = self._statements.carried_out(connection, decided(needs, decide, clock()))
            self._save.changes(connection, state)
            self._guard.check_place()  # A COMMIT must not overwrite what another program has written.
            connection.execute("COMMIT")
        except BaseException:
            # After a full disk, SQLite has already rolled back; any other error is rolled back here.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._guard.check_place()
        return outcomes, Committed(lock_waited_seconds, time.monotonic() - locked)


def _begin(connection: sqlite3.Connection, *, wait_seconds: float) -> float:
    """Take the write lock by polling often: SQLite's own waiting polls less and less often and can starve.

    Returns:
        The seconds for which another connection had the lock. 0 if none had, even if this thread waited for the GIL.
    """
    began, was_locked = time.monotonic(), False
    while True:
        try:
            connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            is_locked = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not is_locked or time.monotonic() >= began + wait_seconds:
                raise
            was_locked = True
            time.sleep(LOCK_POLL_SECONDS)
        else:
            return time.monotonic() - began if was_locked else 0.0


async def _opened(path: Path, *, is_reader: bool) -> aiosqlite.Connection:
    def connector() -> sqlite3.Connection:
        connection = connect(path, is_reader=is_reader)
        if not is_reader:
            connection.execute("PRAGMA busy_timeout = 0")  # `_begin` does the waiting.
        return connection

    connection = aiosqlite.Connection(connector, iter_chunk_size=64)
    await connection
    return connection


async def _on_thread(connection: aiosqlite.Connection, function: Callable[[sqlite3.Connection], T]) -> T:
    """Call a function with the real connection, on its thread. The only code that uses internals of aiosqlite.

    aiosqlite awaits each statement and has no public way to run a function on its thread. Its range of versions is
    pinned, and a test fails if this stops working.
    """
    result: T = await connection._execute(  # type: ignore[no-untyped-call]  # noqa: SLF001
        function,
        connection._conn,  # noqa: SLF001
    )
    return result


def _unavailable(error: Exception, what: str) -> StoreUnavailable:
    """Return the error for callers: its kind, without details of the file or the statement."""
    kind = getattr(error, "kind", "") or getattr(error, "sqlite_errorname", type(error).__name__)
    kind = kind.removeprefix("SQLITE_").lower()
    return StoreUnavailable(
        f"the store could not {what} ({kind}); send the same request id again", metadata={"kind": kind}
    )
