"""A large tree is deleted at once for everybody, though the rows below its root follow in steps.

Two ledgers carry out the same random commands: one deletes every tree at once, the other in steps at random moments.
They have to answer the same, show readers the same, and keep the same in the end.
"""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from budgetd_server.domain import admission, deleting, expiry
from budgetd_server.domain.admission import DELETION_STEP_US, BudgetExceeded
from budgetd_server.domain.commands import DeleteBudget, Outcome, Sweep
from budgetd_server.domain.errors import AlreadySettled, BudgetNotFound
from budgetd_server.domain.queries import BudgetQuery
from budgetd_server.domain.reservation import OnExpiry
from budgetd_server.domain.results import Deleted
from budgetd_server.domain.state import State
from budgetd_server.ledger import budgets, loading, reading, saving
from budgetd_server.ledger.steps import Steps
from tests.domain.desk import MONDAY_US, PROJECT, charge, delete, limited
from tests.domain.holding_desk import MINUTE_US, commit_hold, rejecting, reserve, with_limits
from tests.ledger.split_batches import MemoryFile
from tests.ledger.stepped_deletions import few_at_once, play_steps

Patch = pytest.MonkeyPatch
HISTORY_BATCHES = 6
STEP = Sweep(project_id=PROJECT, finishes_deletions=True)


def play_many(first_seed: int, histories: int) -> None:
    with few_at_once() as patch:
        for seed in range(first_seed, first_seed + histories):
            play_steps(seed, HISTORY_BATCHES, patch)


@pytest.mark.parametrize("part", range(12))
def test_a_deletion_in_steps_comes_to_the_same_as_one_at_once(part: int) -> None:
    play_many(1_000 * part, 4)


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("part", range(10))
def test_a_deletion_in_steps_comes_to_the_same_in_a_thousand_histories(part: int) -> None:
    play_many(1_000_000 * (part + 1), 100)


def readers_forget_the_ancestors(patch: Patch) -> None:
    """A reader shows a budget whose ancestor is deleted."""
    patch.setattr(reading, "living", lambda *arguments, **_: budgets.live(*arguments, is_deleting=False))


def lists_forget_the_ancestors(patch: Patch) -> None:
    """A page of budgets shows one as live whose ancestor is deleted."""
    budget_page = reading.budget_page

    def project_without_deletions(_: str) -> Steps[tuple[None, bool]]:
        yield from ()
        return None, False

    def unaware(query: BudgetQuery) -> Steps[Any]:
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(budgets, "project", project_without_deletions)
            page = yield from budget_page(query)
            return page

    patch.setattr(reading, "budget_page", unaware)


def writers_forget_the_ancestors(patch: Patch) -> None:
    """A command finds a budget whose ancestor is deleted."""
    projects = loading._Loading.projects  # noqa: SLF001

    def unaware(self: Any, needs: Any) -> Steps[None]:
        yield from projects(self, needs)
        for project in self.state.projects.values():
            project.is_deleting = bool(needs.deleting)

    patch.setattr(loading._Loading, "projects", unaware)  # noqa: SLF001


def writers_do_not_finish_what_they_name(patch: Patch) -> None:
    """A budget is made again whose former row still says that it lives."""
    finish_deletions = deleting.finish_deletions

    def of_steps_alone(state: State, now_us: int) -> None:
        if state.looked_below:
            finish_deletions(state, now_us)

    patch.setattr(loading, "finish_deletions", of_steps_alone)


def books_holds_of_deleted_budgets(patch: Patch) -> None:
    """A hold whose budget is deleted expires as any other, and may be booked."""
    patch.setattr(expiry, "deleted_by", lambda *_: None)


def forgets_the_grandchildren(patch: Patch) -> None:
    """What is below a budget that was deleted in a step is not noted."""
    deletions = saving._deletions  # noqa: SLF001

    def of_roots_alone(state: State) -> Iterator[saving.Write]:
        if state.looked_below:
            state.deleted_above.clear()
        yield from deletions(state)

    patch.setattr(saving, "_deletions", of_roots_alone)


@pytest.mark.parametrize(
    "plant",
    [
        readers_forget_the_ancestors,
        lists_forget_the_ancestors,
        writers_forget_the_ancestors,
        writers_do_not_finish_what_they_name,
        forgets_the_grandchildren,
    ],
    ids=lambda plant: plant.__name__,
)
def test_a_planted_bug_is_caught(plant: Callable[[Patch], Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, sqlite3.IntegrityError)):
            play_many(0, 300)


# --- One deletion, step by step.


@pytest.fixture
def file(monkeypatch: Patch) -> Iterator[MemoryFile]:
    """A ledger with a team of three users, each with one device, below an organisation."""
    monkeypatch.setattr(loading, "DELETED_AT_ONCE_MAX", 2)
    monkeypatch.setattr(loading, "DELETED_IN_STEP", 2)
    file = MemoryFile()
    file.commit([with_limits(limited(10), budget_id="org"), with_limits(budget_id="team", parent_id="org")], MONDAY_US)
    for number in range(3):
        user = with_limits(budget_id=f"user {number}", parent_id="team")
        device = with_limits(budget_id=f"device {number}", parent_id=f"user {number}")
        file.commit([user, device], MONDAY_US)
    yield file
    assert file.deviations() == []
    file.connection.close()


def forced(budget_id: str = "team", request_id: str = "deletion") -> DeleteBudget:
    return replace(delete(budget_id=budget_id, request_id=request_id), force=True)


def entries(file: MemoryFile) -> int:
    (number,) = file.connection.execute("SELECT count(*) FROM entries").fetchone()
    return int(number)


