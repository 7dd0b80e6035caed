"""A program with a planted bug: the real server, answering its callers before COMMIT.

With EARLY_ANSWER_DIES_AT=n, the process dies in its n-th batch, after the answers and before the COMMIT.
"""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from budgetd_server import app
from budgetd_server.cli import main
from budgetd_server.domain.commands import Command
from budgetd_server.domain.decide import needs_of
from budgetd_server.ledger.base import Clock, Committed, Decide
from budgetd_server.ledger.loading import load
from budgetd_server.ledger.sqlite.ledger import SqliteLedger

T = TypeVar("T")

#: Long enough for answers to reach callers on the same machine.
ANSWERS_SECONDS = 0.1


class EarlyAnsweringLedger(SqliteLedger):
    """Commits each batch only when the next one comes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._batches = 0
        self._dies_at = int(os.environ["EARLY_ANSWER_DIES_AT"])

    async def commit(
        self, commands: Sequence[Command[Any]], decide: Decide[T], *, clock: Clock, lock_wait_seconds: float
    ) -> tuple[T, Committed]:
        """Decide and save, and return before that is durable."""
        self._batches += 1
        if self._batches > self._dies_at:
            await asyncio.Event().wait()  # The batch before this one is the last.
        outcomes = await self._write(partial(self._begin_without_end, commands, decide, clock))
        if self._batches == self._dies_at:
            asyncio.get_running_loop().call_later(ANSWERS_SECONDS, os._exit, 137)
        return outcomes, Committed(0.0, 0.0)

    def _begin_without_end(
        self, commands: Sequence[Command[Any]], decide: Decide[T], clock: Clock, connection: sqlite3.Connection
    ) -> T:
        if connection.in_transaction:
            connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        now_us = clock()
        state = self._statements.carried_out(connection, load(needs_of(commands), now_us))
        outcomes = decide(state, now_us)
        self._save.changes(connection, state)
        return outcomes


if __name__ == "__main__":
    setattr(app, "SqliteLedger", EarlyAnsweringLedger)  # noqa: B010 - it is the name that the program looks up.
    main()
