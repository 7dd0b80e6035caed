"""A limit that is added to a budget with a long ledger counts what was there, while charges go on as before."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.core import system_clock_us
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from tests.faults.big_ledgers import AMOUNT_NANO_USD, make_charged_budget
from tests.faults.calls import BUDGET, DAY_SECONDS, PROJECT, fixed, stub_for
from tests.faults.checker import deviations_of
from tests.faults.server_process import running
from tests.faults.steady_load import compared, quantile, steady_load

#: How much longer than before a charge may take while a limit is counted, at p99.
SLOWER_SECONDS_MAX = 0.1
COUNT_SECONDS_MAX = 180
SETTLE_SECONDS = 0.5

MAIN = pb.Limit(amount=AMOUNT_NANO_USD, window=pb.Window(lifetime=pb.LifetimeWindow()))
#: Ten years from the epoch on, again and again: one of them holds all entries.
DECADE = fixed(length_seconds=3_650 * DAY_SECONDS)
MONEY = pb.Limit(limit_id="decade", amount=AMOUNT_NANO_USD, window=DECADE)
TOKENS = pb.Limit(limit_id="tokens", unit=pb.UNIT_TOKENS, amount=AMOUNT_NANO_USD, window=DECADE, models=["gpt-*", "o3"])

_SUMS = """
SELECT model, sum(cost_nano_usd), sum(coalesce(input_tokens, 0) + coalesce(output_tokens, 0))
  FROM entries GROUP BY model
"""


async def test_named_limits_that_are_added_under_load_count_ten_thousand_entries_exactly(
    database: Path, figure: Callable[[str], None]
) -> None:
    await add_limits_under_load(database, figure, charges=10_000, before_seconds=1.0)


@pytest.mark.drill
async def test_named_limits_that_are_added_to_a_million_entries_slow_charges_by_less_than_100_ms(
    database: Path, figure: Callable[[str], None]
) -> None:
    before, during = await add_limits_under_load(database, figure, charges=1_000_000, before_seconds=8.0)

    assert quantile(during, 0.99) <= quantile(before, 0.99) + SLOWER_SECONDS_MAX


async def add_limits_under_load(
    database: Path, figure: Callable[[str], None], *, charges: int, before_seconds: float
) -> tuple[list[float], list[float]]:
    """Charge before limits are added and while they are; how long the charges took in both."""
    make_charged_budget(database, BUDGET, charges=charges, at_us=system_clock_us())
    async with running(database) as server, stub_for(server.address) as stub:
        async with steady_load(server.address, [BUDGET]) as load:
            await asyncio.sleep(SETTLE_SECONDS)
            began = time.monotonic()
            await asyncio.sleep(before_seconds)
            asked = time.monotonic()
            await stub.UpdateBudget(with_limits(MAIN, MONEY, TOKENS), timeout=COUNT_SECONDS_MAX)
            added = time.monotonic()
        server.terminate()
        assert await server.ended() == 0
    spent = await spent_by_limit(database)  # Now, since charges whose callers have gone may have been on their way.
    before, during = load.seconds(began, asked), load.seconds(asked, added)
    figure(
        f"{compared(f'while limits of {charges} entries are counted', before, during)}; "
        f"counted in {added - asked:.2f} s, {charges / (added - asked):.0f} a second"
    )

    assert spent == sums_of_entries(database)
    assert deviations_of(database) == []
    return before, during


def with_limits(*limits: pb.Limit) -> service.UpdateBudgetRequest:
    budget = pb.Budget(project_id=PROJECT, budget_id=BUDGET, limits=limits)
    return service.UpdateBudgetRequest(budget=budget, update_mask=FieldMask(paths=["limits"]), request_id="add-limits")


async def spent_by_limit(database: Path) -> Mapping[str, int]:
    ledger = await SqliteLedger.open(database)
    budgets = await ledger.load_budgets([(PROJECT, BUDGET)])
    await ledger.close()
    counters = budgets[(PROJECT, BUDGET)].counters()
    return {counter.limit.limit_id: counter.spent for counter in counters if counter.limit is not None}


def sums_of_entries(database: Path) -> Mapping[str, int]:
    """The counts that the limits must have, from every entry of the file."""
    with closing(sqlite3.connect(database)) as connection:
        sums = connection.execute(_SUMS).fetchall()
    money = sum(cost_nano_usd for _, cost_nano_usd, _ in sums)
    tokens = sum(count for model, _, count in sums if model.startswith("gpt-") or model == "o3")
    return {"": money, "decade": money, "tokens": tokens}
