"""Ledgers with planted faults: the real SQLite ledger, with something going wrong inside of it or on the way to it."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar, cast

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import Command
from budgetd_server.ledger.base import BudgetKey, Clock, Committed, Decide
from budgetd_server.ledger.sqlite.ledger import SqliteLedger

T = TypeVar("T")


class GatedLedger(SqliteLedger):
    """Holds up commits before they begin, for as long as its gate is closed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.gate = asyncio.Event()
        self.gate.set()
        #: How many commits have begun to wait at the gate or have passed it.
        self.commits = 0

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Wait for the gate, then commit."""
        self.commits += 1
        await self.gate.wait()
        return await super().commit(commands, decide, clock=clock, lock_wait_seconds=lock_wait_seconds)


class HangingLoadsLedger(SqliteLedger):
    """Lets loads hang after they have read, so that they return what is old by then."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        #: How many of the next loads hang.
        self.to_hang = 0
        self.hanging = 0
        self.gate = asyncio.Event()

    async def load_budgets(
        self, keys: Iterable[BudgetKey], models_of: Iterable[BudgetKey] = ()
    ) -> Mapping[BudgetKey, BudgetState]:
        """Read, then hang if this load is to."""
        loaded = await super().load_budgets(keys, models_of)
        if self.to_hang:
            self.to_hang -= 1
            self.hanging += 1
            await self.gate.wait()
        return loaded


class SmallDiskLedger(SqliteLedger):
    """Has no room for another page while `is_full`."""

    is_full = False

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        def on_small_disk(connection: sqlite3.Connection) -> T:
            pages = 1 if self.is_full else 2**30  # One: as many as there are, and no more.
            connection.execute(f"PRAGMA max_page_count = {pages}")
            return function(connection)

        return await super()._write(on_small_disk)


class Fault(Enum):
    """How a statement goes wrong."""

    BEFORE = "it is not carried out"
    AFTER = "it is carried out, and the error comes after"
    ROLLBACK = "it is not carried out, and SQLite rolls the transaction back, as on a full disk"


class FailingLedger(SqliteLedger):
    """Lets one statement go wrong, counted from when it was armed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._fault = Fault.BEFORE
        #: The statement that goes wrong, such as 1 for the next one; 0: none does.
        self._countdown = 0
        #: The beginning of the statement that went wrong; empty: none has.
        self.failed = ""

    def arm(self, fault: Fault, number: int) -> None:
        """Let the statement of that number go wrong, 1 being the next."""
        self._fault, self._countdown = fault, number

    def disarm(self) -> None:
        """Let nothing go wrong any more."""
        self._countdown = 0

    async def _write(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await super()._write(lambda connection: function(self._watched(connection)))

    async def _read(self, function: Callable[[sqlite3.Connection], T]) -> T:
        return await super()._read(lambda connection: function(self._watched(connection)))

    def _watched(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        return cast("sqlite3.Connection", _Watched(connection, self))

    def carry_out(self, connection: sqlite3.Connection, name: str, statement: str, parameters: tuple[Any, ...]) -> Any:
        """Carry out a statement, or let it go wrong."""
        self._countdown -= 1
        # A rollback of SQLite's own does not fail.
        if self._countdown != 0 or statement == "ROLLBACK":
            return getattr(connection, name)(statement, *parameters)
        self.failed = statement[:60]
        if self._fault is Fault.AFTER:
            getattr(connection, name)(statement, *parameters)
        if self._fault is Fault.ROLLBACK and connection.in_transaction:
            connection.execute("ROLLBACK")
        raise full_disk()


class _Watched:
    """A connection that asks its ledger before each statement."""

    def __init__(self, connection: sqlite3.Connection, ledger: FailingLedger) -> None:
        self._connection = connection
        self._ledger = ledger

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def execute(self, statement: str, *parameters: Any) -> Any:
        return self._ledger.carry_out(self._connection, "execute", statement, parameters)

    def executemany(self, statement: str, *parameters: Any) -> Any:
        return self._ledger.carry_out(self._connection, "executemany", statement, parameters)


class FailsAfterCommitLedger(SqliteLedger):
    """Commits, and then reports that it could not, for a given number of times."""

    times = 0

    def _run_batch(self, *arguments: Any) -> Any:
        committed = super()._run_batch(*arguments)
        if self.times:
            self.times -= 1
            raise full_disk()
        return committed


def full_disk() -> sqlite3.OperationalError:
    """The error of a full disk, as the driver raises it."""
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode, error.sqlite_errorname = sqlite3.SQLITE_FULL, "SQLITE_FULL"
    return error
