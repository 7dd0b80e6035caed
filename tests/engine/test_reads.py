"""Reads: many share one load, none joins a load that has begun, and callers read their own writes."""

import asyncio

import pytest

from budgetd_server.domain.errors import BudgetNotFound, StoreUnavailable
from budgetd_server.engine import engine
from tests.engine.callers import soon, turns
from tests.engine.conftest import Bench
from tests.rpc.running_server import PROJECT


async def test_reads_that_wait_at_the_same_moment_share_one_load(bench: Bench) -> None:
    await bench.create("a")
    await bench.create("b")
    bench.ledger.loads.clear()

    await asyncio.gather(*(bench.spent(name) for name in ("a", "b") * 50))

    assert bench.ledger.loads == [{(PROJECT, "a"), (PROJECT, "b")}]


async def test_a_read_that_is_asked_while_an_older_load_hangs_sees_what_was_acknowledged_in_between(
    bench: Bench,
) -> None:
    await bench.create()
    bench.ledger.before_load.close()
    old = asyncio.create_task(bench.spent())
    await soon(bench.ledger.before_load.arrival())

    await bench.engine.submit(bench.charge(5))
    bench.ledger.before_load.open()
    new = await soon(bench.spent())

    assert new == 5
    assert len(bench.ledger.loads) == 2
    await soon(old)


async def test_reads_that_come_while_all_loads_hang_share_the_next_one(bench: Bench) -> None:
    await bench.create()
    bench.ledger.loads.clear()
    bench.ledger.before_load.close()
    hanging = []
    for _ in range(2):
        hanging.append(asyncio.create_task(bench.spent()))
        await soon(bench.ledger.before_load.arrival())

    waiting = [asyncio.create_task(bench.spent()) for _ in range(50)]
    await turns()
    assert len(bench.ledger.loads) == 2
    bench.ledger.before_load.open()
    await soon(asyncio.gather(*hanging, *waiting))

    assert len(bench.ledger.loads) == 3


async def test_a_reader_that_goes_does_not_take_the_load_from_the_others(bench: Bench) -> None:
    await bench.create()
    bench.ledger.before_load.close()
    one, other = asyncio.create_task(bench.spent()), asyncio.create_task(bench.spent())
    await soon(bench.ledger.before_load.arrival())

    one.cancel()
    await turns()
    bench.ledger.before_load.open()

    assert await soon(other) == 0
    assert one.cancelled()


async def test_a_load_that_fails_fails_those_who_joined_it_and_the_next_one_succeeds(bench: Bench) -> None:
    await bench.create()
    bench.ledger.load_failures.append(StoreUnavailable("the store could not read"))

    results = await asyncio.gather(*(bench.spent() for _ in range(3)), return_exceptions=True)

    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert await bench.spent() == 0


async def test_a_read_of_a_budget_that_is_not_there_is_refused_and_its_neighbours_are_answered(bench: Bench) -> None:
    await bench.create()

    found, missing = await asyncio.gather(bench.spent(), bench.spent("nobody"), return_exceptions=True)

    assert found == 0
    assert isinstance(missing, BudgetNotFound)


async def test_reads_do_not_wait_behind_writes(bench: Bench) -> None:
    await bench.create()
    bench.ledger.before_commit.close()
    write = asyncio.create_task(bench.engine.submit(bench.charge()))
    await soon(bench.ledger.before_commit.arrival())

    assert await soon(bench.spent()) == 0
    bench.ledger.before_commit.open()
    await soon(write)


@pytest.mark.parametrize("with_models", [False, True])
async def test_only_those_who_ask_for_models_get_them(bench: Bench, with_models: bool) -> None:
    await bench.create()
    await bench.engine.submit(bench.charge(3)._replace(model="m"))

    status = await bench.engine.budget(PROJECT, "alice", with_models=with_models)

    assert [each.model for each in status.models] == (["m"] if with_models else [])


@pytest.mark.parametrize(("count", "pages"), [(0, []), (1, [1]), (2, [2]), (5, [2, 2, 1])])
@pytest.mark.parametrize("with_models", [True, False])
async def test_all_budgets_of_a_project_come_in_order_of_creation_and_each_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, count: int, pages: list[int], *, with_models: bool
) -> None:
    monkeypatch.setattr(engine, "ALL_ROWS_WITH_MODELS_MAX" if with_models else "LIST_ROWS_MAX", 2)
    names = [f"user-{9 - number}" for number in range(count)]
    for name in names:
        await bench.create(name)

    found = [page async for page in bench.engine.all_budgets(PROJECT, with_models=with_models)]

    assert [budget.budget_id for page in found for budget in page] == names
    assert [len(page) for page in found] == pages
