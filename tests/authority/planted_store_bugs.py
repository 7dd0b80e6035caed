"""Bugs to be planted one at a time on the way between the rules and what a ledger keeps."""

import sqlite3
from collections.abc import Callable
from typing import Any

import pytest

from budgetd_server.domain.lacking import StoredParts
from budgetd_server.domain.state import State
from budgetd_server.ledger import chains, loading, stepped
from budgetd_server.ledger.sqlite import save as sqlite_save
from budgetd_server.ledger.steps import Steps

Patch = pytest.MonkeyPatch


def writes_the_living_first(patch: Patch) -> None:
    """An id that is deleted and created again in one batch finds its old row."""
    changed = State.changed_budgets
    patch.setattr(State, "changed_budgets", lambda state: changed(state)[::-1])


def forgets_requests(patch: Patch) -> None:
    """Request ids of earlier batches are not loaded."""
    patch.setattr(loading._Loading, "requests", lambda *_: iter(()))  # noqa: SLF001


def loads_no_rest(patch: Patch) -> None:
    """The sum of the rest of the models is not loaded once a window is full, and nobody notices."""
    patch.setattr(loading, "OTHER_MODELS", "a model that nobody uses")
    patch.setattr(StoredParts, "look_for", lambda *_: None)


def keeps_old_models(patch: Patch) -> None:
    """The stored parts by model stay when the count begins again."""
    save = sqlite_save.SqliteSave.changes

    def without_clearing(self: sqlite_save.SqliteSave, connection: sqlite3.Connection, state: State) -> None:
        for budget in state.changed_budgets():
            budget.is_models_cleared = False
        save(self, connection, state)

    patch.setattr(sqlite_save.SqliteSave, "changes", without_clearing)


def keeps_old_bounds(patch: Patch) -> None:
    """A window that rolls is written as if only its count had changed."""
    save = sqlite_save.SqliteSave.changes

    def counts_only(self: sqlite_save.SqliteSave, connection: sqlite3.Connection, state: State) -> None:
        for budget in state.changed_budgets():
            budget.is_configured = False
        save(self, connection, state)

    patch.setattr(sqlite_save.SqliteSave, "changes", counts_only)


def ends_chains_early(patch: Patch) -> None:
    """A recount in slices takes the first slice for all."""
    slice_ = chains.recount_slice

    def first_only(*arguments: Any) -> Steps[None]:
        yield from slice_(*arguments)

    patch.setattr(stepped, "recount_slice", first_only)


STORE_PLANTS: tuple[Callable[[Patch], None], ...] = (
    forgets_requests,
    loads_no_rest,
    keeps_old_models,
    keeps_old_bounds,
    writes_the_living_first,
    ends_chains_early,
)
