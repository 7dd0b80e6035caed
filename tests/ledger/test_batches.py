"""A batch equals its commands one by one, whatever the batch itself does to the tree.

Three ledgers carry out the same random batches: in one transaction each, cut at random places, and one command at a
time. They have to keep and answer the same. That this can fail is shown by planting the faults that once were there:
what a batch needs was loaded along the tree as it was before the batch, and nothing noticed what was lacking.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest

from budgetd_server.domain.commands import Command, DeleteBudget, UpdateBudget
from budgetd_server.domain.errors import HasChildren, HasOpenReservations, ParentCycle, TooDeep
from budgetd_server.domain.lacking import Lacking, StoredParts
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.state import State
from budgetd_server.ledger import loading
from budgetd_server.ledger.steps import Steps
from tests.domain.desk import MONDAY_US, charge
from tests.domain.holding_desk import move, with_limits
from tests.ledger.split_batches import MemoryFile, narrow_bounds, play

Patch = pytest.MonkeyPatch
#: How many batches one history has; what the ledgers keep is compared at its end.
HISTORY_BATCHES = 10
#: How many batches the drill has unless the environment says otherwise, as `make batches-drill` does.
DRILL_BATCHES = 10_000


#: What the batches have to meet in their midst, or the comparison does not show that it leaves nothing behind.
REFUSALS: set[tuple[type, type]] = {
    (DeleteBudget, HasChildren),
    (DeleteBudget, HasOpenReservations),
    (UpdateBudget, ParentCycle),
    (UpdateBudget, TooDeep),
}


def play_many(first_seed: int, histories: int) -> set[tuple[type, type]]:
    with narrow_bounds() as patch:
        return set().union(*(play(first_seed + number, HISTORY_BATCHES, patch) for number in range(histories)))


@pytest.mark.parametrize("part", range(20))
def test_a_batch_comes_to_the_same_as_its_commands_one_by_one(part: int) -> None:
    met = play_many(1_000 * part, 25)

    assert met >= REFUSALS


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("part", range(20))
def test_tens_of_thousands_of_batches_come_to_the_same_as_their_commands_one_by_one(part: int) -> None:
    histories = int(os.environ.get("BUDGETD_DRILL_BATCHES", DRILL_BATCHES)) // HISTORY_BATCHES // 20
    play_many(1_000_000 * (part + 1), histories)


def moved_once() -> MemoryFile:
    """A child that was charged under one parent and is under another by now."""
    file = MemoryFile()
    for budget_id, parent_id in (("old", ""), ("new", ""), ("child", "old")):
        file.commit([with_limits(budget_id=budget_id, parent_id=parent_id)], MONDAY_US)
    file.commit([charge(5, model="m1", budget_id="child"), move("new", budget_id="child")], MONDAY_US)
    return file


def back_and_charged() -> list[Command[Any]]:
    return [move("old", budget_id="child"), charge(7, model="m1", budget_id="child")]


def test_a_charge_behind_a_move_adds_to_what_is_stored_of_its_model() -> None:
    file = moved_once()

    file.commit(back_and_charged(), MONDAY_US)

    assert file.deviations() == []


def test_what_was_decided_without_all_that_it_needs_is_never_written(monkeypatch: Patch) -> None:
    def decided_at_once(needs: Needs, decide: Any, now_us: int) -> Steps[tuple[State, Any]]:
        state = yield from loading.load(needs, now_us)
        return state, decide(state, now_us)

    file = moved_once()
    before = file.content()
    monkeypatch.setattr(loading, "decided", decided_at_once)

    with pytest.raises(AssertionError, match="never written"):
        file.commit(back_and_charged(), MONDAY_US)

    assert file.content() == before


def loads_sums_along_the_tree_before_the_batch(patch: Patch) -> None:
    """Sums by model of budgets that the batch brings above a charge are made again, and overwrite the stored ones."""
    patch.setattr(StoredParts, "look_for", lambda *_: None)


def loads_holds_along_the_tree_before_the_batch(patch: Patch) -> None:
    """Holds on budgets that the batch brings under a deletion, or above a refusal, are not found."""
    add = Lacking.__bool__

    def models_alone(lacking: Lacking) -> bool:
        lacking.first_holds.clear()
        lacking.holds.clear()
        return add(lacking)

    patch.setattr(Lacking, "__bool__", models_alone)


def asks_of_large_trees_as_they_were_before_the_batch(patch: Patch) -> None:
    """What is below a budget is not loaded, and nothing notices that the batch itself has changed it."""
    patch.setattr(
        State, "large_tree", lambda state, budget: state.large_trees.get((budget.project_key, budget.budget_key))
    )


#: Each bug with a history that shows it: the search begins there, and goes on should histories be drawn differently.
PLANTS: dict[Callable[[Patch], None], int] = {
    loads_sums_along_the_tree_before_the_batch: 6,
    loads_holds_along_the_tree_before_the_batch: 147,
    asks_of_large_trees_as_they_were_before_the_batch: 36,
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Callable[[Patch], None]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            play_many(PLANTS[plant], 500)
