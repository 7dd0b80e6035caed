"""The named statements of the SQLite ledger, and how they are executed."""

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.steps import Row, Steps, T, carried_out

_LIST = re.compile(r"json_each\(:(\w+)\)")
# The lists are created for one statement, so they contain no cycles; skipping that check is faster.
_encoded = json.JSONEncoder(check_circular=False).encode
_decoded = json.JSONDecoder().decode


class SqliteStatements:
    """The statements by name, read once."""

    def __init__(self) -> None:
        self.sql = load_queries("sqlite")
        self._statements = {name: _statement(sql) for name, sql in self.sql.items()}

    def carried_out(self, connection: sqlite3.Connection, steps: Steps[T]) -> T:
        """Carry out steps inside a transaction that the caller has begun. Lists are bound as JSON arrays."""
        statements, execute = self._statements, connection.execute

        def rows(name: str, parameters: Mapping[str, object]) -> Sequence[Row]:
            sql, sent_as_json, is_one_array = statements[name]
            if sent_as_json is not None:
                parameters = {**parameters, sent_as_json: _encoded(parameters[sent_as_json])}
            found: list[Any] = execute(sql, parameters).fetchall()
            # Fetching rows one by one releases the GIL each time and waits to get it back.
            return _decoded(found[0][0]) if is_one_array else found

        return carried_out(rows, steps)


class _Statement(NamedTuple):
    """A statement, and how its parameters and rows are encoded."""

    sql: str
    #: The name of the parameter that is a list. None if there is none.
    sent_as_json: str | None
    #: True if it returns all its rows as one JSON array.
    is_one_array: bool


def _statement(sql: str) -> _Statement:
    found = _LIST.search(sql)
    return _Statement(sql, found and found[1], "json_group_array(" in sql)
