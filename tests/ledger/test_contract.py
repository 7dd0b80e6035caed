"""What every ledger does with a batch of commands: one suite, run on each kind of store."""

import asyncio
import threading
from typing import Any

import pytest

from budgetd_server.domain.bounds import MODELS_PER_WINDOW_MAX, OTHER_MODELS
from budgetd_server.domain.budget import Sums
from budgetd_server.domain.commands import Command, Outcome
from budgetd_server.domain.errors import BudgetExists, BudgetNotFound, StoreUnavailable
from budgetd_server.domain.queries import BudgetQuery
from budgetd_server.domain.state import State
from budgetd_server.domain.usage import Usage
from budgetd_server.ledger.base import Ledger
from tests.domain.desk import (
    ALICE,
    DAY_US,
    MONDAY_US,
    PROJECT,
    adjust,
    charge,
    create,
    delete,
    limited,
    reset,
)
from tests.ledger.stores import LOCK_WAIT_SECONDS, Store, all_entries, carry_out, commit, decide_all

PLACE = (PROJECT, ALICE)
DAILY = limited(100, every_us=DAY_US)
WAIT_SECONDS = 60


async def spent(ledger: Ledger, budget_id: str = ALICE, project_id: str = PROJECT) -> int:
    """The value of a budget's main counter in the store."""
    key = (project_id, budget_id)
    return (await ledger.load_budgets([key]))[key].main.sums.cost_nano_usd


# --- A batch is one transaction.


async def test_a_batch_is_kept_whole(ledger: Ledger) -> None:
    outcomes = await carry_out(ledger, create(DAILY), charge(5), charge(7, budget_id=ALICE))

    assert [outcome.entry_seq for outcome in outcomes] == [1, 2, 3]
    assert await spent(ledger) == 12


async def test_an_internal_error_while_deciding_leaves_nothing_of_the_batch(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY))
    commands: list[Command[Any]] = [charge(5, request_id="one"), create(DAILY, budget_id="bob")]

    def mistaken(state: State, _: int) -> None:
        decide_all(commands, state, MONDAY_US)
        raise RuntimeError("an internal error")

    with pytest.raises(RuntimeError, match="an internal error"):
        await ledger.commit(commands, mistaken, clock=lambda: MONDAY_US, lock_wait_seconds=LOCK_WAIT_SECONDS)

    assert await spent(ledger) == 0
    assert len(await all_entries(ledger)) == 1
    assert not (await carry_out(ledger, charge(5, request_id="one")))[0].replayed


async def test_a_refused_charge_does_not_undo_its_neighbours(ledger: Ledger) -> None:
    results = await commit(ledger, create(DAILY), charge(5), charge(1, budget_id="bob"), create(DAILY), charge(7))

    assert [type(result) for result in results] == [Outcome, Outcome, BudgetNotFound, BudgetExists, Outcome]
    assert await spent(ledger) == 12


async def test_a_batch_of_refusals_leaves_nothing_not_even_a_project(ledger: Ledger) -> None:
    await commit(ledger, charge(1), charge(1, project_id="nowhere"))

    assert await all_entries(ledger) == []
    assert await all_entries(ledger, "nowhere") == []


async def test_an_empty_batch_is_no_trouble(ledger: Ledger) -> None:
    assert await carry_out(ledger) == []


async def test_no_reader_sees_a_batch_before_its_commit_and_every_reader_afterwards(
    store: Store, ledger: Ledger
) -> None:
    await carry_out(ledger, create(DAILY))
    other = await store.open()
    decided, may_commit = threading.Event(), threading.Event()
    command = charge(5)

    def held(state: State, _: int) -> list[object]:
        results = decide_all([command], state, MONDAY_US)
        decided.set()
        assert may_commit.wait(WAIT_SECONDS)
        return list(results)

    committing = asyncio.create_task(
        ledger.commit([command], held, clock=lambda: MONDAY_US, lock_wait_seconds=LOCK_WAIT_SECONDS)
    )
    assert await asyncio.to_thread(decided.wait, WAIT_SECONDS)
    during = [await spent(other), await spent(ledger)]
    was_answered = committing.done()
    may_commit.set()
    await committing
    after = [await spent(other), await spent(ledger)]
    await other.close()

    assert (during, was_answered, after) == ([0, 0], False, [5, 5])


