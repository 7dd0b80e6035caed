"""Ledgers with many budgets and entries, made by the engine itself, once for each size."""

import asyncio
import shutil
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.messages import COST_NANO_USD, MODELS, PROJECT, budget_id, uuid7
from budgetd_server.app import system_clock_us
from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import Charge, CreateBudget, LimitDraft
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed
from budgetd_server.engine.engine import Engine
from budgetd_server.ledger.sqlite import SqliteLedger
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.request_ids import request_of

_STEP = 1_000
_BATCH = 8_000
_USAGE = Usage(1200, 340)
#: BudgetManager's monthly window. No budget comes near its limit.
MONTH_US = 28 * 24 * 3_600 * 1_000_000
LIMIT_NANO_USD = 10**18


class Ledgers:
    """Files to measure on; those of one size are copies of one that is made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies = 0

    def with_budgets(self, budgets: int, *, entries: int = 0) -> Path:
        """A file of its own with so many budgets and, beside the entries of their making, so many charges."""
        template = self._folder / f"template-{budgets}-{entries}.db"
        if not template.exists():
            unfinished = template.with_suffix(".unfinished")
            asyncio.run(fill(unfinished, budgets=budgets, entries=entries))
            unfinished.rename(template)
        self._copies += 1
        copy = self._folder / f"ledger-{self._copies}.db"
        shutil.copyfile(template, copy)
        return copy


async def fill(path: Path, *, budgets: int, entries: int) -> None:
    """Make a ledger of that size."""
    ledger = await SqliteLedger.open(path)
    engine = Engine(ledger, system_clock_us, Metrics())
    engine.start()
    try:
        for first in range(0, budgets, _STEP):
            numbers = range(first, min(first + _STEP, budgets))
            await asyncio.gather(*(engine.submit(_creation(number)) for number in numbers))
        random = Random(budgets)
        for first in range(0, entries, _BATCH):
            count = min(_BATCH, entries - first)
            await engine.submit_many(_charges(random, count, budgets))
    finally:
        await engine.drain()
        await ledger.close()


def _creation(number: int) -> CreateBudget:
    limit = Limit(amount=LIMIT_NANO_USD, window=Fixed(length_us=MONTH_US, anchor_at_us=0))
    return CreateBudget(
        project_id=PROJECT,
        budget_id=budget_id(number),
        request=request_of(uuid7(), "bench", number),
        main_limit=LimitDraft(limit=limit, anchors_at_creation=True),
        labels={},
    )


def _charges(random: Random, count: int, budgets: int) -> Sequence[Charge]:
    return [
        Charge(
            PROJECT,
            budget_id(random.randrange(budgets)),
            request_of(uuid7(), "bench"),
            COST_NANO_USD,
            random.choice(MODELS),
            _USAGE,
            wants_limits=False,
        )
        for _ in range(count)
    ]
