"""Makes ledgers with many budgets and entries by the domain's own rules, once for each size."""

import asyncio
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from random import Random

from bench.messages import COST_NANO_USD, MODELS, PROJECT, USAGE, budget_id, uuid7
from budgetd_server.core import system_clock_us
from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import Charge, CreateBudget, LimitDraft
from budgetd_server.domain.decide import decide
from budgetd_server.domain.state import Project, State
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed
from budgetd_server.engine.engine import Engine
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.save import SqliteSave
from budgetd_server.ledger.sqlite.statements import SqliteStatements
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.request_ids import request_of

_BUDGETS_A_COMMIT = 10_000
_CHARGES_AT_ONCE = 8_000
#: BudgetManager's monthly window. No budget comes near its limit.
MONTH_US = 28 * 24 * 3_600 * 1_000_000
LIMIT_NANO_USD = 10**18


class Ledgers:
    """Files to measure on. Those of one size are copies of a file that is made on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._copies = 0

    def with_budgets(self, budgets: int, *, entries: int = 0) -> Path:
        """Return a new file with `budgets` budgets and, in addition to their entries of creation, `entries` charges."""
        template = self._folder / f"template-{budgets}-{entries}.db"
        if not template.exists():
            unfinished = template.with_suffix(".unfinished")
            make_ledger(unfinished, budgets=budgets, entries=entries)
            unfinished.rename(template)
        self._copies += 1
        copy = self._folder / f"ledger-{self._copies}.db"
        shutil.copyfile(template, copy)
        return copy


def make_ledger(path: Path, *, budgets: int, entries: int = 0) -> None:
    """Make a file of that size, as the server would have written it, but without a call for each budget."""
    open_file(path, migrates=False)
    connection = connect(path)
    try:
        for first in range(0, budgets, _BUDGETS_A_COMMIT):
            _create(connection, range(first, min(first + _BUDGETS_A_COMMIT, budgets)))
    finally:
        connection.close()
    if entries:
        asyncio.run(_charge(path, budgets=budgets, entries=entries))


def charges_in(path: Path) -> int:
    """Count the charges in a file. A server may have it open."""
    connection = connect(path, is_reader=True)
    try:
        (count,) = connection.execute("SELECT count(*) FROM entries WHERE kind = 1").fetchone()
    finally:
        connection.close()
    return int(count)


def _create(connection: sqlite3.Connection, numbers: range) -> None:
    state = State()
    # Each existing budget has one entry, that of its creation.
    state.add_project(Project(PROJECT, 1, numbers.start, numbers.start, is_new=numbers.start == 0))
    now_us = system_clock_us()
    for number in numbers:
        decide(state, _creation(number), now_us)
    connection.execute("BEGIN IMMEDIATE")
    SqliteSave(SqliteStatements()).changes(connection, state)
    connection.execute("COMMIT")


def _creation(number: int) -> CreateBudget:
    limit = Limit(amount=LIMIT_NANO_USD, window=Fixed(length_us=MONTH_US, anchor_at_us=0))
    return CreateBudget(
        project_id=PROJECT,
        budget_id=budget_id(number),
        request=request_of(uuid7(), "bench", number),
        limits=(LimitDraft(limit=limit, anchors_at_creation=True),),
        labels={},
    )


async def _charge(path: Path, *, budgets: int, entries: int) -> None:
    ledger = await SqliteLedger.open(path)
    engine = Engine(ledger, system_clock_us, Metrics())
    engine.start()
    random = Random(budgets)
    for first in range(0, entries, _CHARGES_AT_ONCE):
        await engine.submit_many(_charges(random, min(_CHARGES_AT_ONCE, entries - first), budgets))
    await engine.drain()
    await ledger.close()


def _charges(random: Random, count: int, budgets: int) -> Sequence[Charge]:
    return [
        Charge(
            PROJECT,
            budget_id(random.randrange(budgets)),
            request_of(uuid7(), "bench"),
            COST_NANO_USD,
            random.choice(MODELS),
            Usage(*USAGE),
            wants_limits=False,
        )
        for _ in range(count)
    ]
