"""Write the rows of the SQLite ledger, many with one statement."""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import chain

from budgetd_server.domain.state import State
from budgetd_server.ledger.rows import Row
from budgetd_server.ledger.saving import changes
from budgetd_server.ledger.sqlite.statements import SqliteStatements

#: How many rows one statement inserts, in descending order.
_ROWS_AT_ONCE = (64, 16, 4)
_Parameters = Row | Mapping[str, object]
_VALUES = re.compile(r"(?<=VALUES )\([^()]*\)")


class SqliteSave:
    """Writes inside a transaction that the caller has begun. Has no state except the statements."""

    def __init__(self, statements: SqliteStatements) -> None:
        self._beat = statements.sql["beat"]
        self._writes = {name: _Write(sql) for name, sql in statements.sql.items()}

    def changes(self, connection: sqlite3.Connection, state: State) -> None:
        """Write everything that has changed. Writes nothing if nothing has.

        Raises:
            AssertionError: The commands were decided without something that the store may have.
        """
        for name, rows in changes(state):
            self._writes[name].execute(connection, rows)

    def beat(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Write the heartbeat."""
        connection.execute(self._beat, (now_us,))


class _Write:
    """A statement that writes one row; for an insert, also the statements that insert many rows.

    Each step of a statement releases the GIL and waits to get it back, which can take longer than the step itself. With
    many rows per step, the whole is also a fifth faster.
    """

    def __init__(self, sql: str) -> None:
        self._one = sql
        found = _VALUES.findall(sql)
        self._many = [(rows, _VALUES.sub(", ".join(found * rows), sql)) for rows in _ROWS_AT_ONCE] if found else []

    def execute(self, connection: sqlite3.Connection, rows: Iterable[_Parameters]) -> None:
        """Write rows in order."""
        waiting = list(rows)
        if len(waiting) >= _ROWS_AT_ONCE[-1]:
            waiting = self._written(connection, waiting)
        if waiting:
            connection.executemany(self._one, waiting)

    def _written(self, connection: sqlite3.Connection, waiting: list[_Parameters]) -> list[_Parameters]:
        """Write rows in groups; return the few that are left over."""
        begun = 0
        for count, sql in self._many:
            while len(waiting) - begun >= count:
                connection.execute(sql, tuple(chain.from_iterable(waiting[begun : begun + count])))
                begun += count
        return waiting[begun:]
