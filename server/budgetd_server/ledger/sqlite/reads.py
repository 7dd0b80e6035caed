"""What the SQLite ledger answers to callers who only look."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from budgetd_server.domain.budget import BudgetState, Sums
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.queries import (
    BudgetQuery,
    Due,
    EntryPage,
    EntryQuery,
    ReservationPage,
    ReservationQuery,
)
from budgetd_server.domain.reservation import Reservation
from budgetd_server.ledger.base import BudgetKey
from budgetd_server.ledger.sqlite.chains import NEWEST, chain
from budgetd_server.ledger.sqlite.rows import entry_from_row, reservation_from_row
from budgetd_server.ledger.sqlite.statements import SqliteStatements, by_project


class SqliteReads:
    """Reads inside a transaction that somebody else has begun."""

    def __init__(self, statements: SqliteStatements) -> None:
        self._statements = statements
        self._sql = statements.sql

    def budgets(
        self, connection: sqlite3.Connection, keys: Sequence[BudgetKey], with_models: set[BudgetKey]
    ) -> dict[BudgetKey, BudgetState]:
        """The live ones of some budgets."""
        found: dict[BudgetKey, BudgetState] = {}
        for project_id, budget_ids in by_project(keys).items():
            project_key, is_deleting = self._statements.project(connection, project_id)
            if project_key is not None:
                loaded = self._living(connection, project_key, set(budget_ids), is_deleting=is_deleting)
                found.update({(project_id, budget.budget_id): budget for budget in loaded})
                self._load_all_models(
                    connection, [each for each in loaded if (project_id, each.budget_id) in with_models]
                )
        return found

    def lineage(
        self, connection: sqlite3.Connection, project_id: str, budget_ids: Sequence[str]
    ) -> list[list[BudgetState]]:
        """Each of some budgets with its ancestors, itself first; an empty list for one that does not exist."""
        project_key, is_deleting = self._statements.project(connection, project_id)
        if project_key is None:
            return [[] for _ in budget_ids]
        live = self._living(connection, project_key, set(budget_ids), is_deleting=is_deleting)
        by_key = {budget.budget_key: budget for budget in live}
        parents = {budget.parent_key for budget in live if budget.parent_key is not None}
        if parents:
            for budget in self._statements.upwards(connection, project_key, parents, is_deleting=is_deleting):
                by_key.setdefault(budget.budget_key, budget)
        by_id = {budget.budget_id: budget for budget in live}

        def line(budget: BudgetState | None) -> Iterator[BudgetState]:
            while budget is not None:
                yield budget
                budget = None if budget.parent_key is None else by_key[budget.parent_key]

        return [list(line(by_id.get(budget_id))) for budget_id in budget_ids]

    def budget_page(self, connection: sqlite3.Connection, query: BudgetQuery) -> list[BudgetState]:
        """One page of a project's budgets."""
        _, is_deleting = self._statements.project(connection, query.project_id)
        parameters = {
            "project_id": query.project_id,
            "after_key": query.after_key,
            "with_deleted": query.with_deleted,
            "is_deleting": is_deleting,
            "rows_max": query.rows_max,
        }
        page = self._statements.complete(connection, connection.execute(self._sql["list_budgets"], parameters))
        if is_deleting and query.with_deleted:
            self._statements.mark_deleted(connection, page)
        if query.with_models:
            self._load_all_models(connection, page)
        return page

    def entry_page(self, connection: sqlite3.Connection, query: EntryQuery) -> EntryPage:
        """One page of the ledger; looks at no more than `rows_max` rows."""
        project_key = self._statements.project_key(connection, query.project_id)
        if project_key is None:
            if query.budget_id:
                raise BudgetNotFound(query.project_id, query.budget_id)
            return EntryPage([], None)
        walk = self._walk(connection, project_key, query)
        page: list[tuple[str, Entry]] = []
        next_seq: int | None = None
        for looked_at, (budget_id, entry) in enumerate(walk, start=1):
            if query.matches(entry):
                page.append((budget_id, entry))
            if len(page) == query.page_size or looked_at == query.rows_max:
                next_seq = (entry.previous_seq if query.budget_id else entry.seq - 1) or None
                break
        others = {key for _, entry in page for key in entry.other_keys}
        return EntryPage(page, next_seq, self._statements.names(connection, project_key, others))

    def entry_kinds(self, connection: sqlite3.Connection, project_id: str, seqs: Sequence[int]) -> dict[int, EntryKind]:
        """The kinds of some entries, by number."""
        parameters = {"project_id": project_id, "seqs": json.dumps(list(seqs))}
        return {seq: EntryKind(kind) for seq, kind in connection.execute(self._sql["entry_kinds"], parameters)}

    def reservation(
        self, connection: sqlite3.Connection, project_id: str, seq: int
    ) -> tuple[Reservation, dict[int, str]] | None:
        """A reservation, with the ids of its other budgets; None: there is none of that number."""
        project_key = self._statements.project_key(connection, project_id)
        if project_key is None:
            return None
        parameters = {"project_key": project_key, "seqs": json.dumps([seq])}
        row = connection.execute(self._sql["load_reservations"], parameters).fetchone()
        if row is None:
            return None
        reservation = reservation_from_row(row)
        return reservation, self._statements.names(connection, project_key, reservation.other_keys)

    def reservation_page(self, connection: sqlite3.Connection, query: ReservationQuery) -> ReservationPage:
        """One page of reservations; looks at no more than `rows_max` rows."""
        project_key = self._statements.project_key(connection, query.project_id)
        if query.budget_id and (
            project_key is None or self._last_seq(connection, project_key, query.budget_id) is None
        ):
            raise BudgetNotFound(query.project_id, query.budget_id)
        if project_key is None:
            return ReservationPage([], {}, None)
        parameters = {
            "project_key": project_key,
            "from_seq": NEWEST if query.from_seq is None else query.from_seq,
            "rows_max": query.rows_max,
        }
        page: list[Reservation] = []
        next_seq: int | None = None
        rows = map(reservation_from_row, connection.execute(self._sql["list_reservations"], parameters))
        for looked_at, reservation in enumerate(rows, start=1):
            if query.matches(reservation):
                page.append(reservation)
            if len(page) == query.page_size or looked_at == query.rows_max:
                next_seq = reservation.seq - 1
                break
        others = {key for reservation in page for key in reservation.other_keys}
        return ReservationPage(page, self._statements.names(connection, project_key, others), next_seq)

    def due(self, connection: sqlite3.Connection, now_us: int, rows_max: int) -> Due:
        """What has to expire or roll, at most `rows_max` of each."""
        parameters = {"now_us": now_us, "rows_max": rows_max}
        holds = connection.execute(self._sql["due_holds"], parameters).fetchall()
        windows = connection.execute(self._sql["due_windows"], parameters).fetchall()
        deleting = tuple(name for (name,) in connection.execute(self._sql["due_deletions"], parameters))
        return Due([(project_id, seq) for project_id, seq in holds], list(dict.fromkeys(windows)), deleting)

    def _living(
        self, connection: sqlite3.Connection, project_key: int, budget_ids: set[str], *, is_deleting: bool
    ) -> list[BudgetState]:
        """The live ones of some budgets, none with a deleted ancestor among them."""
        loaded = self._statements.live(connection, project_key, budget_ids, is_deleting=is_deleting)
        return [budget for budget in loaded if budget.deleted_at_us is None]

    def _load_all_models(self, connection: sqlite3.Connection, budgets: Sequence[BudgetState]) -> None:
        by_key = {budget.budget_key: budget for budget in budgets if budget.models_count}
        if not by_key:
            return
        parameters = {"project_key": budgets[0].project_key, "keys": json.dumps(list(by_key))}
        for budget_key, model, *sums in connection.execute(self._sql["load_all_models"], parameters):
            by_key[budget_key].models[model] = Sums(*sums)

    def _walk(self, connection: sqlite3.Connection, project_key: int, query: EntryQuery) -> Iterable[tuple[str, Entry]]:
        if not query.budget_id:
            from_seq = NEWEST if query.from_seq is None else query.from_seq
            parameters = {"project_key": project_key, "from_seq": from_seq, "rows_max": query.rows_max}
            return map(entry_from_row, connection.execute(self._sql["walk_project"], parameters))
        last_seq = query.from_seq
        if last_seq is None:
            last_seq = self._last_seq(connection, project_key, query.budget_id)
            if last_seq is None:
                raise BudgetNotFound(query.project_id, query.budget_id)
        return chain(self._statements, connection, project_key, from_seq=last_seq, rows_max=query.rows_max)

    def _last_seq(self, connection: sqlite3.Connection, project_key: int, budget_id: str) -> int | None:
        """The newest entry of a budget id; None: there never was one."""
        parameters = {"project_key": project_key, "budget_id": budget_id}
        for name in ("last_seq_of_live", "last_seq_of_deleted"):
            row = connection.execute(self._sql[name], parameters).fetchone()
            if row is not None:
                return int(row[0])
        return None
