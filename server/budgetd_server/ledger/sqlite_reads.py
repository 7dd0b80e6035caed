"""What the SQLite ledger reads: the working set of a batch, and the answers to callers who only look."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from budgetd_server.domain.bounds import MODELS_PER_WINDOW_MAX, OTHER_MODELS
from budgetd_server.domain.budget import BudgetState, Sums
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.queries import BudgetQuery, EntryPage, EntryQuery
from budgetd_server.domain.recount import Recount
from budgetd_server.domain.state import Needs, Project, State, StoredRequest
from budgetd_server.ledger.base import BudgetKey
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite_rows import budget_from_row, entry_from_row

_NEWEST = 2**63 - 1


class SqliteReads:
    """Reads inside a transaction that somebody else has begun. Keeps nothing but the statements."""

    def __init__(self) -> None:
        self._sql = load_queries("sqlite")

    def working_set(self, connection: sqlite3.Connection, needs: Needs) -> State:
        """Everything that a batch of commands touches."""
        state = State()
        self._load_projects(connection, needs, state)
        for project_id, budget_ids in needs.budgets.items():
            project = state.projects[project_id]
            if not project.is_new:
                for budget in self._live(connection, project.project_key, budget_ids):
                    state.budgets[(project_id, budget.budget_id)] = budget
        self._load_touched_models(connection, needs, state)
        self._load_requests(connection, needs, state)
        self._load_creations(connection, needs, state)
        for key, seq in needs.chains.items():
            if (known := state.budgets.get(key)) is not None:
                walk = self._chain(connection, known.project_key, known.last_seq, seq, _NEWEST)
                state.chains[(known.project_key, known.budget_key)] = [entry for _, entry in walk if entry.seq > seq]
        return state

    def budgets(
        self, connection: sqlite3.Connection, keys: Sequence[BudgetKey], with_models: set[BudgetKey]
    ) -> dict[BudgetKey, BudgetState]:
        """The live ones of some budgets."""
        ids_by_project: dict[str, set[str]] = defaultdict(set)
        for project_id, budget_id in keys:
            ids_by_project[project_id].add(budget_id)
        found: dict[BudgetKey, BudgetState] = {}
        for project_id, budget_ids in ids_by_project.items():
            project_key = self._project_key(connection, project_id)
            if project_key is not None:
                loaded = self._live(connection, project_key, budget_ids)
                found.update({(project_id, budget.budget_id): budget for budget in loaded})
                self._load_all_models(
                    connection, [each for each in loaded if (project_id, each.budget_id) in with_models]
                )
        return found

    def budget_page(self, connection: sqlite3.Connection, query: BudgetQuery) -> list[BudgetState]:
        """One page of a project's budgets."""
        parameters = {
            "project_id": query.project_id,
            "after_key": query.after_key,
            "with_deleted": query.with_deleted,
            "rows_max": query.rows_max,
        }
        page = [budget_from_row(row) for row in connection.execute(self._sql["list_budgets"], parameters)]
        if query.with_models:
            self._load_all_models(connection, page)
        return page

    def entry_page(self, connection: sqlite3.Connection, query: EntryQuery) -> EntryPage:
        """One page of the ledger; looks at no more than `rows_max` rows."""
        project_key = self._project_key(connection, query.project_id)
        if project_key is None:
            if query.budget_id:
                raise BudgetNotFound(query.project_id, query.budget_id)
            return EntryPage([], None)
        walk = self._walk(connection, project_key, query)
        page: list[tuple[str, Entry]] = []
        for looked_at, (budget_id, entry) in enumerate(walk, start=1):
            if query.matches(entry):
                page.append((budget_id, entry))
            if len(page) == query.page_size or looked_at == query.rows_max:
                next_seq = entry.previous_seq if query.budget_id else entry.seq - 1
                return EntryPage(page, next_seq or None)
        return EntryPage(page, None)

    def recount_slice(
        self, recount: Recount, project_id: str, from_seq: int, rows_max: int, connection: sqlite3.Connection
    ) -> int | None:
        """Take the next entries into a recount; returns where to go on, None at the end."""
        project_key = self._project_key(connection, project_id)
        assert project_key is not None, "a recount is begun on a budget that exists"
        entries = [entry for _, entry in self._chain(connection, project_key, from_seq, 0, rows_max)]
        if not entries or recount.take(entries):
            return None
        return entries[-1].previous_seq or None

    def _load_projects(self, connection: sqlite3.Connection, needs: Needs, state: State) -> None:
        project_ids = {*needs.budgets, *(project_id for project_id, _ in needs.requests)}
        rows = connection.execute(self._sql["load_projects"], {"ids": json.dumps(list(project_ids))})
        for project_id, project_key, last_seq in rows:
            state.projects[project_id] = Project(project_key, last_seq)
        unknown = project_ids - state.projects.keys()
        if not unknown:
            return
        (last_project_key,) = connection.execute(self._sql["last_project_key"]).fetchone()
        for project_id in unknown:
            last_project_key += 1
            state.projects[project_id] = Project(last_project_key, is_new=True)

    def _live(self, connection: sqlite3.Connection, project_key: int, budget_ids: Iterable[str]) -> list[BudgetState]:
        parameters = {"project_key": project_key, "ids": json.dumps(list(budget_ids))}
        return [budget_from_row(tuple(row)) for row in _all_at_once(connection, self._sql["load_budgets"], parameters)]

    def _load_touched_models(self, connection: sqlite3.Connection, needs: Needs, state: State) -> None:
        pairs: dict[int, list[tuple[int, str]]] = defaultdict(list)
        by_key: dict[tuple[int, int], BudgetState] = {}
        for project_id, budget_id, model in needs.models:
            budget = state.budgets.get((project_id, budget_id))
            if budget is not None and budget.models_count:
                by_key[(budget.project_key, budget.budget_key)] = budget
                pairs[budget.project_key].append((budget.budget_key, model))
                # The models before this one in the batch may fill the window, or it is full already.
                if budget.models_count + len(needs.models) >= MODELS_PER_WINDOW_MAX:
                    pairs[budget.project_key].append((budget.budget_key, OTHER_MODELS))
        for project_key, keys_and_models in pairs.items():
            parameters = {"project_key": project_key, "pairs": json.dumps(keys_and_models)}
            for budget_key, model, *sums in _all_at_once(connection, self._sql["load_models"], parameters):
                by_key[(project_key, budget_key)].models[model] = Sums(*sums)

    def _load_all_models(self, connection: sqlite3.Connection, budgets: Sequence[BudgetState]) -> None:
        by_key = {budget.budget_key: budget for budget in budgets if budget.models_count}
        if not by_key:
            return
        parameters = {"project_key": budgets[0].project_key, "keys": json.dumps(list(by_key))}
        for budget_key, model, *sums in connection.execute(self._sql["load_all_models"], parameters):
            by_key[budget_key].models[model] = Sums(*sums)

    def _load_requests(self, connection: sqlite3.Connection, needs: Needs, state: State) -> None:
        for (project_id, rpc), request_ids in needs.requests.items():
            project = state.projects[project_id]
            if project.is_new:
                continue
            parameters = {"project_key": project.project_key, "rpc": int(rpc), "ids": json.dumps(request_ids)}
            for request_id, *stored in connection.execute(self._sql["load_requests"], parameters):
                state.requests[(project_id, rpc, request_id)] = StoredRequest(*stored)

    def _load_creations(self, connection: sqlite3.Connection, needs: Needs, state: State) -> None:
        for project_id in needs.creating:
            project = state.projects[project_id]
            (project.last_budget_key,) = connection.execute(
                self._sql["last_budget_key"], {"project_key": project.project_key}
            ).fetchone()
            for budget_id in needs.budgets[project_id]:
                if (project_id, budget_id) not in state.budgets and not project.is_new:
                    parameters = {"project_key": project.project_key, "budget_id": budget_id}
                    row = connection.execute(self._sql["last_seq_of_deleted"], parameters).fetchone()
                    if row is not None:
                        state.last_seqs[(project_id, budget_id)] = row[0]

    def _walk(self, connection: sqlite3.Connection, project_key: int, query: EntryQuery) -> Iterator[tuple[str, Entry]]:
        if not query.budget_id:
            from_seq = _NEWEST if query.from_seq is None else query.from_seq
            parameters = {"project_key": project_key, "from_seq": from_seq, "rows_max": query.rows_max}
            return map(entry_from_row, connection.execute(self._sql["walk_project"], parameters))
        from_seq = query.from_seq if query.from_seq is not None else self._last_seq(connection, project_key, query)
        return self._chain(connection, project_key, from_seq, 0, query.rows_max)

    def _last_seq(self, connection: sqlite3.Connection, project_key: int, query: EntryQuery) -> int:
        parameters = {"project_key": project_key, "budget_id": query.budget_id}
        for name in ("last_seq_of_live", "last_seq_of_deleted"):
            row = connection.execute(self._sql[name], parameters).fetchone()
            if row is not None:
                return int(row[0])
        raise BudgetNotFound(query.project_id, query.budget_id)

    def _chain(
        self, connection: sqlite3.Connection, project_key: int, from_seq: int, until_seq: int, rows_max: int
    ) -> Iterator[tuple[str, Entry]]:
        parameters = {
            "project_key": project_key,
            "from_seq": from_seq,
            "until_seq": until_seq,
            "rows_max": rows_max,
        }
        return islice(map(entry_from_row, connection.execute(self._sql["walk_chain"], parameters)), rows_max)

    def _project_key(self, connection: sqlite3.Connection, project_id: str) -> int | None:
        row = connection.execute(self._sql["project_key"], {"project_id": project_id}).fetchone()
        return None if row is None else int(row[0])


def _all_at_once(connection: sqlite3.Connection, sql: str, parameters: Mapping[str, object]) -> list[list[Any]]:
    """The rows of a statement that makes one JSON array of them.

    Each row that is fetched by itself hands the interpreter to other threads and waits to get it back.
    """
    (rows,) = connection.execute(sql, parameters).fetchone()
    parsed: list[list[Any]] = json.loads(rows)
    return parsed
