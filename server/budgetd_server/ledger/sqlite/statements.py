"""The named statements of the SQLite ledger, and how their rows come out of the file."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.steps import Row, Steps, T, carried_out

_encoded = json.JSONEncoder().encode
_decoded = json.JSONDecoder().decode


class SqliteStatements:
    """The statements by name, read once."""

    def __init__(self) -> None:
        self.sql = load_queries("sqlite")
        #: Those that make one JSON array of all their rows.
        self._all_at_once = frozenset(name for name, sql in self.sql.items() if "json_group_array(" in sql)

    def carried_out(self, connection: sqlite3.Connection, steps: Steps[T]) -> T:
        """Carry out steps inside a transaction that somebody else has begun. Lists are sent as JSON arrays."""
        sql, all_at_once = self.sql, self._all_at_once

        def rows(statement: str, parameters: Mapping[str, object]) -> Sequence[Row]:
            sent = {name: _encoded(each) if type(each) is list else each for name, each in parameters.items()}
            found: list[Any] = connection.execute(sql[statement], sent).fetchall()
            # Each row that is fetched by itself hands the interpreter to other threads and waits to get it back.
            return _decoded(found[0][0]) if statement in all_at_once else found

        return carried_out(rows, steps)
