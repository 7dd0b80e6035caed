"""`budgetd verify` names what does not agree: each deviation is planted, and must be reported."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.ledger.sqlite.verify import verify_file
from tests.faults.calls import charge, new_budget
from tests.faults.server_inside import serving
from tests.faults.server_process import run_to_end

ALLOW_CHANGES = "DROP TRIGGER entries_are_never_changed; DROP TRIGGER entries_are_never_deleted;"
MAIN_COUNT = "is_model = 0 AND budget_key = 1"
#: The third charge once more, as the newest entry, with the main counts as if it had happened twice.
COUNT_TWICE = """
INSERT INTO entries (
    project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd, model, request_id
) SELECT project_key, 6, budget_key, 4, kind, created_at_us, cost_nano_usd, model, request_id
    FROM entries WHERE seq = 4;
UPDATE counters SET cost_nano_usd = 90, lifetime_cost_nano_usd = 90, calls = 4, last_seq = 6
 WHERE is_model = 0 AND budget_key = 1;
"""
COUNT, MODELS, LIFETIME = (
    "1: a count is the sum of its entries",
    "1: a model's part is the sum of its entries",
    "2: a lifetime is the sum of all",
)


@pytest.fixture
async def ledger(database: Path) -> Path:
    """A file with two budgets: one of three charges of 10, 20 and 30 nano-USD (entries 2 to 4), one of none."""
    async with serving(database) as inside:
        await inside.stub.CreateBudget(new_budget())
        for number in (1, 2, 3):
            await inside.stub.UpdateCost(charge(f"r-{number}", 10 * number))
        await inside.stub.CreateBudget(new_budget("bob"))
    return database


@pytest.mark.parametrize(
    ("tampering", "invariant", "found", "expected"),
    [
        pytest.param(
            f"UPDATE counters SET cost_nano_usd = 61 WHERE {MAIN_COUNT}", COUNT, 61, 60, id="a count that is altered"
        ),
        pytest.param(f"UPDATE counters SET calls = 2 WHERE {MAIN_COUNT}", COUNT, 2, 3, id="calls that are altered"),
        pytest.param(
            "UPDATE counters SET cost_nano_usd = 59 WHERE is_model = 1", MODELS, 59, 60, id="a model that is altered"
        ),
        pytest.param("DELETE FROM counters WHERE is_model = 1", MODELS, 0, 60, id="a model that is gone"),
        pytest.param(
            f"UPDATE counters SET lifetime_cost_nano_usd = 0 WHERE {MAIN_COUNT}",
            LIFETIME,
            0,
            60,
            id="a lifetime that is altered",
        ),
        pytest.param(
            f"UPDATE counters SET since_seq = 2 WHERE {MAIN_COUNT}", COUNT, 60, 50, id="a count that begins elsewhere"
        ),
        pytest.param(
            ALLOW_CHANGES + "UPDATE entries SET cost_nano_usd = 21 WHERE seq = 3", COUNT, 60, 61, id="an altered entry"
        ),
        pytest.param(ALLOW_CHANGES + "DELETE FROM entries WHERE seq = 4", COUNT, 60, 30, id="a deleted newest entry"),
        pytest.param(ALLOW_CHANGES + "DELETE FROM entries WHERE seq = 3", LIFETIME, 60, 40, id="a deleted entry"),
        pytest.param(
            COUNT_TWICE,
            "5: a request id takes effect once",
            2,
            1,
            id="a request that took effect twice, and was counted twice",
        ),
        pytest.param(
            "UPDATE request_ids SET result = 31 WHERE request_id = 'r-3'",
            "5: a request id has its cost",
            31,
            30,
            id="a request that remembers another cost",
        ),
        pytest.param(
            "UPDATE request_ids SET entry_seq = 2 WHERE request_id = 'r-3'",
            "5: a request id has its entry",
            2,
            "r-3",
            id="a request that remembers another's entry",
        ),
    ],
)
async def test_a_planted_deviation_is_named(
    ledger: Path, tampering: str, invariant: str, found: object, expected: object
) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript(tampering)

    deviations = [(each.invariant, each.found, each.expected) for each in verify_file(ledger).deviations]

    assert (invariant, found, expected) in deviations


async def test_a_file_without_deviations_is_reported_as_such(ledger: Path) -> None:
    code, output, errors = await run_to_end("verify", "--database", str(ledger))

    assert (code, errors) == (0, "")
    assert output == "2 budgets, 5 entries, 0 reservations, 5 request ids: 0 deviations\n"


async def test_the_command_names_the_budget_and_the_numbers_and_ends_with_1(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript(f"UPDATE counters SET cost_nano_usd = 61 WHERE {MAIN_COUNT}")

    code, output, _ = await run_to_end("verify", "--database", str(ledger))

    assert code == 1
    for word in ("alice", "cost_nano_usd", "61", "60", ": 1 deviation\n"):
        assert word in output


async def test_a_deleted_entry_breaks_its_chain(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger)) as connection:
        connection.executescript(ALLOW_CHANGES + "DELETE FROM entries WHERE seq = 3")

    invariants = [each.invariant for each in verify_file(ledger).deviations]

    assert "6: no gap in the numbers" in invariants
    assert "6: entries are chained" in invariants


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET cost_nano_usd = 0",
        "UPDATE entries SET reason = 'another'",
        "DELETE FROM entries",
    ],
)
async def test_the_file_itself_refuses_to_change_or_delete_an_entry(ledger: Path, statement: str) -> None:
    with (
        closing(sqlite3.connect(ledger)) as connection,
        pytest.raises(sqlite3.IntegrityError, match="entries never change"),
    ):
        connection.execute(statement)

    assert verify_file(ledger).deviations == []
