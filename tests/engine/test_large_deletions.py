"""Deletions of large trees: answered after the first transaction, finished in steps by any process that sweeps."""

import asyncio
from pathlib import Path

import pytest

from budgetd_server.domain.commands import CreateBudget, DeleteBudget, Outcome
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.domain.queries import BudgetQuery
from budgetd_server.domain.results import Deleted
from budgetd_server.engine import sweeper as sweepers
from budgetd_server.engine.engine import Engine
from budgetd_server.engine.sweeper import Sweeper
from budgetd_server.ledger import loading
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.metrics import Metrics
from tests.engine.callers import soon
from tests.engine.conftest import Bench
from tests.rpc.running_server import PROJECT

CHILDREN = 7


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven children are many."""
    monkeypatch.setattr(loading, "DELETED_AT_ONCE_MAX", 1)
    monkeypatch.setattr(loading, "DELETED_IN_STEP", 2)


async def make_tree(bench: Bench) -> None:
    """A team of seven."""
    await bench.create("team")
    for number in range(CHILDREN):
        child = CreateBudget(
            project_id=PROJECT,
            budget_id=f"user {number}",
            request=bench.request(),
            limits=(),
            labels={},
            parent_id="team",
        )
        await bench.engine.submit(child)


def deletion(bench: Bench) -> DeleteBudget:
    return DeleteBudget(project_id=PROJECT, budget_id="team", request=bench.request(), force=True)


async def until_finished(bench: Bench) -> None:
    """Wait until nothing is left to be deleted."""
    while (await bench.ledger.due(bench.clock(), 10)).deleting:
        await asyncio.sleep(0.001)


async def deleted(bench: Bench) -> int:
    query = BudgetQuery(project_id=PROJECT, with_deleted=True)
    return sum(budget.deleted_at_us is not None for budget in await bench.ledger.list_budgets(query))


async def test_a_large_deletion_is_answered_and_then_finished_without_anybodys_touch(bench: Bench) -> None:
    await make_tree(bench)

    outcome = await bench.engine.delete_budget(deletion(bench))
    await soon(until_finished(bench))

    assert outcome.result == Deleted(CHILDREN + 1)
    assert await deleted(bench) == CHILDREN + 1


async def test_what_one_process_began_another_finishes(bench: Bench, tmp_path: Path) -> None:
    await make_tree(bench)
    await bench.engine.sweeper.stop()
    await bench.engine.delete_budget(deletion(bench))
    assert (await bench.ledger.due(bench.clock(), 10)).deleting == (PROJECT,)
    ledger = await SqliteLedger.open(tmp_path / "budgetd.db")
    other = Engine(ledger, bench.clock, Metrics())

    other.start()

    await soon(until_finished(bench))
    await other.drain()
    await ledger.close()
    assert await deleted(bench) == CHILDREN + 1


async def test_a_long_deletion_keeps_nothing_else_from_its_turn(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweepers, "DELETION_STEPS_MAX", 1)
    await make_tree(bench)
    await bench.engine.sweeper.stop()
    await bench.engine.delete_budget(deletion(bench))

    await bench.engine.sweeper.sweep()

    assert (await bench.ledger.due(bench.clock(), 10)).deleting == (PROJECT,), "one step, and then what else is due"


async def test_a_deletion_goes_on_after_the_store_was_away(bench: Bench) -> None:
    await make_tree(bench)
    await bench.engine.sweeper.stop()
    await bench.engine.delete_budget(deletion(bench))
    bench.ledger.failures.append(StoreUnavailable("away", metadata={"kind": "busy"}))
    sweeper = Sweeper(bench.ledger, bench.engine.submit, bench.clock, sweep_seconds=0.001)

    sweeper.start()

    await soon(until_finished(bench))
    await sweeper.stop()
    assert not bench.ledger.failures


async def test_a_deletion_of_a_leaf_leaves_nothing_to_be_finished(bench: Bench) -> None:
    await bench.create("leaf")
    command = DeleteBudget(project_id=PROJECT, budget_id="leaf", request=bench.request(), force=True)

    outcome = await bench.engine.delete_budget(command)

    assert outcome == Outcome(outcome.entry_seq, Deleted(1))
    assert (await bench.ledger.due(bench.clock(), 10)).deleting == ()