async def test_a_caller_that_leaves_while_its_batch_runs_does_not_stop_it(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY))
    decided, may_commit = threading.Event(), threading.Event()
    command = charge(5)

    def held(state: State, _: int) -> None:
        decide_all([command], state, MONDAY_US)
        decided.set()
        assert may_commit.wait(WAIT_SECONDS)

    leaving = asyncio.create_task(
        ledger.commit([command], held, clock=lambda: MONDAY_US, lock_wait_seconds=LOCK_WAIT_SECONDS)
    )
    assert await asyncio.to_thread(decided.wait, WAIT_SECONDS)
    leaving.cancel()
    may_commit.set()
    await asyncio.gather(leaving, return_exceptions=True)
    await carry_out(ledger, charge(7))

    assert await spent(ledger) == 12


async def test_a_commit_reports_how_long_it_took(ledger: Ledger) -> None:
    _, committed = await ledger.commit(
        [], lambda *_: None, clock=lambda: MONDAY_US, lock_wait_seconds=LOCK_WAIT_SECONDS
    )

    assert committed.lock_wait_seconds >= 0
    assert committed.transaction_seconds > 0


# --- What was acknowledged stays.


async def test_everything_is_there_when_the_store_is_opened_again(store: Store) -> None:
    first = await store.open()
    await carry_out(first, create(DAILY, labels={"team": "red"}), charge(5, model="gpt", usage=Usage(10, 5)))
    before = (await first.load_budgets([PLACE], [PLACE]))[PLACE]
    await first.close()

    second = await store.open()
    after = (await second.load_budgets([PLACE], [PLACE]))[PLACE]
    await second.close()

    assert after == before
    assert after.models == {"gpt": Sums(5, 10, 5, calls=1)}


async def test_a_request_is_replayed_when_the_store_is_opened_again(store: Store) -> None:
    command = charge(5, request_id="one")
    first = await store.open()
    await carry_out(first, create(DAILY))
    (reported,) = await carry_out(first, command)
    await first.close()

    second = await store.open()
    (again,) = await carry_out(second, command)
    total = await spent(second)
    await second.close()

    assert (again.entry_seq, again.result, again.replayed) == (reported.entry_seq, reported.result, True)
    assert total == 5


async def test_a_request_is_replayed_within_a_batch(ledger: Ledger) -> None:
    command = charge(5, request_id="one")

    outcomes = await carry_out(ledger, create(DAILY), command, command)

    assert [outcome.replayed for outcome in outcomes] == [False, False, True]
    assert await spent(ledger) == 5


async def test_two_ledgers_on_one_store_see_each_others_commits(store: Store, ledger: Ledger) -> None:
    other = await store.open()
    await carry_out(ledger, create(DAILY))
    await carry_out(other, charge(5))
    await carry_out(ledger, charge(7))

    seen = [await spent(each) for each in (ledger, other)]
    await other.close()

    assert seen == [12, 12]


async def test_two_ledgers_that_charge_at_once_lose_nothing_and_count_no_request_twice(
    store: Store, ledger: Ledger
) -> None:
    await carry_out(ledger, create(DAILY))
    other = await store.open()
    commands = [charge(number, request_id=f"charge {number}") for number in range(1, 41)]

    reported = await asyncio.gather(*(carry_out(each, command) for command in commands for each in (ledger, other)))
    await other.close()

    assert sorted(outcome.replayed for (outcome,) in reported) == [False] * 40 + [True] * 40
    assert await spent(ledger) == sum(range(1, 41))


