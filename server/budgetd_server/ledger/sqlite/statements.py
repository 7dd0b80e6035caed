"""What all statements of the SQLite ledger share: how budgets come out of the file, with all that belongs to them."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from budgetd_server.domain.budget import BudgetState
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite.rows import Row, budget_from_row, counter_from_row

#: A project's id or key.
P = TypeVar("P", str, int)
T = TypeVar("T")


class SqliteStatements:
    """Loads budgets inside a transaction that somebody else has begun. Keeps nothing but the statements."""

    def __init__(self) -> None:
        self.sql = load_queries("sqlite")

    def live(
        self, connection: sqlite3.Connection, project_key: int, budget_ids: Iterable[str], *, is_deleting: bool
    ) -> list[BudgetState]:
        """The live ones of some budgets by their own rows, with all their limits.

        Where deletions are to be finished (`is_deleting`), those with a deleted ancestor are deleted, and say so.
        """
        parameters = {"project_key": project_key, "ids": json.dumps(list(budget_ids))}
        rows = all_at_once(connection, self.sql["load_budgets"], parameters)
        budgets = self.complete(connection, (tuple(row) for row in rows))
        if is_deleting:
            self.mark_deleted(connection, budgets)
        return budgets

    def upwards(
        self, connection: sqlite3.Connection, project_key: int, keys: Iterable[int], *, is_deleting: bool
    ) -> list[BudgetState]:
        """Budgets by their keys, and all their ancestors, with all their limits; for `is_deleting` see `live`."""
        parameters = {"project_key": project_key, "keys": json.dumps(list(keys))}
        budgets = self.complete(connection, connection.execute(self.sql["load_upwards"], parameters))
        if is_deleting:
            self.mark_deleted(connection, budgets)
        return budgets

    def mark_deleted(self, connection: sqlite3.Connection, budgets: Sequence[BudgetState]) -> None:
        """Let those of some budgets of one project be deleted that have a deleted ancestor."""
        living = {budget.budget_key: budget for budget in budgets if budget.deleted_at_us is None}
        if not living:
            return
        parameters = {"project_key": budgets[0].project_key, "keys": json.dumps(list(living))}
        for key, deleted_at_us, request_id in connection.execute(self.sql["load_unfinished"], parameters):
            living[key].delete(deleted_at_us)
            living[key].deleted_by = request_id

    def complete(self, connection: sqlite3.Connection, rows: Iterable[Row]) -> list[BudgetState]:
        """The budgets of some rows of one project, with their named limits, which few have."""
        budgets: list[BudgetState] = []
        with_named: dict[int, BudgetState] = {}
        for row in rows:
            budget, named_count = budget_from_row(row)
            budgets.append(budget)
            if named_count:
                with_named[budget.budget_key] = budget
        if with_named:
            parameters = {"project_key": budgets[0].project_key, "keys": json.dumps(list(with_named))}
            for budget_key, *columns in connection.execute(self.sql["load_named"], parameters):
                with_named[budget_key].named[columns[0]] = counter_from_row(tuple(columns))
        return budgets

    def project_key(self, connection: sqlite3.Connection, project_id: str) -> int | None:
        """The key of a project; None: there is none of that id."""
        return self.project(connection, project_id)[0]

    def project(self, connection: sqlite3.Connection, project_id: str) -> tuple[int | None, bool]:
        """The key of a project, and whether deletions are to be finished in it; None: there is none of that id."""
        row = connection.execute(self.sql["project_key"], {"project_id": project_id}).fetchone()
        return (None, False) if row is None else (int(row[0]), bool(row[1]))

    def names(self, connection: sqlite3.Connection, project_key: int, keys: Iterable[int]) -> dict[int, str]:
        """The ids of budgets by their keys."""
        wanted = set(keys)
        if not wanted:
            return {}
        parameters = {"project_key": project_key, "keys": json.dumps(list(wanted))}
        return dict(connection.execute(self.sql["budget_names"], parameters))


def by_project(places: Iterable[tuple[P, T]]) -> Mapping[P, Sequence[T]]:
    """What comes with a project's id or key, by that."""
    found: dict[P, list[T]] = defaultdict(list)
    for project, what in places:
        found[project].append(what)
    return found


def all_at_once(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> list[list[Any]]:
    """The rows of a statement that makes one JSON array of them.

    Each row that is fetched by itself hands the interpreter to other threads and waits to get it back.
    """
    (rows,) = connection.execute(sql, parameters).fetchone()
    parsed: list[list[Any]] = json.loads(rows)
    return parsed
