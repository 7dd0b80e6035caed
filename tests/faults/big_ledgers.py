"""Files as large as a year of use leaves them, made by the rules themselves, without a call for each entry."""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from random import Random

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import Charge, CreateBudget, LimitDraft, Request
from budgetd_server.domain.decide import decide
from budgetd_server.domain.state import Project, State
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime, Window
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.save import SqliteSave
from budgetd_server.ledger.sqlite.statements import SqliteStatements
from tests.faults.calls import PROJECT

#: The project and the parent of `make_family`.
FAMILY, PARENT = "family", "parent"
DAY_US = 86_400 * 1_000_000
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4", "o3", "")
AMOUNT_NANO_USD = 10**18
_AT_ONCE = 20_000


def make_daily_budgets(path: Path, *, budgets: int, end_at_us: int, others: int) -> None:
    """A file with budgets whose daily window ends at one moment, and others that know no days; nothing is spent."""
    created_at_us = end_at_us - DAY_US // 2
    day = Fixed(length_us=DAY_US, anchor_at_us=end_at_us)
    commands = [
        *(_creation(other_id(number), Lifetime()) for number in range(others)),
        *(_creation(f"daily-{number}", day) for number in range(budgets)),
    ]
    _make(path, commands, created_at_us)


def make_family(path: Path, *, children: int, others: int) -> None:
    """A file with a parent of so many budgets in a project of its own, and others in the usual one, all unspent."""
    commands = [
        *(_creation(other_id(number), Lifetime()) for number in range(others)),
        _member(PARENT, ""),
        *(_member(f"child-{number}", PARENT) for number in range(children)),
    ]
    _make(path, commands, 0)


def make_charged_budget(path: Path, budget_id: str, *, charges: int, at_us: int) -> None:
    """A file with one budget and so many charges of random costs, tokens and models on it.

    Their request ids are no longer kept.
    """
    random = Random(charges)
    commands = (_charge(random, budget_id, number) for number in range(charges))
    _make(path, [_creation(budget_id, Lifetime())], at_us, commands)


def other_id(number: int) -> str:
    """The id of a budget of `make_daily_budgets` without a daily window."""
    return f"other-{number}"


def _member(budget_id: str, parent_id: str) -> CreateBudget:
    created = _creation(budget_id, Lifetime())
    return replace(created, project_id=FAMILY, parent_id=parent_id)


def _make(path: Path, creations: Iterable[CreateBudget], now_us: int, charges: Iterable[Charge] = ()) -> None:
    open_file(path, migrates=False)
    connection = connect(path)
    save = SqliteSave(SqliteStatements())
    state = State()
    state.add_project(Project(PROJECT, 1, is_new=True))
    state.add_project(Project(FAMILY, 2, is_new=True))
    try:
        for number, command in enumerate(creations, start=1):
            decide(state, command, now_us)
            if number % _AT_ONCE == 0:
                _write(connection, save, state)
        _write(connection, save, state)
        for number, charge in enumerate(charges, start=1):
            decide(state, charge, now_us)
            if number % _AT_ONCE == 0:
                state.new_requests.clear()
                _write(connection, save, state)
        state.new_requests.clear()
        _write(connection, save, state)
    finally:
        connection.close()


def _write(connection: sqlite3.Connection, save: SqliteSave, state: State) -> None:
    """Write what is new, and go on as if it had just been loaded."""
    connection.execute("BEGIN IMMEDIATE")
    save.changes(connection, state)
    connection.execute("COMMIT")
    state.new_entries.clear()
    state.new_requests.clear()
    state.requests.clear()
    for project in state.projects.values():
        project.is_new = project.is_new and not project.last_seq
    for budget in state.by_key.values():
        budget.is_new = budget.is_configured = budget.is_counted = budget.is_models_cleared = False


def _creation(budget_id: str, window: Window) -> CreateBudget:
    return CreateBudget(
        project_id=PROJECT,
        budget_id=budget_id,
        request=Request(f"create-{budget_id}", bytes(32)),
        limits=(LimitDraft(limit=Limit(amount=AMOUNT_NANO_USD, window=window)),),
        labels={},
    )


def _charge(random: Random, budget_id: str, number: int) -> Charge:
    usage = None if number % 10 == 0 else Usage(random.randrange(2_000), random.randrange(1_000))
    cost_nano_usd = random.randrange(1, 10**7)
    request = Request(f"made-{number}", bytes(32))
    return Charge(PROJECT, budget_id, request, cost_nano_usd, random.choice(MODELS), usage, wants_limits=False)
