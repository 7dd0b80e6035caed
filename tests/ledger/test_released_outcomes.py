"""Outcomes that released programs have stored under request ids: a retry gets the same, number by number."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from budgetd_server.domain.commands import Charge, Request, Requested, Rpc
from budgetd_server.domain.decide import RULES
from budgetd_server.domain.results import (
    Charged,
    Configured,
    Deleted,
    Extended,
    Held,
    Released,
    Result,
    Settled,
    WindowsReset,
)
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from tests.domain.desk import (
    ALICE,
    DAY_US,
    MONDAY_US,
    adjust,
    charge,
    create,
    delete,
    limited,
    reset,
    reset_many,
    reset_on_duration,
    update,
)
from tests.domain.holding_desk import commit_hold, extend_hold, release_hold, reserve
from tests.ledger.older_files import OLDER, make_older
from tests.ledger.stores import carry_out

#: A command of each scope; what it asks for does not matter once its request id is known.
COMMANDS: Mapping[Rpc, Requested[Any]] = {
    Rpc.CREATE_BUDGET: create(),
    Rpc.UPDATE_BUDGET: update(limit=limited(7)),
    Rpc.DELETE_BUDGET: delete(),
    Rpc.UPDATE_COST: charge(5),
    Rpc.ADJUST_COST: adjust(-5),
    Rpc.RESET_COST: reset(),
    Rpc.RESET_ON_DURATION: reset_on_duration(),
    Rpc.RESET_ALL_ON_DURATION: reset_many(ALICE),
    Rpc.RESERVE_COST: reserve(5),
    Rpc.COMMIT_RESERVATION: commit_hold(9, 5),
    Rpc.RELEASE_RESERVATION: release_hold(9),
    Rpc.EXTEND_RESERVATION: extend_hold(9, 5),
}


class Row(NamedTuple):
    """What the first release stored for an outcome, and what it meant."""

    rpc: Rpc
    number: int
    more: str | None
    meant: Result


ROWS = [
    Row(Rpc.CREATE_BUDGET, 0, None, Configured()),
    Row(Rpc.UPDATE_BUDGET, 0, None, Configured()),
    Row(Rpc.DELETE_BUDGET, 12, None, Deleted(budgets_count=12)),
    Row(Rpc.UPDATE_COST, 123457, None, Charged(cost_nano_usd=123457)),
    Row(Rpc.ADJUST_COST, -7, None, Charged(cost_nano_usd=-7)),
    Row(Rpc.RESET_COST, 0, None, Configured()),
    Row(Rpc.RESET_ON_DURATION, 1, None, WindowsReset(budgets_count=1)),
    Row(Rpc.RESET_ALL_ON_DURATION, 5, None, WindowsReset(budgets_count=5)),
    Row(
        Rpc.RESERVE_COST,
        1000,
        "[1790001000000000, 70]",
        Held(granted_nano_usd=1000, expires_at_us=1790001000000000, granted_tokens=70),
    ),
    Row(
        Rpc.COMMIT_RESERVATION,
        400,
        "[600, 0, 0]",
        Settled(cost_nano_usd=400, released_nano_usd=600, overage_nano_usd=0, is_late=False),
    ),
    Row(
        Rpc.COMMIT_RESERVATION,
        1700,
        "[0, 700, 1]",
        Settled(cost_nano_usd=1700, released_nano_usd=0, overage_nano_usd=700, is_late=True),
    ),
    Row(
        Rpc.COMMIT_RESERVATION,
        2,
        "[3, 4, 1]",
        Settled(cost_nano_usd=2, released_nano_usd=3, overage_nano_usd=4, is_late=True),
    ),
    Row(Rpc.RELEASE_RESERVATION, 1000, None, Released(released_nano_usd=1000)),
    Row(Rpc.EXTEND_RESERVATION, 1790000009000000, None, Extended(expires_at_us=1790000009000000)),
]


def test_every_scope_of_request_ids_has_a_released_row_and_one_command() -> None:
    assert {row.rpc for row in ROWS} == COMMANDS.keys() == set(Rpc)
    assert {rpc: type(command) for rpc, command in COMMANDS.items()} == {
        rule.rpc: command for command, rule in RULES.items() if rule.rpc is not None
    }


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.rpc.name} {row.number}")
def test_the_numbers_of_a_result_are_in_the_order_of_the_first_release(row: Row) -> None:
    released = (row.number, *(json.loads(row.more) if row.more else ()))

    kept = type(row.meant).from_numbers(released)

    assert kept == row.meant
    assert [type(value) for value in _values(kept)] == [type(value) for value in _values(row.meant)]
    assert row.meant.to_numbers() == (() if isinstance(row.meant, Configured) else released)


@pytest.mark.parametrize("older", OLDER)
async def test_requests_that_an_older_program_has_stored_get_its_outcomes(tmp_path: Path, older: int) -> None:
    path = tmp_path / "budgetd.db"
    make_older(path, older)
    stored = _put(path, "requests" if older < 3 else "request_ids")

    ledger = await SqliteLedger.open(path, migrates=True)
    outcomes = [
        await carry_out(ledger, _asking(COMMANDS[row.rpc], Request(f"stored-{index}", b"f" * 32)))
        for index, row in enumerate(ROWS)
    ]
    await ledger.close()

    assert stored == len(ROWS)
    assert [(each.result, each.replayed, each.entry_seq) for (each,) in outcomes] == [
        (row.meant, True, 100 + index) for index, row in enumerate(ROWS)
    ]


async def test_outcomes_are_stored_as_the_first_release_did(tmp_path: Path) -> None:
    path = tmp_path / "budgetd.db"
    ledger = await SqliteLedger.open(path)
    await carry_out(ledger, create(limited(5_000, every_us=DAY_US)))
    (hold,) = await carry_out(ledger, reserve(1_000))
    (other,) = await carry_out(ledger, reserve(900))
    await carry_out(ledger, charge(3), commit_hold(hold.entry_seq, 400), release_hold(other.entry_seq))
    await ledger.close()

    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT rpc, result, more FROM request_ids").fetchall()

    expires = f"[{hold.result.expires_at_us}, 0]"
    assert sorted((rpc, result) for rpc, result, more in rows if more is None) == [(1, 0), (4, 3), (11, 900)]
    assert sorted(row for row in rows if row[2] is not None) == [
        (9, 900, expires),
        (9, 1_000, expires),
        (10, 400, "[600, 0, 0]"),
    ]


def _values(result: Result) -> list[object]:
    return [getattr(result, name) for name in result.__slots__]


def _put(path: Path, table: str) -> int:
    """Put the released rows into a file, each under a request id of its own; returns how many there are."""
    rows = [
        (1, int(row.rpc), f"stored-{index}", b"f" * 32, 100 + index, row.number, row.more, MONDAY_US)
        for index, row in enumerate(ROWS)
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows).rowcount


def _asking(command: Requested[Any], request: Request) -> Requested[Any]:
    """The command under another request id."""
    return command._replace(request=request) if isinstance(command, Charge) else replace(command, request=request)  # type: ignore[type-var]
