"""Callers charge a budget while it is moved from one team to the other and back, by two engines on one file."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from budgetd_server.domain.commands import Charge, Command, CreateBudget, Request, UpdateBudget
from budgetd_server.domain.lacking import StoredParts
from budgetd_server.engine.engine import Engine
from budgetd_server.ledger.sqlite import SqliteLedger
from budgetd_server.ledger.sqlite_verify import verify_file
from budgetd_server.metrics import Metrics
from tests.domain.desk import MONDAY_US

PROJECT = "shop"
CALLERS = 16
TEAMS = ("red", "blue")
_numbers = count(1)


def request() -> Request:
    return Request(f"request-{next(_numbers)}", b"digest")


def made(budget_id: str, parent_id: str = "") -> Command:
    return CreateBudget(project_id=PROJECT, budget_id=budget_id, request=request(), labels={}, parent_id=parent_id)


async def charge_while_moving(database: Path, moves: int) -> int:
    """Returns how many charges of 1 nano-USD were acknowledged; the budgets' own sums are compared with the totals."""
    async with AsyncExitStack() as open_ones:  # What stays open after a failure keeps the process from ending.
        ledgers = [await SqliteLedger.open(database, migrates=False) for _ in range(2)]
        engines = [Engine(ledger, lambda: MONDAY_US, Metrics()) for ledger in ledgers]
        for ledger, engine in zip(ledgers, engines, strict=True):
            open_ones.push_async_callback(ledger.close)
            open_ones.push_async_callback(engine.drain)
            engine.start()
        charges = await _charged_while_moving(engines, moves)
        places = [(PROJECT, budget_id) for budget_id in ("org", *TEAMS, "bob")]
        for budget in (await ledgers[0].load_budgets(places, places)).values():
            by_model = sum(sums.cost_nano_usd for sums in budget.models.values())
            assert by_model == budget.main.sums.cost_nano_usd == budget.lifetime_cost_nano_usd, budget.budget_id
    assert list(verify_file(database).deviations) == []
    return charges


async def _charged_while_moving(engines: Sequence[Engine], moves: int) -> int:
    for command in (made("org"), made("red", "org"), made("blue", "org"), made("bob", "red")):
        await engines[0].submit(command)
    is_over, charged = asyncio.Event(), count()

    async def charge(engine: Engine, number: int) -> None:
        await engine.submit(Charge(PROJECT, "bob", request(), 1, f"m{number % 3}", wants_limits=False))
        next(charged)

    async def call(number: int) -> None:
        while not is_over.is_set():
            await charge(engines[number % 2], number)

    callers = [asyncio.create_task(call(number)) for number in range(CALLERS)]
    for number in range(moves):
        parent_id = TEAMS[(number + 1) % 2]
        move = UpdateBudget(project_id=PROJECT, budget_id="bob", request=request(), parent_id=parent_id)
        engine = engines[number // 2 % 2]
        # A charge right behind the move, so that both are in one batch, however busy the machine is.
        await asyncio.gather(engine.submit(move), charge(engine, number))
    is_over.set()
    await asyncio.gather(*callers)
    return next(charged)


async def test_sums_by_model_equal_the_totals_of_teams_between_which_a_budget_is_moved(database: Path) -> None:
    assert await charge_while_moving(database, 20) > 0


async def test_sums_that_a_move_in_the_same_batch_makes_anew_are_found(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoredParts, "look_for", lambda *_: None)

    with pytest.raises(AssertionError):
        await charge_while_moving(database, 20)


@pytest.mark.drill
async def test_sums_by_model_equal_the_totals_after_200_moves_under_16_callers(
    database: Path, figure: Callable[[str], None]
) -> None:
    charges = await charge_while_moving(database, 200)

    figure(f"200 moves of a budget that {CALLERS} callers charged {charges:,} times: sums by model equal the totals")
