"""Loads the live budgets of a project, all of them or those that a view returned."""

from typing import NamedTuple

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.status import BudgetStatus, budget_status
from budgetd_server.engine.engine import Engine


class Loaded(NamedTuple):
    """A budget as it is now."""

    budget_key: int
    status: BudgetStatus
    #: Whether nothing was counted or reset since it was created.
    is_fresh: bool


async def load_all(engine: Engine, project_id: str, budgets_max: int) -> list[Loaded] | None:
    """Load all live budgets of a project with their models, in order of creation.

    Returns:
        The budgets, or None if there are more than `budgets_max`.
    """
    found: list[Loaded] = []
    async for page in engine.all_budgets(project_id, with_models=True):
        now_us = engine.clock()
        # A budget without any count is either new or was reset. The entry at which its count begins shows which.
        begun = {each.main.since_seq for each in page if not (each.models_count or each.main.sums.cost_nano_usd)}
        entries = await engine.entries(project_id, list(begun)) if begun else {}
        created = {seq for seq, entry in entries.items() if entry.kind is EntryKind.CREATE}
        found += [Loaded(each.budget_key, budget_status(each, now_us), each.main.since_seq in created) for each in page]
        if len(found) > budgets_max:
            return None
    return found


async def given_until(engine: Engine, project_id: str, until_key: int) -> dict[str, BudgetState]:
    """Load the live budgets of a project with keys up to `until_key`, by their ids."""
    found: dict[str, BudgetState] = {}
    async for page in engine.all_budgets(project_id):
        found.update((each.budget_id, each) for each in page if each.budget_key <= until_key)
        if page[-1].budget_key >= until_key:
            break
    return found
