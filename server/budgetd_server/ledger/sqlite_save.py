"""What the SQLite ledger writes: the changes that a batch has made to its working set, each row once."""

import sqlite3

from budgetd_server.domain.state import State
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite_rows import budget_row, count_row, counter_row, entry_row, model_row


class SqliteSave:
    """Writes inside a transaction that somebody else has begun. Keeps nothing but the statements."""

    def __init__(self) -> None:
        self._sql = load_queries("sqlite")

    def changes(self, connection: sqlite3.Connection, state: State) -> None:
        """Write everything that has changed; nothing if nothing has."""
        if not state.new_entries and not state.new_requests:
            return
        for project_id, project in state.projects.items():
            # A refused command leaves nothing behind, not even the project that it named.
            if project.is_new and project.last_seq:
                connection.execute(self._sql["insert_project"], (project.project_key, project_id))
        self._save_budgets(connection, state)
        connection.executemany(self._sql["insert_entry"], map(entry_row, state.new_entries))
        connection.executemany(self._sql["insert_request"], state.new_requests)

    def beat(self, connection: sqlite3.Connection, now_us: int) -> None:
        """Write the heartbeat."""
        connection.execute(self._sql["beat"], (now_us,))

    def _save_budgets(self, connection: sqlite3.Connection, state: State) -> None:
        changed = state.changed_budgets()
        configured = [budget for budget in changed if budget.is_new or budget.is_configured]
        counted = [budget for budget in changed if not (budget.is_new or budget.is_configured)]
        connection.executemany(self._sql["save_budget"], map(budget_row, configured))
        connection.executemany(self._sql["save_counter"], map(counter_row, configured))
        connection.executemany(self._sql["save_count"], map(count_row, counted))
        cleared = [(each.project_key, each.budget_key) for each in configured if each.is_models_cleared]
        connection.executemany(self._sql["clear_models"], cleared)
        models = (model_row(budget, *item) for budget in changed for item in budget.models.items())
        connection.executemany(self._sql["save_model"], models)
