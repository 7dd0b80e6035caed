"""The stores that the contract tests run on: one class for each kind of ledger, found by its name in STORES."""

import functools
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from budgetd_server.domain.commands import Command, Outcome
from budgetd_server.domain.decide import decide
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.errors import Refusal
from budgetd_server.domain.queries import EntryQuery
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.state import State
from budgetd_server.ledger.base import Ledger
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import MONDAY_US, PROJECT
from tests.ledger.toy_ledger import ToyLedger
from tests.ledger.toy_rows import KEYS, Tables

Result = Outcome[Any] | Refusal | StaleRecount
LOCK_WAIT_SECONDS = 20.0


class Store(Protocol):
    """One store, empty at first, which any number of ledgers may open at once."""

    async def open(self) -> Ledger:
        """Another ledger on this store."""

    def deviations(self) -> Sequence[object]:
        """What is wrong with what is stored; nothing if all is well."""


class SqliteStore:
    """A file in a folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "budgetd.db"

    async def open(self) -> Ledger:
        """See Store."""
        return await SqliteLedger.open(self.path)

    def deviations(self) -> Sequence[object]:
        """See Store."""
        return verify_file(self.path).deviations


class ToyStore:
    """Tables in memory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.tables: Tables = {name: {} for name in KEYS}
        self._writing = threading.Lock()

    async def open(self) -> Ledger:
        """See Store."""
        return ToyLedger(self.tables, self._writing)

    def deviations(self) -> Sequence[object]:
        """See Store. The rows are copied into a file, which is recounted as any other."""
        constants = {"counters": {"is_model": 0, "model": ""}, "models": {"is_model": 1, "limit_id": ""}}
        path = self._folder / "toy.db"
        path.write_bytes(empty_file())
        with closing(connect(path)) as connection:
            connection.execute("BEGIN")
            for name, rows in self.tables.items():
                for row in rows.values():
                    stored = {**row, **constants.get(name, {})}
                    values = ", ".join(f":{column}" for column in stored)
                    table = "counters" if name == "models" else name
                    connection.execute(f"INSERT INTO {table} ({', '.join(stored)}) VALUES ({values})", stored)
            connection.execute("COMMIT")
        return verify_file(path).deviations


@functools.cache
def empty_file() -> bytes:
    """A SQLite ledger that has no rows yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.db"
        open_file(path, migrates=False)
        connection = sqlite3.connect(path)
        try:
            connection.execute("PRAGMA journal_mode = DELETE")
            return connection.serialize()
        finally:
            connection.close()


#: Every kind of ledger by its name. A new one joins here, and every contract test runs on it.
STORES: Mapping[str, Callable[[Path], Store]] = {"sqlite": SqliteStore, "toy": ToyStore}


def decide_all(commands: Sequence[Command[Any]], state: State, now_us: int) -> list[Result]:
    """Decide a batch as the engine does: a refusal is one command's outcome."""
    results: list[Result] = []
    for command in commands:
        try:
            results.append(decide(state, command, now_us))
        except (Refusal, StaleRecount) as refusal:
            results.append(refusal)
    return results


async def commit(ledger: Ledger, *commands: Command[Any], now_us: int = MONDAY_US) -> list[Result]:
    """Carry out commands in one transaction; a result for each."""
    function = partial(decide_all, commands)
    results, _ = await ledger.commit(commands, function, clock=lambda: now_us, lock_wait_seconds=LOCK_WAIT_SECONDS)
    return results


async def carry_out(ledger: Ledger, *commands: Command[Any], now_us: int = MONDAY_US) -> list[Outcome[Any]]:
    """The same for commands none of which is refused."""
    outcomes = []
    for result in await commit(ledger, *commands, now_us=now_us):
        if not isinstance(result, Outcome):
            raise result
        outcomes.append(result)
    return outcomes


async def all_entries(ledger: Ledger, project_id: str = PROJECT, budget_id: str = "") -> list[tuple[str, Entry]]:
    """Every entry of a project, or of one budget id, newest first."""
    page = await ledger.list_entries(
        EntryQuery(project_id=project_id, budget_id=budget_id, page_size=10**6, rows_max=10**6)
    )
    assert page.next_seq is None
    return list(page.entries)
