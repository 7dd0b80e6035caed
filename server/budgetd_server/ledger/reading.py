"""Steps of reads, for callers and the sweeper: what each query loads, page by page."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TypeVar

from budgetd_server.domain.budget import BudgetState, Sums
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.queries import BudgetQuery, Due, EntryPage, EntryQuery, ReservationPage, ReservationQuery
from budgetd_server.domain.reservation import Reservation
from budgetd_server.ledger import budgets
from budgetd_server.ledger.base import BudgetKey
from budgetd_server.ledger.chains import NEWEST, chain
from budgetd_server.ledger.loading import by_project
from budgetd_server.ledger.rows import entry_from_row, reservation_from_row
from budgetd_server.ledger.steps import Steps

F = TypeVar("F")


def live_budgets(
    keys: Sequence[BudgetKey], with_models: Collection[BudgetKey]
) -> Steps[Mapping[BudgetKey, BudgetState]]:
    """Load those of the given budgets that are live."""
    found: dict[BudgetKey, BudgetState] = {}
    for project_id, budget_ids in by_project(keys).items():
        project_key, is_deleting = yield from budgets.project(project_id)
        if project_key is not None:
            loaded = yield from living(project_key, set(budget_ids), is_deleting=is_deleting)
            found.update({(project_id, budget.budget_id): budget for budget in loaded})
            yield from _load_all_models([each for each in loaded if (project_id, each.budget_id) in with_models])
    return found


def lineage(project_id: str, budget_ids: Sequence[str]) -> Steps[list[list[BudgetState]]]:
    """Load each budget followed by its ancestors. An empty list for a budget that does not exist."""
    project_key, is_deleting = yield from budgets.project(project_id)
    if project_key is None:
        return [[] for _ in budget_ids]
    live = yield from living(project_key, set(budget_ids), is_deleting=is_deleting)
    by_key = {budget.budget_key: budget for budget in live}
    parents = {budget.parent_key for budget in live if budget.parent_key is not None}
    if parents:
        above = yield from budgets.upwards(project_key, parents, is_deleting=is_deleting)
        for budget in above:
            by_key.setdefault(budget.budget_key, budget)
    by_id = {budget.budget_id: budget for budget in live}

    def line(budget: BudgetState | None) -> Iterator[BudgetState]:
        while budget is not None:
            yield budget
            budget = None if budget.parent_key is None else by_key[budget.parent_key]

    return [list(line(by_id.get(budget_id))) for budget_id in budget_ids]


def budget_page(query: BudgetQuery) -> Steps[list[BudgetState]]:
    """Load one page of a project's budgets."""
    _, is_deleting = yield from budgets.project(query.project_id)
    parameters = {
        "project_id": query.project_id,
        "after_key": query.after_key,
        "with_deleted": query.with_deleted,
        "is_deleting": is_deleting,
        "rows_max": query.rows_max,
    }
    rows = yield "list_budgets", parameters
    page, with_named = budgets.with_main_limits(rows)
    if with_named:
        yield from budgets.load_named(page[0].project_key, with_named)
    if is_deleting and query.with_deleted:
        yield from budgets.mark_deleted(page)
    if query.with_models:
        yield from _load_all_models(page)
    return page


def entry_page(query: EntryQuery) -> Steps[EntryPage]:
    """Load one page of the ledger. Examines at most `rows_max` rows.

    Raises:
        BudgetNotFound: The query names a budget that has never existed.
    """
    project_key, _ = yield from budgets.project(query.project_id)
    from_seq = NEWEST if query.from_seq is None else query.from_seq
    if query.budget_id and (project_key is None or query.from_seq is None):
        from_seq = yield from _last_seq(project_key, query.project_id, query.budget_id)
    if project_key is None:
        return EntryPage([], None)
    page, next_seq = yield from _page(
        partial(_entries, project_key, query.budget_id),
        from_seq,
        query,
        matches=lambda found: query.matches(found[1]),
        following=lambda found: (found[1].previous_seq if query.budget_id else found[1].seq - 1) or None,
    )
    others = {key for _, entry in page for key in entry.other_keys}
    names = yield from budgets.names(project_key, others)
    return EntryPage(page, next_seq, names)


def entries(project_id: str, seqs: Sequence[int]) -> Steps[Mapping[int, Entry]]:
    """Load entries by number."""
    rows = yield "entries_by_number", {"project_id": project_id, "seqs": list(seqs)}
    return {entry.seq: entry for _, entry in map(entry_from_row, rows)}


