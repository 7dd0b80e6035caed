"""Steps that load budgets, with all that belongs to them."""

from collections.abc import Iterable, Mapping, Sequence

from budgetd_server.domain.budget import BudgetState
from budgetd_server.ledger.rows import budget_from_row, counter_from_row
from budgetd_server.ledger.steps import Row, Steps


def live(project_key: int, budget_ids: Iterable[str], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    """The live ones of some budgets by their own rows, with all their limits.

    Where deletions are to be finished (`is_deleting`), those with a deleted ancestor are deleted, and say so.
    """
    rows = yield "load_budgets", {"project_key": project_key, "ids": list(budget_ids)}
    budgets, with_named = with_main_limits(rows)
    if with_named:
        yield from load_named(project_key, with_named)
    if is_deleting:
        yield from mark_deleted(budgets)
    return budgets


def upwards(project_key: int, keys: Iterable[int], *, is_deleting: bool) -> Steps[list[BudgetState]]:
    """Budgets by their keys, and all their ancestors, with all their limits; for `is_deleting` see `live`."""
    rows = yield "load_upwards", {"project_key": project_key, "keys": list(keys)}
    budgets, with_named = with_main_limits(rows)
    if with_named:
        yield from load_named(project_key, with_named)
    if is_deleting:
        yield from mark_deleted(budgets)
    return budgets


def mark_deleted(budgets: Sequence[BudgetState]) -> Steps[None]:
    """Let those of some budgets of one project be deleted that have a deleted ancestor."""
    living = {budget.budget_key: budget for budget in budgets if budget.deleted_at_us is None}
    if not living:
        return
    rows = yield "load_unfinished", {"project_key": budgets[0].project_key, "keys": list(living)}
    for key, deleted_at_us, request_id in rows:
        living[key].delete(deleted_at_us)
        living[key].deleted_by = request_id


def with_main_limits(rows: Iterable[Row]) -> tuple[list[BudgetState], dict[int, BudgetState]]:
    """The budgets of some rows of one project, and by key those that have named limits, which few have."""
    budgets: list[BudgetState] = []
    with_named: dict[int, BudgetState] = {}
    for row in rows:
        budget, named_count = budget_from_row(row)
        budgets.append(budget)
        if named_count:
            with_named[budget.budget_key] = budget
    return budgets, with_named


def load_named(project_key: int, with_named: Mapping[int, BudgetState]) -> Steps[None]:
    """Complete some budgets of one project with their named limits."""
    rows = yield "load_named", {"project_key": project_key, "keys": list(with_named)}
    for budget_key, *columns in rows:
        with_named[budget_key].named[columns[0]] = counter_from_row(columns)


def project(project_id: str) -> Steps[tuple[int | None, bool]]:
    """The key of a project, and whether deletions are to be finished in it; None: there is none of that id."""
    rows = yield "project_key", {"project_id": project_id}
    return (int(rows[0][0]), bool(rows[0][1])) if rows else (None, False)


def names(project_key: int, keys: Iterable[int]) -> Steps[dict[int, str]]:
    """The ids of budgets by their keys."""
    wanted = set(keys)
    if not wanted:
        return {}
    rows = yield "budget_names", {"project_key": project_key, "keys": list(wanted)}
    return {int(key): str(budget_id) for key, budget_id in rows}
