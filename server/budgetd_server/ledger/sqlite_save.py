"""What the SQLite ledger writes: the changes that a batch has made to its working set, each row once."""

import re
import sqlite3
from collections.abc import Iterable
from itertools import chain

from budgetd_server.domain.state import State
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite_rows import Row, budget_row, count_row, counter_row, entry_row, model_row, request_row

#: How many rows one statement inserts; larger first.
_ROWS_AT_ONCE = (64, 16, 4)
_VALUES = re.compile(r"(?<=VALUES )\([^()]*\)")


class SqliteSave:
    """Writes inside a transaction that somebody else has begun. Keeps nothing but the statements."""

    def __init__(self) -> None:
        self._sql = load_queries("sqlite")
        self._insert_entries = _Insert(self._sql["insert_entry"])
        self._insert_requests = _Insert(self._sql["insert_request"])
        self._save_counts = _Insert(self._sql["save_count"])
        self._save_models = _Insert(self._sql["save_model"])

    def changes(self, connection: sqlite3.Connection, state: State) -> None:
        """Write everything that has changed; nothing if nothing has."""
        if not state.new_entries and not state.new_requests:
            return
        for project_id, project in state.projects.items():
            # A refused command leaves nothing behind, not even the project that it named.
            if project.is_new and project.last_seq:
                connection.execute(self._sql["insert_project"], (project.project_key, project_id))
        self._save_budgets(connection, state)
        self._insert_entries.execute(connection, map(entry_row, state.new_entries))
        self._insert_requests.execute(connection, map(request_row, state.new_requests))

    def beat(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Write the heartbeat."""
        connection.execute(self._sql["beat"], (now_us,))

    def _save_budgets(self, connection: sqlite3.Connection, state: State) -> None:
        changed = state.changed_budgets()
        configured = [budget for budget in changed if budget.is_new or budget.is_configured]
        counted = [budget for budget in changed if not (budget.is_new or budget.is_configured)]
        if configured:
            connection.executemany(self._sql["save_budget"], map(budget_row, configured))
            connection.executemany(self._sql["save_counter"], map(counter_row, configured))
            cleared = [(each.project_key, each.budget_key) for each in configured if each.is_models_cleared]
            connection.executemany(self._sql["clear_models"], cleared)
        self._save_counts.execute(connection, map(count_row, counted))
        models = (model_row(budget, *item) for budget in changed for item in budget.models.items())
        self._save_models.execute(connection, models)


class _Insert:
    """A statement that inserts one row, and made from it, those that insert many.

    Each step of a statement hands the interpreter to other threads and then waits to get it back, which can take
    longer than the step. With many rows a step, the whole is also a fifth faster.
    """

    def __init__(self, sql: str) -> None:
        self._one = sql
        (values,) = _VALUES.findall(sql)
        self._many = [(rows, _VALUES.sub(", ".join([values] * rows), sql)) for rows in _ROWS_AT_ONCE]

    def execute(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
        """Insert rows, in order."""
        waiting = list(rows)
        begun = 0
        for count, sql in self._many:
            while len(waiting) - begun >= count:
                connection.execute(sql, tuple(chain.from_iterable(waiting[begun : begun + count])))
                begun += count
        if begun < len(waiting):
            connection.executemany(self._one, waiting[begun:])