def finish(file: MemoryFile) -> int:
    """Take all steps; how many it were."""
    steps = 0
    while True:
        (result,) = file.commit([STEP], MONDAY_US)
        assert isinstance(result, Outcome)
        if not result.result.changes_count:
            return steps
        steps += 1


def test_the_first_transaction_writes_only_the_root_and_returns_how_many_are_deleted(file: MemoryFile) -> None:
    before = entries(file)

    (outcome,) = file.commit([forced()], MONDAY_US)

    assert isinstance(outcome, Outcome)
    assert outcome.result == Deleted(7)
    assert entries(file) == before + 1
    assert file.deviations() == []


def test_the_same_request_id_meanwhile_gets_the_first_outcome(file: MemoryFile) -> None:
    (first,) = file.commit([forced()], MONDAY_US)

    (again,) = file.commit([forced()], MONDAY_US)

    assert isinstance(first, Outcome)
    assert again == first._replace(replayed=True)


def test_steps_go_on_until_nothing_is_left_and_write_an_entry_for_each(file: MemoryFile) -> None:
    before = entries(file)
    file.commit([forced()], MONDAY_US)

    assert finish(file) >= 3
    assert entries(file) == before + 7
    assert file.connection.execute("SELECT count(*) FROM pending_deletions").fetchone() == (0,)
    assert file.connection.execute("SELECT count(*) FROM budgets WHERE deleted_at_us IS NULL").fetchone() == (1,)


def test_a_refusal_for_many_holds_of_deleted_budgets_names_the_next_step_and_not_their_expiry(
    file: MemoryFile, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(admission, "expire_due", partial(expiry.expire_due, released_max=1))
    holds = [replace(reserve(3, request_id=f"hold {n}"), budget_id=f"device {n}") for n in range(3)]
    file.commit(holds, MONDAY_US)
    file.commit([forced()], MONDAY_US)

    (refusal,) = file.commit([replace(reserve(8, request_id="too early"), budget_id="org")], MONDAY_US)
    finish(file)
    (granted,) = file.commit([replace(reserve(8, request_id="later"), budget_id="org")], MONDAY_US)
    (other,) = file.commit([replace(reserve(8, request_id="no room"), budget_id="org")], MONDAY_US)

    assert isinstance(refusal, BudgetExceeded)
    assert refusal.retry_after_us == DELETION_STEP_US
    assert isinstance(granted, Outcome)
    assert isinstance(other, BudgetExceeded)
    assert other.retry_after_us == 10 * MINUTE_US, "once all are deleted"


def test_a_step_where_nothing_is_deleted_writes_nothing(file: MemoryFile) -> None:
    changes = file.connection.total_changes

    assert finish(file) == 0
    assert file.connection.total_changes == changes


def test_no_budget_is_charged_below_a_deleted_one(file: MemoryFile) -> None:
    file.commit([forced()], MONDAY_US)

    results = file.commit([charge(1, budget_id="device 1"), charge(1, budget_id="org")], MONDAY_US)

    assert isinstance(results[0], BudgetNotFound)
    assert isinstance(results[1], Outcome)


def test_a_name_is_used_again_before_its_turn_has_come(file: MemoryFile) -> None:
    file.commit([charge(3, budget_id="device 1"), forced()], MONDAY_US)

    made, charged = file.commit([with_limits(budget_id="device 1"), charge(2, budget_id="device 1")], MONDAY_US)
    finish(file)

    assert isinstance(made, Outcome)
    assert isinstance(charged, Outcome)
    lifetimes = file.connection.execute(
        "SELECT c.lifetime_cost_nano_usd FROM budgets JOIN counters AS c USING (project_key, budget_key)"
        " WHERE budget_id = 'device 1' AND is_model = 0 ORDER BY budget_key"
    )
    assert lifetimes.fetchall() == [(3,), (2,)]


def let_a_hold_of_a_deleted_budget_expire(file: MemoryFile) -> None:
    (hold,) = file.commit([reserve(8, budget_id="device 2", on_expiry=OnExpiry.COMMIT)], MONDAY_US)
    assert isinstance(hold, Outcome)
    file.commit([forced()], MONDAY_US)

    (refused,) = file.commit([commit_hold(hold.entry_seq, 8)], MONDAY_US)
    file.commit([Sweep(project_id=PROJECT, reservation_seqs=(hold.entry_seq,))], MONDAY_US + 11 * MINUTE_US)

    assert isinstance(refused, AlreadySettled)
    assert "is already released" in str(refused)
    state = file.connection.execute("SELECT state FROM reservations WHERE seq = ?", (hold.entry_seq,)).fetchone()
    assert state == (3,), "released"
    assert file.connection.execute("SELECT max(lifetime_cost_nano_usd) FROM counters").fetchone() == (0,)


def test_a_hold_of_a_deleted_budget_is_not_settled_and_neither_expires_nor_is_booked(file: MemoryFile) -> None:
    let_a_hold_of_a_deleted_budget_expire(file)


def test_that_a_hold_of_a_deleted_budget_is_booked_is_caught(file: MemoryFile, monkeypatch: Patch) -> None:
    books_holds_of_deleted_budgets(monkeypatch)

    with pytest.raises(AssertionError):
        let_a_hold_of_a_deleted_budget_expire(file)


def test_what_holds_of_deleted_budgets_keep_refuses_no_other(file: MemoryFile) -> None:
    file.commit([reserve(8, budget_id="device 2"), forced()], MONDAY_US)

    (charged,) = file.commit([rejecting(10, budget_id="org")], MONDAY_US)

    assert isinstance(charged, Outcome)
