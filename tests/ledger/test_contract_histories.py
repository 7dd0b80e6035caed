"""Random histories on every kind of store, beside the slow model of the rules.

Batch after batch is decided on what the store has loaded and compared with what it has kept; in the end the store is
recounted as a whole. That this can fail is shown by planting bugs on the way to the store: the plants below are caught.
"""

import sqlite3
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.domain.lacking import StoredParts
from budgetd_server.domain.state import State
from budgetd_server.ledger import chains, loading, stepped
from budgetd_server.ledger.sqlite import save as sqlite_save
from budgetd_server.ledger.steps import Steps
from tests.domain.histories import TELLING, Batch, histories
from tests.ledger.rehearsed import play_on_store
from tests.ledger.stores import STORES

Patch = pytest.MonkeyPatch
quick = settings(suppress_health_check=[HealthCheck.too_slow])


def play(name: str, history: list[Batch]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        play_on_store(name, Path(folder), history)


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_store_agrees_with_a_model_that_recomputes_everything(name: str) -> None:
    @settings(quick, max_examples=20)
    @example(history=TELLING)
    @given(history=histories(batches_max=8, batch_max=5))
    def rehearse(history: list[Batch]) -> None:
        play(name, history)

    rehearse()


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", sorted(STORES))
def test_a_store_agrees_with_the_model_over_long_histories(name: str) -> None:
    @settings(quick, max_examples=500)
    @given(history=histories(batches_max=30, batch_max=6))
    def rehearse(history: list[Batch]) -> None:
        play(name, history)

    rehearse()


def writes_the_living_first(patch: Patch) -> None:
    """An id that is deleted and created anew in one batch meets its old row."""
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


@pytest.mark.parametrize(
    "plant",
    [
        forgets_requests,
        loads_no_rest,
        keeps_old_models,
        keeps_old_bounds,
        writes_the_living_first,
        ends_chains_early,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_bug_planted_on_the_way_to_sqlite_is_caught(plant: Callable[[Patch], None]) -> None:
    @settings(quick, max_examples=500, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
    @example(history=TELLING)
    @given(history=histories(batches_max=8, batch_max=5))
    def rehearse(history: list[Batch]) -> None:
        play("sqlite", history)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, StoreUnavailable)):
            rehearse()