# --- Budgets that come and go.


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param([delete(), create(DAILY)], id="deleted and created again"),
        pytest.param([delete(), create(DAILY), delete(), create(DAILY)], id="the same twice"),
        pytest.param([create(DAILY, replaces=True), delete(), create(DAILY)], id="replaced, deleted and created again"),
        pytest.param([charge(5), reset(), delete(), create(DAILY)], id="charged, reset, deleted and created again"),
    ],
)
async def test_an_id_can_be_used_again_in_the_batch_that_deletes_it(
    ledger: Ledger, commands: list[Command[Any]]
) -> None:
    await carry_out(ledger, create(DAILY), charge(3))

    await carry_out(ledger, *commands, charge(2))

    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    assert (budget.main.sums.cost_nano_usd, budget.lifetime_cost_nano_usd) == (2, 2)


async def test_a_budget_may_be_created_and_deleted_in_one_batch(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(3, model="gpt"), delete())

    assert await ledger.load_budgets([PLACE]) == {}
    assert len(await all_entries(ledger)) == 3


async def test_a_replaced_budget_forgets_its_models_in_the_store(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(3, model="gpt"))
    await carry_out(ledger, create(DAILY, replaces=True), charge(4, model="claude"))

    budget = (await ledger.load_budgets([PLACE], [PLACE]))[PLACE]
    assert budget.models == {"claude": Sums(4, calls=1)}
    assert budget.lifetime_cost_nano_usd == 7


async def test_a_window_that_rolls_is_kept_with_its_new_bounds_and_without_its_models(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(3, model="gpt"))
    await carry_out(ledger, charge(4, model="claude"), now_us=MONDAY_US + 2 * DAY_US)

    budget = (await ledger.load_budgets([PLACE], [PLACE]))[PLACE]
    assert budget.main.span == (MONDAY_US + 2 * DAY_US, MONDAY_US + 3 * DAY_US)
    assert (budget.main.since_seq, budget.models) == (3, {"claude": Sums(4, calls=1)})


async def test_a_window_moved_back_with_the_clock_is_kept_with_its_count(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(3))
    await carry_out(ledger, charge(4), now_us=MONDAY_US - 5 * DAY_US)

    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    assert budget.main.span == (MONDAY_US - 5 * DAY_US, MONDAY_US - 4 * DAY_US)
    assert budget.main.sums.cost_nano_usd == 7


async def test_models_beyond_the_first_two_hundred_are_summed_batch_by_batch(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), *(charge(1, model=f"m{n}") for n in range(MODELS_PER_WINDOW_MAX - 1)))
    for number in range(4):
        await carry_out(ledger, charge(10, model=f"n{number}"))
    await carry_out(ledger, charge(100, model="n9"), adjust(-5, model="n8"), charge(2, model="m0"))

    budget = (await ledger.load_budgets([PLACE], [PLACE]))[PLACE]
    assert budget.models_count == len(budget.models) == MODELS_PER_WINDOW_MAX + 1
    assert budget.models[OTHER_MODELS] == Sums(125, calls=4)
    assert budget.models["m0"] == Sums(3, calls=2)


# --- The end.


async def test_proving_a_store_that_takes_writes_succeeds_and_changes_no_count(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(5))

    await ledger.prove(MONDAY_US)

    assert await spent(ledger) == 5
    assert len(await all_entries(ledger)) == 2


async def test_a_closed_ledger_says_that_it_is_unavailable_and_can_be_closed_again(store: Store) -> None:
    ledger = await store.open()
    await carry_out(ledger, create(DAILY))
    await ledger.close()
    await ledger.close()

    for use in (
        lambda: carry_out(ledger, charge(5)),
        lambda: ledger.prove(MONDAY_US),
        lambda: ledger.load_budgets([PLACE]),
        lambda: ledger.list_budgets(BudgetQuery(project_id=PROJECT)),
        lambda: all_entries(ledger),
    ):
        with pytest.raises(StoreUnavailable):
            await asyncio.wait_for(use(), WAIT_SECONDS)


async def test_closing_waits_for_the_batch_that_runs(store: Store) -> None:
    ledger = await store.open()
    committing = asyncio.create_task(carry_out(ledger, create(DAILY), charge(5)))
    await asyncio.sleep(0)  # The batch is on its way.

    await ledger.close()
    await committing

    again = await store.open()
    total = await spent(again)
    await again.close()
    assert total == 5
