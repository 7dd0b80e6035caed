"""Budgets with so many others below them that a command does not load these: it asks the store how many there are."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from budgetd_server.domain.commands import Command, Outcome
from budgetd_server.domain.decide import needs_of
from budgetd_server.domain.errors import HasChildren, ParentCycle, TooDeep
from budgetd_server.domain.results import Deleted
from budgetd_server.ledger import loading
from tests.domain.desk import MONDAY_US, delete
from tests.domain.holding_desk import move, reserve, with_limits
from tests.ledger.split_batches import MemoryFile
from tests.ledger.stores import Result

CHILDREN = 5
BIG = "big"


@pytest.fixture
def file(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryFile]:
    """A ledger with one budget above five, which counts as much, and a chain of six levels."""
    monkeypatch.setattr(loading, "DESCENDANTS_LOADED_MAX", CHILDREN - 1)
    file = MemoryFile()
    creations: list[Command[Any]] = [with_limits(budget_id=BIG)]
    creations += [with_limits(budget_id=f"child {number}", parent_id=BIG) for number in range(CHILDREN)]
    chain = ["", *(f"level {number}" for number in range(1, 7))]
    creations += [with_limits(budget_id=below, parent_id=above) for above, below in pairwise(chain)]
    file.commit(creations, MONDAY_US)
    yield file
    assert file.deviations() == []
    file.connection.close()


def loaded(file: MemoryFile, *commands: Command[Any]) -> set[str]:
    """The ids of the budgets that are loaded for some commands."""
    state = file.asked(loading.load(needs_of(commands), MONDAY_US))
    return {budget.budget_id for budget in state.by_key.values()}


def result(file: MemoryFile, command: Command[Any]) -> Result:
    (only,) = file.commit([command], MONDAY_US)
    return only


def test_a_deletion_that_is_refused_reports_the_number_of_children_and_loads_none_of_them(file: MemoryFile) -> None:
    file.commit([reserve(1, budget_id="child 0")], MONDAY_US)

    refused = result(file, delete(budget_id=BIG))

    assert isinstance(refused, HasChildren)
    assert f"has {CHILDREN} " in str(refused)
    assert loaded(file, delete(budget_id=BIG)) == {BIG}


def test_children_that_were_deleted_or_moved_away_are_not_counted(file: MemoryFile) -> None:
    file.commit([with_limits(budget_id="more", parent_id=BIG), delete(budget_id="child 0")], MONDAY_US)
    file.commit([move("", budget_id="child 1"), with_limits(budget_id="last", parent_id=BIG)], MONDAY_US)

    refused = result(file, delete(budget_id=BIG))

    assert isinstance(refused, HasChildren)
    assert f"has {CHILDREN} " in str(refused)


def test_a_budget_is_deleted_behind_all_its_children_in_one_batch(file: MemoryFile) -> None:
    deletions = [delete(budget_id=f"child {number}") for number in range(CHILDREN)]

    results = file.commit([*deletions, delete(budget_id=BIG)], MONDAY_US)

    assert [each.result for each in results if isinstance(each, Outcome)] == [Deleted(1)] * (CHILDREN + 1)


def test_a_move_loads_no_children_and_is_as_deep_as_the_tree_below_goes(file: MemoryFile) -> None:
    file.commit([with_limits(budget_id="grandchild", parent_id="child 3")], MONDAY_US)

    refused = result(file, move("level 6", budget_id=BIG))
    moved = result(file, move("level 5", budget_id=BIG))

    assert isinstance(refused, TooDeep)
    assert "9 levels" in str(refused)
    assert isinstance(moved, Outcome)
    assert loaded(file, move("level 1", budget_id=BIG)) == {BIG, *(f"level {number}" for number in range(1, 6))}


def test_a_budget_is_not_moved_below_itself(file: MemoryFile) -> None:
    assert isinstance(result(file, move("child 2", budget_id=BIG)), ParentCycle)


def test_a_tree_that_a_batch_has_changed_before_is_as_the_batch_left_it(file: MemoryFile) -> None:
    file.commit([move("level 5", budget_id=BIG)], MONDAY_US)

    # Each would be right of the tree as it was before the batch.
    results = file.commit(
        [
            move("", budget_id=BIG),
            with_limits(budget_id="grandchild", parent_id="child 0"),
            with_limits(budget_id="lowest", parent_id="grandchild"),
            move("level 5", budget_id=BIG),
            move("level 4", budget_id=BIG),
        ],
        MONDAY_US,
    )

    assert [type(each).__name__ for each in results] == ["Outcome", "Outcome", "Outcome", "TooDeep", "Outcome"]


def test_a_large_tree_that_a_batch_has_brought_below_a_budget_goes_with_it(file: MemoryFile) -> None:
    file.commit([with_limits(budget_id="top")], MONDAY_US)

    _, deleted = file.commit([move("top", budget_id=BIG), replace(delete(budget_id="top"), force=True)], MONDAY_US)

    assert isinstance(deleted, Outcome)
    assert deleted.result == Deleted(CHILDREN + 2)
