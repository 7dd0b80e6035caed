"""Steps that load budgets with their limits."""

from collections.abc import Iterable, Mapping, Sequence

from budgetd_server.domain.budget import BudgetState
from budgetd_server.ledger.rows import budget_from_row, counter_from_row
from budgetd_server.ledger.steps import Row, Steps


def live(project_key: int, budget_ids: Iterable[str], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    """Load those of the given budgets whose own rows are live, with all their limits.

    If the project has unfinished deletions (`is_deleting`), those with a deleted ancestor are marked as deleted.
    """
    rows = yield "load_budgets", {"project_key": project_key, "ids": list(budget_ids)}
    return (yield from _complete(project_key, rows, is_deleting=is_deleting))


def upwards(project_key: int, keys: Iterable[int], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    """Load budgets by key and all their ancestors, with all their limits. For `is_deleting` see `live`."""
    rows = yield "load_upwards", {"project_key": project_key, "keys": list(keys)}
    return (yield from _complete(project_key, rows, is_deleting=is_deleting))


def _complete(project_key: int, rows: Iterable[Row], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    budgets, with_named = with_main_limits(rows)
    if with_named:
        yield from load_named(project_key, with_named)
    if is_deleting:
        yield from mark_deleted(budgets)
    return budgets


def mark_deleted(budgets: Sequence[BudgetState]) -> Steps[None]:
    """Mark those of some budgets of one project as deleted that have a deleted ancestor."""
    living = {budget.budget_key: budget for budget in budgets if budget.deleted_at_us is None}
    if not living:
        return
    rows = yield "load_unfinished", {"project_key": budgets[0].project_key, "keys": list(living)}
    for key, deleted_at_us, request_id in rows:
        living[key].delete(deleted_at_us)
        living[key].deleted_by = request_id


def with_main_limits(rows: Iterable[Row]) -> tuple[list[BudgetState], dict[int, BudgetState]]:
    """Return the budgets of some rows of one project, and by key the few of them that have named limits."""
    budgets: list[BudgetState] = []
    with_named: dict[int, BudgetState] = {}
    for row in rows:
        budget, named_count = budget_from_row(row)
        budgets.append(budget)
        if named_count:
            with_named[budget.budget_key] = budget
    return budgets, with_named


def load_named(project_key: int, with_named: Mapping[int, BudgetState]) -> Steps[None]:
    """Load the named limits of some budgets of one project."""
    rows = yield "load_named", {"project_key": project_key, "keys": list(with_named)}
    for budget_key, *columns in rows:
        with_named[budget_key].named[columns[0]] = counter_from_row(columns)


def project(project_id: str) -> Steps[tuple[int | None, bool]]:
    """Load the key of a project, None if it does not exist, and whether it has unfinished deletions."""
    rows = yield "project_key", {"project_id": project_id}
    return (int(rows[0][0]), bool(rows[0][1])) if rows else (None, False)


def names(project_key: int, keys: Iterable[int]) -> Steps[dict[int, str]]:
    """Load the ids of budgets by key."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = yield "budget_names", {"project_key": project_key, "keys": list(wanted)}
    return {int(key): str(budget_id) for key, budget_id in rows}
