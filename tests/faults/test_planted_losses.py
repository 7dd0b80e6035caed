"""Controls: bugs that lose acknowledged charges are planted, and the drills' judge must see them.

The power losses are made by a small library that is preloaded into the server and keeps a copy of only what the server
has synced; after a kill, that copy is what a machine without power would come back with.
"""

import asyncio
import shutil
import sqlite3
import subprocess
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd
from tests.faults.server_process import BUDGETD, HERE, planted, running

LEAVES = "after a power loss"


async def test_an_answer_before_the_commit_is_caught(database: Path) -> None:
    crowd = Crowd(clients=8, charges_each=50)

    async with running(
        database, program=planted("planted_early_answer"), environment={"EARLY_ANSWER_DIES_AT": "10"}
    ) as server:
        await crowd.charge_at(server.address)
        assert await server.ended() == 137

    missing = [fault for fault in crowd.record.faults_of(database) if "acknowledged and missing" in fault]
    assert missing


async def test_a_power_loss_takes_nothing_acknowledged(database: Path, power_loss: Path) -> None:
    left = await what_a_power_loss_leaves(database, power_loss, BUDGETD)

    assert left == []


async def test_a_power_loss_under_synchronous_normal_is_caught(database: Path, power_loss: Path) -> None:
    left = await what_a_power_loss_leaves(database, power_loss, planted("planted_synchronous_normal"))

    assert [fault for fault in left if "acknowledged and missing" in fault]


@pytest.mark.drill
async def test_power_losses_after_checkpoints_take_nothing_acknowledged(tmp_path: Path, power_loss: Path) -> None:
    for run in range(4):
        folder = tmp_path / str(run)
        folder.mkdir()

        left = await what_a_power_loss_leaves(
            folder / "ledger.db", power_loss, planted("planted_frequent_checkpoints"), acknowledged=1_000 + 300 * run
        )

        assert left == []
        assert entries_without_the_log(folder / LEAVES / "ledger.db") > 0, "the drill was to see a checkpoint"


@pytest.fixture(scope="session")
def power_loss(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library to preload."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: power losses are not rehearsed on this machine")
    library = tmp_path_factory.mktemp("power_loss") / "power_loss.so"
    options = ("-shared", "-fPIC", "-O1", "-Wall", "-Werror")
    subprocess.run([compiler, *options, "-o", library, HERE / "power_loss.c", "-ldl"], check=True)
    return library


async def what_a_power_loss_leaves(
    database: Path, power_loss: Path, program: Sequence[str], *, acknowledged: int = 200
) -> list[str]:
    """Load a server, take its power, and return what of the remains contradicts its callers."""
    leaves = database.parent / LEAVES
    leaves.mkdir()
    crowd = Crowd(clients=16, charges_each=acknowledged)
    environment = {
        "LD_PRELOAD": str(power_loss),
        "POWER_LOSS_OF": str(database.parent.resolve()),
        "POWER_LOSS_LEAVES": str(leaves),
    }
    async with running(database, program=program, environment=environment) as server:
        charging = asyncio.create_task(crowd.charge_at(server.address))
        await crowd.reaches(acknowledged)
        server.kill()
        await charging
    assert crowd.record.faults_of(database) == [], "the kill alone loses nothing"
    return crowd.record.faults_of(leaves / database.name)


def entries_without_the_log(database: Path) -> int:
    """How many entries a checkpoint has moved from the log into the file itself."""
    with closing(sqlite3.connect(f"{database.as_uri()}?immutable=1", uri=True)) as connection:
        (count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
    return int(count)
