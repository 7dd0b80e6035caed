"""The sweeper: untouched holds expire and untouched windows roll, once, with any number of sweepers."""

import asyncio
from typing import Any

import pytest

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import CommitReservation, Outcome, ReserveCost, Sweep
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.domain.queries import EntryQuery
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.window import Fixed
from budgetd_server.engine import sweeper as sweepers
from budgetd_server.engine.sweeper import Sweeper
from tests.engine.callers import soon
from tests.engine.conftest import Bench
from tests.rpc.running_server import DAY_US, NOW_US, PROJECT

DAILY = Limit(amount=1_000, window=Fixed(length_us=DAY_US, anchor_at_us=NOW_US))
MINUTELY = Limit(amount=1_000, window=Fixed(length_us=60_000_000, anchor_at_us=NOW_US))


async def hold(bench: Bench, amount: int = 5, on_expiry: OnExpiry = OnExpiry.RELEASE) -> int:
    """A hold of ten minutes; returns its number."""
    command = ReserveCost(
        project_id=PROJECT,
        budget_id="alice",
        request=bench.request(),
        amount_nano_usd=amount,
        ttl_us=600_000_000,
        on_expiry=on_expiry,
    )
    return (await bench.engine.submit(command)).entry_seq


async def test_what_settled_holds_have_cost_is_counted_as_spent_once(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    settling = [
        CommitReservation(
            project_id=PROJECT, reservation_seq=await hold(bench), request=bench.request(), cost_nano_usd=cost
        )
        for cost in (7, 4)
    ]

    for command in (*settling, settling[0]):
        await bench.engine.submit(command)

    assert bench.value("budgetd_charged_nano_usd_total") == 7 + 4


async def resets(bench: Bench, budget_id: str = "") -> list[tuple[Cause, int]]:
    """The causes and skipped windows of all RESET entries, oldest first."""
    query = EntryQuery(project_id=PROJECT, budget_id=budget_id, kinds=(EntryKind.RESET,))
    page = await bench.engine.list_entries(query)
    return [(entry.cause, entry.windows_skipped) for _, entry in page.entries][::-1]


async def test_a_hold_that_is_not_settled_is_released_when_it_expires(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    seq = await hold(bench)
    assert await bench.engine.sweeper.sweep() == 0

    bench.clock.advance(seconds=600)
    assert await bench.engine.sweeper.sweep() == 1

    reservation, _ = await bench.engine.reservation(PROJECT, seq)
    status = await bench.engine.budget(PROJECT, "alice")
    assert reservation.state is ReservationState.EXPIRED
    assert (status.limits[0].held, status.limits[0].spent) == (0, 0)
    assert bench.value("budgetd_holds_total", result="expired") == 1


async def test_a_hold_that_is_to_be_booked_at_its_time_is(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    await hold(bench, on_expiry=OnExpiry.COMMIT)

    bench.clock.advance(seconds=600)
    await bench.engine.sweeper.sweep()

    assert await bench.spent() == 5


async def test_a_silent_window_is_rolled_once_and_the_entry_has_how_many_were_skipped(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    await bench.engine.submit(bench.charge(5))
    bench.clock.advance(days=3, seconds=3_600)

    for _ in range(3):
        await bench.engine.sweeper.sweep()

    assert await resets(bench) == [(Cause.WINDOW_ENDED, 2)]


async def test_windows_below_an_hour_roll_on_touch_alone(bench: Bench) -> None:
    await bench.create(limit=MINUTELY)
    bench.clock.advance(seconds=18_000)

    assert await bench.engine.sweeper.sweep() == 0
    await bench.engine.submit(bench.charge(1))
    assert len(await resets(bench)) == 1


async def test_many_sweepers_at_once_write_each_roll_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweepers, "STEP_MAX", 3)
    for number in range(10):
        await bench.create(f"budget {number}", limit=DAILY)
    bench.clock.advance(days=1)
    others = [Sweeper(bench.ledger, bench.engine.submit, bench.clock) for _ in range(5)]

    await asyncio.gather(*(each.sweep() for each in others))

    assert await resets(bench) == [(Cause.WINDOW_ENDED, 0)] * 10


async def test_a_step_that_fails_by_an_internal_error_keeps_no_other_from_its_turn(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweepers, "STEP_MAX", 1)
    for name in ("first", "second"):
        await bench.create(name, limit=DAILY)
    bench.clock.advance(days=1)

    async def mistaken(step: Sweep) -> Outcome[Any]:
        assert list(step.budget_ids) != ["first"], "a planted bug"
        return await bench.engine.submit(step)

    assert await Sweeper(bench.ledger, mistaken, bench.clock).sweep() == 1
    assert len(await resets(bench, "second")) == 1
    assert await resets(bench, "first") == []


async def test_a_store_that_is_away_does_not_end_the_sweeper(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    seq = await hold(bench)
    bench.clock.advance(seconds=600)
    bench.ledger.failures.append(StoreUnavailable("away", metadata={"kind": "busy"}))
    sweeper = Sweeper(bench.ledger, bench.engine.submit, bench.clock, sweep_seconds=0.001)

    sweeper.start()

    async def until_expired() -> None:
        while (await bench.engine.reservation(PROJECT, seq))[0].is_open:
            await asyncio.sleep(0.001)

    await soon(until_expired())
    await sweeper.stop()
    assert not bench.ledger.failures
