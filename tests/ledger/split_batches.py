"""Three ledgers in memory that carry out the same commands: in one batch, in several, and one by one."""

import functools
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.domain import configure, counting
from budgetd_server.domain.commands import Command, Outcome, UpdateBudget
from budgetd_server.domain.configure import anchored
from budgetd_server.domain.decide import needs_of
from budgetd_server.domain.recount import StaleRecount, begin_recount, limits_to_recount
from budgetd_server.ledger import loading, reading
from budgetd_server.ledger.base import BatchEntangled
from budgetd_server.ledger.chains import recount_slice
from budgetd_server.ledger.sqlite.save import SqliteSave
from budgetd_server.ledger.sqlite.statements import SqliteStatements
from budgetd_server.ledger.sqlite.verify import verify_file
from budgetd_server.ledger.steps import Steps, T
from tests.domain.desk import MONDAY_US
from tests.ledger.batches import Batches, Seen
from tests.ledger.stores import Result, decide_all, empty_file

#: Few, so that short histories meet the bounds.
MODELS_MAX, DEPTH_MAX = 3, 4
#: One file of so many is written to disk and verified as a whole.
VERIFIED_EVERY = 4


@contextmanager
def narrow_bounds() -> Iterator[pytest.MonkeyPatch]:
    """Few models are counted apart, and trees are low."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        patch.setattr(loading, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        patch.setattr(configure, "DEPTH_MAX", DEPTH_MAX)
        yield patch


class MemoryFile:
    """A ledger's own load, decide and save on a database in memory."""

    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:", isolation_level=None)
        self.connection.deserialize(empty_file())
        self._statements = statements = _statements()
        self._save = SqliteSave(statements)

    def asked(self, steps: Steps[T]) -> T:
        """Carry out steps, in a transaction or without one."""
        return self._statements.carried_out(self.connection, steps)

    def commit(self, commands: Sequence[Command[Any]], now_us: int) -> list[Result]:
        """Carry out a batch in one transaction, or in more if the ledger asks for that."""
        function = partial(decide_all, commands)
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            state, results = self.asked(loading.decided(needs_of(commands), function, now_us))
            self._save.changes(self.connection, state)
            self.connection.execute("COMMIT")
        except BatchEntangled:
            self.connection.execute("ROLLBACK")
            middle = len(commands) // 2
            assert middle, "one command alone asks for ever more"
            return self.commit(commands[:middle], now_us) + self.commit(commands[middle:], now_us)
        except BaseException:
            self.connection.execute("ROLLBACK")
            raise
        return results

    def prepared(self, command: Command[Any], now_us: int) -> Command[Any]:
        """An update with the first step of the recount that it needs, as of now."""
        if not isinstance(command, UpdateBudget) or not command.sets_limits:
            return command
        place = (command.project_id, command.budget_id)
        budget = self.asked(reading.live_budgets([place], set())).get(place)
        limits = {} if budget is None else limits_to_recount(budget, anchored(command.limits, budget.created_at_us))
        if budget is None or not limits:
            return command
        recount = begin_recount(budget, limits, now_us)
        position = None
        while True:
            position = self.asked(recount_slice(recount, command.project_id, position, 100))
            if position is None:
                return replace(command, recount=recount)

    def seen(self, project_id: str) -> Seen:
        """What may be spoken of in a project."""
        row = self.connection.execute(
            "SELECT project_key, (SELECT max(seq) FROM entries AS e WHERE e.project_key = p.project_key),"
            " (SELECT max(budget_key) FROM budgets AS b WHERE b.project_key = p.project_key)"
            " FROM projects AS p WHERE project_id = ?",
            (project_id,),
        ).fetchone()
        if row is None:
            return Seen()
        project_key, last_seq, last_key = row
        holds = self.connection.execute(
            "SELECT seq FROM reservations WHERE project_key = ? ORDER BY state = 1, seq", (project_key,)
        ).fetchall()
        living = self.connection.execute(
            "SELECT budget_id FROM budgets WHERE project_key = ? AND deleted_at_us IS NULL", (project_key,)
        ).fetchall()
        return Seen(last_seq, [seq for (seq,) in holds][-12:], last_key, frozenset(each for (each,) in living))

    def content(self) -> dict[str, set[tuple[Any, ...]]]:
        """Everything that it keeps, table by table; projects by their ids, since keys are given out in any order."""
        names = dict(self.connection.execute("SELECT project_key, project_id FROM projects"))
        tables = self.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {table: set(self._rows(table, names)) for (table,) in tables if table not in ("heartbeat", "place")}

    def deviations(self) -> list[Any]:
        """What `verify` finds wrong."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "ledger.db"
            path.write_bytes(self.connection.serialize())
            return list(verify_file(path).deviations)

    def _rows(self, table: str, names: dict[int, str]) -> Iterator[tuple[Any, ...]]:
        cursor = self.connection.execute(f"SELECT * FROM {table}")
        place = [column for column, *_ in cursor.description].index("project_key")
        return ((*row[:place], names[row[place]], *row[place + 1 :]) for row in cursor)


def play(seed: int, batches: int, patch: pytest.MonkeyPatch) -> set[tuple[type, type]]:
    """Let the three carry out random batches, and compare all that they keep and answer.

    Returns:
        Which kinds of commands had which kinds of results.

    Raises:
        AssertionError: They differ, or one deviates from its own entries.
    """
    whole, cut, single = MemoryFile(), MemoryFile(), MemoryFile()
    patch.setattr(loading, "DESCENDANTS_LOADED_MAX", seed % 3)
    drawn = Batches(seed, single.seen)
    now_us = MONDAY_US + 10**9
    met: set[tuple[type, type]] = set()
    single.commit(drawn.first(), now_us)
    for other in (whole, cut):
        other.connection.deserialize(single.connection.serialize())
    for number in range(batches):
        now_us += drawn.jump_us()
        commands = [single.prepared(command, now_us) for command in drawn.next()]
        parts = drawn.cut(commands)
        results = [single.commit([command], now_us)[0] for command in commands]
        met.update((type(command), type(result)) for command, result in zip(commands, results, strict=True))
        one_by_one = [_comparable(result) for result in results]
        in_parts = [_comparable(result) for part in parts for result in cut.commit(part, now_us)]
        at_once = [_comparable(result) for result in whole.commit(commands, now_us)]
        where = f"seed {seed}, batch {number}: {commands}"
        assert at_once == one_by_one, where
        assert in_parts == one_by_one, where
    expected = single.content()
    assert whole.content() == expected, f"seed {seed}"
    assert cut.content() == expected, f"seed {seed}"
    if seed % VERIFIED_EVERY == 0:
        assert whole.deviations() == [], f"seed {seed}"
    return met


def _comparable(result: Result) -> Any:
    """A result without the sums by model, of which each answer has those that were loaded."""
    if isinstance(result, StaleRecount):
        return "stale"
    if isinstance(result, Outcome):
        return result if result.budget is None else result._replace(budget=result.budget._replace(models=()))
    return (type(result).__name__, str(result), vars(result))


@functools.cache
def _statements() -> SqliteStatements:
    return SqliteStatements()
