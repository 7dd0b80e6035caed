"""kill -9 under load: whatever was acknowledged is there, and whatever was not lands at most once.

A plain kill does not lose what the system has taken over from the process, so these drills cannot see an answer before
the commit; `test_planted_losses.py` can, and shows that this file's judge would.
"""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.crowd import Crowd
from tests.faults.server_process import run_to_end, running


async def test_two_kills_lose_nothing_acknowledged(database: Path) -> None:
    crowd = Crowd(clients=16, charges_each=25)

    await charge_through_kills(database, crowd, kills_at=[80, 240])

    assert crowd.record.faults_of(database) == []


@pytest.mark.drill
async def test_twenty_kills_under_64_clients_lose_nothing_acknowledged(
    database: Path, figure: Callable[[str], None]
) -> None:
    crowd = Crowd(clients=64, charges_each=200)

    await charge_through_kills(database, crowd, kills_at=range(300, 12_600, 640))

    assert crowd.record.faults_of(database) == []
    code, output, _ = await run_to_end("verify", "--database", str(database))
    assert (code, output) == (0, "1 budget, 12801 entries, 0 reservations, 12801 request ids: 0 deviations\n")
    figure(f"{crowd.replays} charges were committed and not acknowledged before a kill")


async def charge_through_kills(database: Path, crowd: Crowd, *, kills_at: range | list[int]) -> None:
    """Charge to the end, through kills when so many charges were acknowledged, and judge after each."""
    moment = random.Random(len(kills_at))
    for kill_at in kills_at:
        async with running(database) as server:
            charging = asyncio.create_task(crowd.charge_at(server.address))
            await crowd.reaches(kill_at)
            # Not always right after an answer: anywhere in a batch.
            await asyncio.wait([charging], timeout=moment.uniform(0, 0.01))
            assert not charging.done(), "the load was to be under way"
            server.kill()
            await charging
            assert await server.ended() == -9
        assert crowd.record.faults_of(database) == []
    async with running(database) as server:
        await crowd.charge_at(server.address)
        assert crowd.record.is_settled()
        server.kill()
