"""What the SQLite ledger writes: the changes that a batch has made to its working set, each row once."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
from itertools import chain, groupby

from budgetd_server.domain.entry import Entry
from budgetd_server.domain.state import State
from budgetd_server.ledger.sqlite.rows import (
    Row,
    accepted_row,
    budget_row,
    count_row,
    counter_row,
    entry_row,
    hold_rows,
    is_plain,
    model_row,
    plain_entry_row,
    plain_request_row,
    request_row,
    reservation_row,
)
from budgetd_server.ledger.sqlite.statements import SqliteStatements

#: How many rows one statement inserts; larger first.
_ROWS_AT_ONCE = (64, 16, 4)
_VALUES = re.compile(r"(?<=VALUES )\([^()]*\)")


class SqliteSave:
    """Writes inside a transaction that somebody else has begun. Keeps nothing but the statements."""

    def __init__(self, statements: SqliteStatements) -> None:
        self._sql = statements.sql
        self._insert_entries = _Insert(self._sql["insert_entry"])
        self._insert_plain_entries = _Insert(self._sql["insert_plain_entry"])
        self._insert_requests = _Insert(self._sql["insert_request"])
        self._insert_plain_requests = _Insert(self._sql["insert_plain_request"])
        self._save_counts = _Insert(self._sql["save_count"])
        self._save_models = _Insert(self._sql["save_model"])
        self._insert_entry_budgets = _Insert(self._sql["insert_entry_budget"])
        self._save_reservation = _Insert(self._sql["save_reservation"])
        self._save_accepted = _Insert(self._sql["save_accepted"])
        self._insert_holds = _Insert(self._sql["insert_hold"])

    def changes(self, connection: sqlite3.Connection, state: State) -> None:
        """Write everything that has changed; nothing if nothing has.

        Raises:
            AssertionError: The commands were decided without something that the store may have.
        """
        assert not state.lacking, "what was decided without all that it needs is never written"
        if not (state.new_entries or state.new_requests or state.new_accepted or state.looked_below):
            return
        for project_id, project in state.projects.items():
            # A refused command leaves nothing behind, not even the project that it named.
            if project.is_new and project.last_seq:
                connection.execute(self._sql["insert_project"], (project.project_key, project_id))
        self._save_budgets(connection, state)
        if state.deleted_above or state.looked_below:
            self._save_deletions(connection, state)
        self._insert_all_entries(connection, state.new_entries)
        others = [
            (entry.project_key, key, entry.seq)
            for entry in state.new_entries
            if entry.other_keys
            for key in entry.other_keys
        ]
        if others:
            self._insert_entry_budgets.execute(connection, others)
        if state.reservations:
            self._save_reservations(connection, state)
        if state.new_accepted:
            self._save_records(connection, state)
        if any(len(request.numbers) > 1 for request in state.new_requests):
            self._insert_requests.execute(connection, map(request_row, state.new_requests))
        else:
            self._insert_plain_requests.execute(connection, map(plain_request_row, state.new_requests))

    def _save_deletions(self, connection: sqlite3.Connection, state: State) -> None:
        """Note where more is to be deleted, and where no more."""
        noted = (
            {"project_key": budget.project_key, "budget_key": budget.budget_key, "request_id": request_id}
            for budget, request_id in state.deleted_above
        )
        connection.executemany(self._sql["note_deletion"], noted)
        settled = (
            {"project_key": project_key, "budget_key": budget_key}
            for project_key, budget_keys in state.looked_below.items()
            for budget_key in budget_keys
        )
        connection.executemany(self._sql["settle_deletion"], settled)

    def _save_records(self, connection: sqlite3.Connection, state: State) -> None:
        rows = (
            accepted_row(state.projects[project_id].project_key, client, budget_id, accepted)
            for (project_id, client, budget_id), accepted in state.new_accepted.items()
            if accepted is not None
        )
        self._save_accepted.execute(connection, rows)
        forgotten = (
            (state.projects[project_id].project_key, client, budget_id)
            for (project_id, client, budget_id), accepted in state.new_accepted.items()
            if accepted is None
        )
        connection.executemany(self._sql["forget_accepted"], forgotten)

    def beat(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Write the heartbeat."""
        connection.execute(self._sql["beat"], (now_us,))

    def _save_budgets(self, connection: sqlite3.Connection, state: State) -> None:
        changed = state.changed_budgets()
        configured = [budget for budget in changed if budget.is_new or budget.is_configured]
        counted = [budget for budget in changed if not (budget.is_new or budget.is_configured)]
        if configured:
            connection.executemany(self._sql["save_budget"], map(budget_row, configured))
            removed = [
                (each.project_key, each.budget_key, limit_id) for each in configured for limit_id in each.removed_limits
            ]
            connection.executemany(self._sql["remove_counter"], removed)
            rows = (counter_row(each, counter) for each in configured for counter in each.counters())
            connection.executemany(self._sql["save_counter"], rows)
            cleared = [(each.project_key, each.budget_key) for each in configured if each.is_models_cleared]
            connection.executemany(self._sql["clear_models"], cleared)
        self._save_counts.execute(
            connection, (count_row(budget, counter) for budget in counted for counter in budget.counters())
        )
        models = (model_row(budget, *item) for budget in changed for item in budget.models.items())
        self._save_models.execute(connection, models)

    def _insert_all_entries(self, connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
        """Append entries in order; columns that have their defaults are not bound, which takes as long as the rest."""
        for plain, run in groupby(entries, is_plain):
            if plain:
                self._insert_plain_entries.execute(connection, map(plain_entry_row, run))
            else:
                self._insert_entries.execute(connection, map(entry_row, run))

    def _save_reservations(self, connection: sqlite3.Connection, state: State) -> None:
        changed = [each for each in state.reservations.values() if each.is_new or each.is_changed]
        if not changed:
            return
        self._save_reservation.execute(connection, map(reservation_row, changed))
        gone: list[Row] = []
        come: list[Row] = []
        for reservation in changed:
            stored, wanted = (
                reservation.stored_expires_at_us,
                reservation.expires_at_us if reservation.is_open else None,
            )
            if stored != wanted:
                gone.extend(hold_rows(reservation, stored) if stored is not None else ())
                come.extend(hold_rows(reservation, wanted) if wanted is not None else ())
        connection.executemany(self._sql["remove_hold"], gone)
        self._insert_holds.execute(connection, come)


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
