"""The named statements of the SQLite ledger, and how their rows come out of the file."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.steps import Row, Steps, T, carried_out


class SqliteStatements:
    """The statements by name, read once."""

    def __init__(self) -> None:
        self.sql = load_queries("sqlite")
        #: Those that make one JSON array of all their rows.
        self.all_at_once = {name for name, sql in self.sql.items() if "json_group_array(" in sql}

    def carried_out(self, connection: sqlite3.Connection, steps: Steps[T]) -> T:
        """Carry out steps inside a transaction that somebody else has begun."""
        return carried_out(_SqliteRows(self, connection), steps)


class _SqliteRows:
    """The rows that a connection finds."""

    def __init__(self, statements: SqliteStatements, connection: sqlite3.Connection) -> None:
        self._statements = statements
        self._connection = connection

    def rows(self, statement: str, parameters: Mapping[str, object]) -> Sequence[Row]:
        """See Rows. Lists are sent as JSON arrays."""
        sent = {name: json.dumps(each) if isinstance(each, list) else each for name, each in parameters.items()}
        rows = self._connection.execute(self._statements.sql[statement], sent).fetchall()
        if statement in self._statements.all_at_once:
            # Each row that is fetched by itself hands the interpreter to other threads and waits to get it back.
            found: list[Row] = json.loads(rows[0][0])
            return found
        return rows