def reservation(project_id: str, seq: int) -> Steps[tuple[Reservation, Mapping[int, str]] | None]:
    """Load a reservation, and the ids of its other budgets. None if no such reservation exists."""
    project_key, _ = yield from budgets.project(project_id)
    if project_key is None:
        return None
    rows = yield "load_reservations", {"project_key": project_key, "seqs": [seq]}
    if not rows:
        return None
    found = reservation_from_row(rows[0])
    names = yield from budgets.names(project_key, found.other_keys)
    return found, names


def reservation_page(query: ReservationQuery) -> Steps[ReservationPage]:
    """Load one page of reservations. Examines at most `rows_max` rows.

    Raises:
        BudgetNotFound: The query names a budget that has never existed.
    """
    project_key, _ = yield from budgets.project(query.project_id)
    if query.budget_id:
        yield from _last_seq(project_key, query.project_id, query.budget_id)
    if project_key is None:
        return ReservationPage([], {}, None)
    page, next_seq = yield from _page(
        partial(_reservations, project_key),
        NEWEST if query.from_seq is None else query.from_seq,
        query,
        matches=query.matches,
        following=lambda found: found.seq - 1,
    )
    others = {key for reservation in page for key in reservation.other_keys}
    names = yield from budgets.names(project_key, others)
    return ReservationPage(page, names, next_seq)


def due(now_us: int, rows_max: int) -> Steps[Due]:
    """Load what has to expire or roll, at most `rows_max` of each."""
    parameters = {"now_us": now_us, "rows_max": rows_max}
    holds = yield "due_holds", parameters
    windows = yield "due_windows", parameters
    deleting = yield "due_deletions", {"rows_max": rows_max}
    return Due(
        [(project_id, seq) for project_id, seq in holds],
        list(dict.fromkeys((project_id, budget_id) for project_id, budget_id in windows)),
        tuple(project_id for (project_id,) in deleting),
    )


def living(project_key: int, budget_ids: set[str], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    """Load those of the given budgets that are live and have no deleted ancestor."""
    loaded = yield from budgets.live(project_key, budget_ids, is_deleting=is_deleting)
    return [budget for budget in loaded if budget.deleted_at_us is None]


def _load_all_models(found: Sequence[BudgetState]) -> Steps[None]:
    by_key = {budget.budget_key: budget for budget in found if budget.models_count}
    if not by_key:
        return
    rows = yield "load_all_models", {"project_key": found[0].project_key, "keys": list(by_key)}
    for budget_key, model, *sums in rows:
        by_key[budget_key].models[model] = Sums(*sums)


def _page(
    read: Callable[[int, int], Steps[Sequence[F]]],
    from_seq: int,
    query: EntryQuery | ReservationQuery,
    *,
    matches: Callable[[F], bool],
    following: Callable[[F], int | None],
) -> Steps[tuple[list[F], int | None]]:
    """Load what matches a query, newest first, and where to continue. None if there is no more.

    Most queries filter nothing, so one read gives a page. If much is filtered out, each further read is larger.
    """
    page: list[F] = []
    next_seq: int | None = from_seq
    left, at_once = query.rows_max, query.page_size
    while next_seq is not None:
        rows_max = min(left, at_once)
        found = yield from read(next_seq, rows_max)
        for each in found:
            next_seq = following(each)
            if matches(each):
                page.append(each)
                if len(page) == query.page_size:
                    return page, next_seq
        left -= len(found)
        if len(found) < rows_max:
            return page, None
        if not left:
            break
        at_once *= 4
    return page, next_seq


def _entries(project_key: int, budget_id: str, from_seq: int, rows_max: int) -> Steps[Sequence[tuple[str, Entry]]]:
    if budget_id:
        found = yield from chain(project_key, from_seq=from_seq, rows_max=rows_max)
        return found
    rows = yield "walk_project", {"project_key": project_key, "from_seq": from_seq, "rows_max": rows_max}
    return list(map(entry_from_row, rows))


def _reservations(project_key: int, from_seq: int, rows_max: int) -> Steps[Sequence[Reservation]]:
    rows = yield "list_reservations", {"project_key": project_key, "from_seq": from_seq, "rows_max": rows_max}
    return list(map(reservation_from_row, rows))


def _last_seq(project_key: int | None, project_id: str, budget_id: str) -> Steps[int]:
    """Load the number of the newest entry of a budget id.

    Raises:
        BudgetNotFound: No budget has ever had that id.
    """
    if project_key is not None:
        for name in ("last_seq_of_live", "last_seq_of_deleted"):
            rows = yield name, {"project_key": project_key, "budget_id": budget_id}
            if rows:
                return int(rows[0][0])
    raise BudgetNotFound(project_id, budget_id)
