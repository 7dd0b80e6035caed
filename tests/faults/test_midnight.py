"""Midnight: the daily windows of many budgets end at one moment, and charges of others go on as before.

The server's clock is wrong on purpose: it shows the hour before, and midnight when the drill is ready for it.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.core import system_clock_us
from budgetd_server.domain.entry import EntryKind
from budgetd_server.ledger.sqlite.file import connect
from tests.faults.big_ledgers import make_daily_budgets, other_id
from tests.faults.checker import deviations_of
from tests.faults.planted_clock import ClockFile
from tests.faults.server_process import ServerProcess, planted, running
from tests.faults.steady_load import compared, quantile, steady_load

MIDNIGHT_US = 1_800_057_600 * 1_000_000
OTHERS = 50
#: How much longer than before a charge may take while budgets are swept, at p99.
SLOWER_SECONDS_MAX = 0.1
SWEPT_SECONDS_MAX = 240
AN_HOUR_US = 3_600 * 1_000_000
#: For connections to open.
SETTLE_SECONDS = 0.5

_IS_ANY_DUE = """
SELECT EXISTS (SELECT 1 FROM counters INDEXED BY counters_by_window_end WHERE is_swept = 1 AND window_end_at_us <= ?)
"""
_RESETS = """
SELECT b.budget_id, e.resets
  FROM (SELECT project_key, budget_key, count(*) AS resets FROM entries WHERE kind = ? GROUP BY 1, 2) AS e
  JOIN budgets AS b USING (project_key, budget_key)
"""


async def test_a_thousand_daily_budgets_are_each_reset_once_at_midnight_while_others_are_charged(
    database: Path, figure: Callable[[str], None]
) -> None:
    await pass_midnight(database, figure, budgets=1_000, before_seconds=1.0)


@pytest.mark.drill
async def test_midnight_with_100_000_daily_budgets_slows_charges_of_others_by_less_than_100_ms(
    database: Path, figure: Callable[[str], None]
) -> None:
    before, during = await pass_midnight(database, figure, budgets=100_000, before_seconds=8.0)

    assert quantile(during, 0.99) <= quantile(before, 0.99) + SLOWER_SECONDS_MAX


async def pass_midnight(
    database: Path, figure: Callable[[str], None], *, budgets: int, before_seconds: float
) -> tuple[list[float], list[float]]:
    """Charge before midnight and while budgets are swept; how long the charges took in both."""
    make_daily_budgets(database, budgets=budgets, end_at_us=MIDNIGHT_US, others=OTHERS)
    clock = ClockFile(database.with_suffix(".clock"), MIDNIGHT_US - system_clock_us() - AN_HOUR_US)
    async with running(database, program=planted("planted_clock"), environment=clock.environment) as server:
        async with steady_load(server.address, [other_id(number) for number in range(OTHERS)]) as load:
            await asyncio.sleep(SETTLE_SECONDS)
            began = time.monotonic()
            await asyncio.sleep(before_seconds)
            clock.set_ahead(MIDNIGHT_US - system_clock_us())
            midnight = time.monotonic()
            async with asyncio.timeout(SWEPT_SECONDS_MAX):
                await nothing_is_due(database)
            swept = time.monotonic()
        await end_in_order(server)
    before, during = load.seconds(began, midnight), load.seconds(midnight, swept)
    report(figure, before, during, budgets=budgets, swept_seconds=swept - midnight)

    assert resets_in(database) == {f"daily-{number}": 1 for number in range(budgets)}
    assert deviations_of(database) == []
    return before, during


def report(
    figure: Callable[[str], None], before: list[float], during: list[float], *, budgets: int, swept_seconds: float
) -> None:
    figure(
        f"{compared(f'while {budgets} budgets are swept', before, during)}; "
        f"swept in {swept_seconds:.1f} s, {budgets / swept_seconds:.0f} a second"
    )


async def nothing_is_due(database: Path) -> None:
    """Return when no window that has ended is still to be swept."""
    with closing(connect(database, is_reader=True)) as connection:
        while connection.execute(_IS_ANY_DUE, (MIDNIGHT_US,)).fetchone()[0]:
            await asyncio.sleep(0.1)


def resets_in(database: Path) -> dict[str, int]:
    """How many resets each budget has had, of those that have had any."""
    with closing(sqlite3.connect(database)) as connection:
        return dict(connection.execute(_RESETS, (int(EntryKind.RESET),)))


async def end_in_order(server: ServerProcess) -> None:
    server.terminate()
    assert await server.ended() == 0
    assert [line for line in server.lines if '"level": "info"' not in line] == []
