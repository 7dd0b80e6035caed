"""Large trees under load: charges of another project go on while tens of thousands of budgets are deleted or moved."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import grpc
import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.entry import EntryKind
from budgetd_server.ledger.sqlite.file import connect
from tests.faults.big_ledgers import FAMILY, PARENT, make_family, other_id
from tests.faults.calls import stub_for
from tests.faults.checker import deviations_of
from tests.faults.server_process import running
from tests.faults.steady_load import compared, steady_load

OTHERS = 50
SIZES = (2_000, 8_000, 66_680)
#: How much longer than in proportion to the smallest the largest may take: the machine may be busy.
SLOWER_MAX = 2.0
FINISHED_SECONDS_MAX = 300
BEFORE_SECONDS = 4.0
#: For connections to open.
SETTLE_SECONDS = 0.5

_PENDING = "SELECT EXISTS (SELECT 1 FROM pending_deletions)"
_DELETED = "SELECT count(*) FROM budgets WHERE deleted_at_us IS NOT NULL"
_ENTRIES = "SELECT count(*), count(DISTINCT budget_key) FROM entries WHERE kind = ?"


def deletion(*, force: bool) -> service.DeleteBudgetRequest:
    return service.DeleteBudgetRequest(project_id=FAMILY, budget_id=PARENT, force=force, request_id=f"delete-{force}")


def move(parent_id: str) -> service.UpdateBudgetRequest:
    budget = pb.Budget(project_id=FAMILY, budget_id=PARENT, parent_budget_id=parent_id)
    request = service.UpdateBudgetRequest(budget=budget, request_id=f"move-{parent_id}")
    request.update_mask.paths.append("parent_budget_id")
    return request


def number(database: Path, statement: str) -> int:
    with closing(connect(database, is_reader=True)) as connection:
        return int(connection.execute(statement).fetchone()[0])


async def until_finished(database: Path) -> None:
    async with asyncio.timeout(FINISHED_SECONDS_MAX):
        while number(database, _PENDING):
            await asyncio.sleep(0.05)


def deletions(database: Path) -> tuple[int, int]:
    """How many entries say that a budget was deleted, and of how many budgets."""
    with closing(sqlite3.connect(database)) as connection:
        entries, budgets = connection.execute(_ENTRIES, (int(EntryKind.DELETE),)).fetchone()
    return entries, budgets


@pytest.mark.drill
async def test_a_deletion_whose_server_is_killed_on_the_way_is_finished_by_the_next(database: Path) -> None:
    children = 3_000
    make_family(database, children=children, others=1)
    async with running(database) as server:
        async with stub_for(server.address) as stub:
            answer = await stub.DeleteBudget(deletion(force=True))
        while number(database, _DELETED) < 100:
            await asyncio.sleep(0.005)
        server.kill()
        assert await server.ended() == -9
    left = children + 1 - number(database, _DELETED)
    assert left > 0, "it was to be killed on the way"
    assert deviations_of(database) == []

    async with running(database) as server:
        async with stub_for(server.address) as stub:
            again = await stub.DeleteBudget(deletion(force=True))
        await until_finished(database)

    assert (answer.deleted_count, again.deleted_count, again.replayed) == (children + 1, children + 1, True)
    assert deletions(database) == (children + 1, children + 1)
    assert deviations_of(database) == []


@pytest.mark.drill
async def test_large_trees_are_moved_and_deleted_in_linear_time_while_others_are_charged(
    tmp_path: Path, figure: Callable[[str], None]
) -> None:
    taken = {children: await delete_under_load(tmp_path / f"{children}.db", children, figure) for children in SIZES}

    least, most = SIZES[0], SIZES[-1]
    assert taken[most] / most <= SLOWER_MAX * taken[least] / least


async def delete_under_load(database: Path, children: int, figure: Callable[[str], None]) -> float:
    """Refuse to delete, move and delete a tree while others are charged; how long the deletion took to its end."""
    make_family(database, children=children, others=OTHERS)
    budget_ids = [other_id(each) for each in range(OTHERS)]
    async with (
        running(database) as server,
        steady_load(server.address, budget_ids) as load,
        stub_for(server.address) as stub,
    ):
        top = pb.Budget(project_id=FAMILY, budget_id="top")
        await stub.CreateBudget(service.CreateBudgetRequest(budget=top, request_id="top"))
        await asyncio.sleep(SETTLE_SECONDS)
        began = time.monotonic()
        await asyncio.sleep(BEFORE_SECONDS)
        asked = time.monotonic()
        with pytest.raises(grpc.aio.AioRpcError, match="children"):
            await stub.DeleteBudget(deletion(force=False))
        refused = time.monotonic()
        await stub.UpdateBudget(move("top"))
        moved = time.monotonic()
        answer = await stub.DeleteBudget(deletion(force=True))
        answered = time.monotonic()
        await until_finished(database)
        finished = time.monotonic()
    figure(
        f"{children} children: refused in {(refused - asked) * 1000:.0f} ms, "
        f"moved in {(moved - refused) * 1000:.0f} ms, "
        f"deletion answered in {(answered - moved) * 1000:.0f} ms and finished in {finished - moved:.1f} s; "
        f"{compared('meanwhile', load.seconds(began, asked), load.seconds(asked, finished))}"
    )
    assert answer.deleted_count == children + 1
    assert deletions(database) == (children + 1, children + 1)
    assert deviations_of(database) == []
    return finished - moved
