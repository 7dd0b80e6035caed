"""Clocks that step back across the end of a window and forward again: nothing is wiped, nothing is counted twice.

Whether one server's clock is set back or two servers on one file disagree by an hour is all the same to the counter:
it receives times that go back and forth.
"""

import random
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from tests.faults.calls import BUDGET, DAILY, PROJECT, charge, cost_of, fixed, new_budget
from tests.faults.checker import Record
from tests.faults.server_inside import Inside, serving

HOUR = timedelta(hours=1)
MIDNIGHT = datetime(2026, 3, 4, tzinfo=ZoneInfo("Europe/Berlin"))

WINDOWS = [
    pytest.param(DAILY, MIDNIGHT, id="calendar days in Berlin"),
    pytest.param(fixed(length_seconds=86_400), MIDNIGHT + HOUR, id="fixed windows of a day"),
    pytest.param(fixed(length_seconds=3_600), MIDNIGHT, id="fixed windows of an hour"),
    pytest.param(fixed(length_seconds=7 * 86_400), MIDNIGHT + timedelta(days=1) + HOUR, id="fixed windows of a week"),
]


class Clock:
    """A clock that is set by hand."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> int:
        """Microseconds since the Unix epoch."""
        return round(self.now.timestamp()) * 1_000_000


class Servers:
    """Servers on one file, each with a clock of its own, and the record of one budget."""

    def __init__(self, clocks: list[Clock], insides: list[Inside]) -> None:
        self.clocks = clocks
        self.insides = insides
        self.record = Record()

    async def charge(self, server: int, at: datetime, cost_nano_usd: int) -> None:
        """Charge at a server whose clock shows that time."""
        self.clocks[server].now = at
        request_id = f"c-{len(self.record.sent)}"
        self.record.send(request_id, cost_nano_usd)
        answer = await self.insides[server].stub.UpdateCost(charge(request_id, cost_nano_usd))
        self.record.acknowledge(request_id, answer.entry_id)

    async def spent(self, server: int, at: datetime) -> tuple[int, int]:
        """What is spent in the window, and over the lifetime, according to a server whose clock shows that time."""
        self.clocks[server].now = at
        answer = await self.insides[server].stub.GetCurrentCost(cost_of())
        return answer.current_cost_nano_usd, answer.lifetime_cost_nano_usd

    async def resets(self) -> list[pb.Entry]:
        """The entries that say that a window has ended."""
        request = service.ListEntriesRequest(project_id=PROJECT, budget_id=BUDGET, kinds=[pb.ENTRY_KIND_RESET])
        return list((await self.insides[0].stub.ListEntries(request)).entries)


@pytest.mark.parametrize("count", [pytest.param(1, id="one server"), pytest.param(2, id="two servers")])
@pytest.mark.parametrize(("window", "end"), WINDOWS)
async def test_a_clock_that_steps_back_an_hour_over_a_windows_end_and_forward_again_wipes_nothing(
    database: Path, window: pb.Window, end: datetime, count: int
) -> None:
    before, after = end - timedelta(minutes=10), end + timedelta(minutes=10)
    slow = count - 1  # With two servers, it is the second one's clock that shows the hour before.
    async with AsyncExitStack() as stack:
        servers = await started(stack, database, count, window, before)
        await servers.charge(0, before, 1_000)
        assert await servers.spent(0, before) == (1_000, 1_000)

        await servers.charge(0, after, 100)
        assert await servers.spent(0, after) == (100, 1_100)
        await servers.charge(slow, after - HOUR, 10)
        assert await servers.spent(slow, after - HOUR) == (110, 1_110)
        await servers.charge(0, after + timedelta(minutes=1), 1)
        assert await servers.spent(0, after + timedelta(minutes=1)) == (111, 1_111)

        assert len(await servers.resets()) == 1
    faults = servers.record.faults_of(database)
    assert faults == ["the window's count is 111, and the sum of its entries is 1111"]


@pytest.mark.parametrize(("window", "end"), WINDOWS)
async def test_two_clocks_an_hour_apart_that_take_turns_end_a_window_once(
    database: Path, window: pb.Window, end: datetime
) -> None:
    async with AsyncExitStack() as stack:
        servers = await started(stack, database, 2, window, end - timedelta(minutes=40))
        for minute in range(-30, 60, 3):
            fast = end + timedelta(minutes=minute)
            await servers.charge(0, fast, 1)
            await servers.charge(1, fast - HOUR, 1)

        # Ten turns of two charges before the end by the fast clock, and twenty from it on.
        assert await servers.spent(0, end + timedelta(minutes=59)) == (40, 60)
        assert await servers.spent(1, end - timedelta(minutes=1)) == (40, 60)
        assert len(await servers.resets()) == 1


@pytest.mark.drill
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("window", "end"), WINDOWS[:2])
async def test_clocks_that_jump_at_random_by_less_than_a_window_never_wipe_a_count(
    database: Path, window: pb.Window, end: datetime, seed: int
) -> None:
    chance = random.Random(seed)
    expected, lifetime, newest_end = 0, 0, end
    async with AsyncExitStack() as stack:
        servers = await started(stack, database, 2, window, end - 2 * HOUR)
        for step in range(150):
            drift = timedelta(minutes=chance.randint(-600, 600))
            at = end - HOUR + timedelta(minutes=20 * step) + drift
            cost_nano_usd = chance.randint(1, 1_000)
            while at >= newest_end:  # Only a time past the newest window seen so far begins another.
                newest_end += timedelta(days=1)
                expected = 0
            expected, lifetime = expected + cost_nano_usd, lifetime + cost_nano_usd

            await servers.charge(chance.randrange(2), at, cost_nano_usd)

            assert await servers.spent(chance.randrange(2), at) == (expected, lifetime), f"step {step}, seed {seed}"


async def started(stack: AsyncExitStack, database: Path, count: int, window: pb.Window, at: datetime) -> Servers:
    """Servers on one file whose clocks show the same time, and a budget with that window."""
    clocks = [Clock(at) for _ in range(count)]
    insides = [await stack.enter_async_context(serving(database, clock=clock)) for clock in clocks]
    await insides[0].stub.CreateBudget(new_budget(window=window))
    return Servers(clocks, insides)
