"""The named statements of the SQLite ledger, and how their rows come out of the file."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.steps import Row, Steps, T, carried_out

_LIST = re.compile(r"json_each\(:(\w+)\)")
# Lists are made for one statement, so they never contain themselves; not looking for that is faster.
_encoded = json.JSONEncoder(check_circular=False).encode
_decoded = json.JSONDecoder().decode


class SqliteStatements:
    """The statements by name, read once."""

    def __init__(self) -> None:
        self.sql = load_queries("sqlite")
        self._statements = {name: _statement(sql) for name, sql in self.sql.items()}

    def carried_out(self, connection: sqlite3.Connection, steps: Steps[T]) -> T:
        """Carry out steps inside a transaction that somebody else has begun. Lists are sent as JSON arrays."""
        statements, execute = self._statements, connection.execute

        def rows(name: str, parameters: Mapping[str, object]) -> Sequence[Row]:
            sql, sent_as_json, is_one_array = statements[name]
            if sent_as_json is not None:
                parameters = {**parameters, sent_as_json: _encoded(parameters[sent_as_json])}
            found: list[Any] = execute(sql, parameters).fetchall()
            # Each row that is fetched by itself hands the interpreter to other threads and waits to get it back.
            return _decoded(found[0][0]) if is_one_array else found

        return carried_out(rows, steps)


class _Statement(NamedTuple):
    """A statement, and what it takes and gives in another form."""

    sql: str
    #: The parameter that is a list; None if no parameter is.
    sent_as_json: str | None
    #: True if it makes one JSON array of all its rows.
    is_one_array: bool


def _statement(sql: str) -> _Statement:
    found = _LIST.search(sql)
    return _Statement(sql, found and found[1], "json_group_array(" in sql)
