"""`verify_file` finds nothing on a sound file, and names each fault that is planted in one."""

import sqlite3
from pathlib import Path

import pytest

from budgetd_server.domain.budget import Limit, Unit
from budgetd_server.domain.usage import Usage
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.recount import Deviation
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import DAY_US, MONDAY_US, adjust, charge, create, delete, limited, reset, update
from tests.domain.holding_desk import commit_hold, release_hold, reserve, with_limits
from tests.ledger.stores import carry_out


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file with a little of everything in it; bob's charges are the entries 4 and 5."""
    ledger = await SqliteLedger.open(tmp_path / "budgetd.db")
    daily = limited(100, every_us=DAY_US)
    await carry_out(ledger, create(daily), create(daily, budget_id="bob"), charge(10, model="gpt", usage=Usage(5, 3)))
    await carry_out(ledger, charge(20, budget_id="bob", model="gpt", request_id="one", usage=Usage(7, 2)))
    await carry_out(ledger, adjust(-5, budget_id="bob", model="gpt", request_id="one"))
    await carry_out(ledger, reset(), update(sets_limits=False, labels={"a": "b"}), charge(1))
    await carry_out(ledger, charge(2), now_us=MONDAY_US + DAY_US)
    await carry_out(ledger, delete(), create(None), create(project_id="bank"), charge(3, project_id="bank"))
    await ledger.close()
    return tmp_path / "budgetd.db"


def tampered(path: Path, script: str) -> list[Deviation]:
    """The deviations after a manual change of the file."""
    connection = sqlite3.connect(path)
    connection.executescript("DROP TRIGGER entries_are_never_changed; DROP TRIGGER entries_are_never_deleted;")
    connection.executescript(script)
    connection.close()
    return verify_file(path).deviations


def test_a_sound_file_has_no_deviations_and_reports_what_was_checked(path: Path) -> None:
    report = verify_file(path)

    assert report.deviations == []
    assert report.counts == {"budgets": 4, "entries": 14, "reservations": 0, "request_ids": 13}


BOB = "project_key = 1 AND budget_key = 2"


@pytest.mark.parametrize(
    ("script", "invariant", "found", "expected"),
    [
        pytest.param(
            f"UPDATE counters SET cost_nano_usd = 16 WHERE {BOB} AND is_model = 0",
            "1: a count is the sum of its entries",
            16,
            15,
            id="a count is wrong",
        ),
        pytest.param(
            f"UPDATE counters SET calls = 2 WHERE {BOB} AND is_model = 0",
            "1: a count is the sum of its entries",
            2,
            1,
            id="a number of calls is wrong",
        ),
        pytest.param(
            f"UPDATE counters SET input_tokens = 8 WHERE {BOB} AND is_model = 1",
            "1: a model's part is the sum of its entries",
            8,
            7,
            id="a model's part is wrong",
        ),
        pytest.param(
            f"DELETE FROM counters WHERE {BOB} AND is_model = 1",
            "1: a model's part is the sum of its entries",
            0,
            15,
            id="a model's part is lost",
        ),
        pytest.param(
            f"UPDATE counters SET since_seq = 4 WHERE {BOB} AND is_model = 0",
            "1: a count is the sum of its entries",
            15,
            -5,
            id="a count begins too late",
        ),
        pytest.param(
            f"UPDATE counters SET lifetime_cost_nano_usd = 14 WHERE {BOB} AND is_model = 0",
            "2: a lifetime is the sum of all",
            14,
            15,
            id="a lifetime is wrong",
        ),
        pytest.param(
            "UPDATE entries SET cost_nano_usd = 21 WHERE project_key = 1 AND seq = 4",
            "5: a request id has its cost",
            20,
            21,
            id="an entry was changed",
        ),
        pytest.param(
            "DELETE FROM entries WHERE project_key = 1 AND seq = 4",
            "6: no gap in the numbers",
            5,
            4,
            id="an entry is gone",
        ),
        pytest.param(
            "UPDATE entries SET previous_seq = 3 WHERE project_key = 1 AND seq = 4",
            "6: entries are chained",
            3,
            2,
            id="a chain is broken",
        ),
        pytest.param(
            f"UPDATE counters SET last_seq = 99 WHERE {BOB} AND is_model = 0",
            "6: the chain's head is its newest entry",
            99,
            5,
            id="a chain's head is ahead of its entries",
        ),
        pytest.param(
            "UPDATE entries SET budget_key = 77 WHERE project_key = 1 AND seq = 4",
            "6: an entry has its budget",
            77,
            "a budget",
            id="an entry has no budget",
        ),
        pytest.param(
            "UPDATE entries SET request_id = 'two' WHERE project_key = 1 AND seq = 4",
            "5: a request id has its entry",
            4,
            "one",
            id="a request names the entry of another",
        ),
        pytest.param(
            "UPDATE entries SET request_id = (SELECT request_id FROM entries WHERE project_key = 1 AND seq = 3)"
            " WHERE project_key = 1 AND seq = 4",
            "5: a request id takes effect once",
            2,
            1,
            id="a request has two effects",
        ),
    ],
)
def test_a_planted_fault_is_named(
    path: Path, script: str, invariant: str, found: int | str, expected: int | str
) -> None:
    deviations = tampered(path, script)

    assert (invariant, found, expected) in {(each.invariant, each.found, each.expected) for each in deviations}


def test_a_head_of_a_chain_that_lies_behind_its_newest_entry_is_named(path: Path) -> None:
    deviations = tampered(path, f"UPDATE counters SET last_seq = 4 WHERE {BOB} AND is_model = 0")

    assert [each.invariant for each in deviations] == ["6: the chain's head is its newest entry"]


def test_a_row_that_breaks_a_rule_of_its_table_is_named(path: Path) -> None:
    deviations = tampered(path, "PRAGMA ignore_check_constraints = ON; UPDATE counters SET held = -1")

    assert "the file is sound" in {each.invariant for each in deviations}


def test_a_page_that_is_scribbled_over_is_an_error_of_the_file(path: Path) -> None:
    connection = sqlite3.connect(path)
    (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'budgets_deleted'").fetchone()
    connection.close()
    content = bytearray(path.read_bytes())
    content[(root - 1) * 4096 : root * 4096] = b"\x5a" * 4096
    path.write_bytes(content)

    remedy = "restore a backup that 'budgetd verify' finds in order"
    with pytest.raises(LedgerRefused, match=rf"{path}: is damaged \(.* malformed\); {remedy}$"):
        verify_file(path)


def test_a_file_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="no such file"):
        verify_file(tmp_path / "budgetd.db")

    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "theirs.db")
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()

    with pytest.raises(LedgerRefused, match="of another program"):
        verify_file(tmp_path / "theirs.db")


async def test_a_file_can_be_verified_while_a_batch_runs(path: Path) -> None:
    ledger = await SqliteLedger.open(path)
    found: list[Deviation] = []

    def look(*_: object) -> None:
        found.extend(verify_file(path).deviations)

    await ledger.commit([], look, clock=lambda: MONDAY_US, lock_wait_seconds=1.0)
    await ledger.close()

    assert found == []


# --- Trees, limits and holds.


@pytest.fixture
async def tree(tmp_path: Path) -> Path:
    """A sound file with a tree, a named limit, holds and a refund."""
    ledger = await SqliteLedger.open(tmp_path / "budgetd.db")
    tokens = Limit(limit_id="tokens", unit=Unit.TOKENS, amount=100, models=("gpt*",))
    await carry_out(ledger, with_limits(limited(100), budget_id="team"), with_limits(tokens, parent_id="team"))
    await carry_out(ledger, reserve(7, model="gpt-4", usage=Usage(2, 1)), reserve(3))
    await carry_out(ledger, charge(5, model="gpt-4", usage=Usage(4, 4)), release_hold(4))
    await carry_out(ledger, commit_hold(3, 6, model="claude", usage=Usage(1, 1)), reserve(2, model="gpt-4"))
    await ledger.close()
    assert verify_file(tmp_path / "budgetd.db").deviations == []
    return tmp_path / "budgetd.db"


@pytest.mark.parametrize(
    ("script", "invariant", "where"),
    [
        pytest.param(
            "UPDATE counters SET held = 3 WHERE budget_key = 1",
            "1: what is held is the sum of the open holds",
            "budget 'team' (1/1) held",
            id="a parent holds too much",
        ),
        pytest.param(
            "UPDATE counters SET output_tokens = 5 WHERE limit_id = 'tokens'",
            "1: a count is the sum of its entries",
            "budget 'alice' (1/2) limit 'tokens' output_tokens",
            id="a named limit counts too much",
        ),
        pytest.param(
            "UPDATE counters SET models = NULL WHERE limit_id = 'tokens'",
            "1: a count is the sum of its entries",
            "budget 'alice' (1/2) limit 'tokens' cost_nano_usd",
            id="a named limit counts other models than it says",
        ),
        pytest.param(
            "UPDATE counters SET cost_nano_usd = 5 WHERE budget_key = 1 AND is_model = 0",
            "1: a count is the sum of its entries",
            "budget 'team' (1/1) cost_nano_usd",
            id="a parent was not charged",
        ),
        pytest.param(
            "DELETE FROM entry_budgets WHERE seq = 5",
            "an entry is found from all its budgets",
            "entry 5",
            id="a parent does not find an entry",
        ),
        pytest.param(
            "INSERT INTO entry_budgets VALUES (1, 1, 1)",
            "an entry is found from all its budgets",
            "entry 1",
            id="a parent finds an entry that does not count on it",
        ),
        pytest.param(
            "UPDATE reservations SET state = 1, ended_at_us = NULL WHERE seq = 4",
            "1: what is held is the sum of the open holds",
            "budget 'alice' (1/2) held",
            id="a hold that was released is open",
        ),
        pytest.param(
            "DELETE FROM open_holds WHERE budget_key = 1",
            "open holds are found from their budgets",
            "(1, 1, ",
            id="a parent does not find a hold",
        ),
        pytest.param(
            "INSERT INTO open_holds VALUES (1, 2, 5, 1000000)",
            "open holds are found from their budgets",
            "(1, 2, 5, 1000000)",
            id="a hold behind the last reservation that is none",
        ),
        pytest.param(
            "INSERT INTO entry_budgets VALUES (1, 2, 1000000)",
            "an entry counts on its budgets alone",
            "entry 1/1000000",
            id="a budget that finds an entry behind the last one",
        ),
        pytest.param(
            "UPDATE reservations SET budget_key = 1 WHERE seq = 3",
            "a reservation has its entry",
            "reservation 3",
            id="a hold belongs to another",
        ),
        pytest.param(
            "UPDATE budgets SET deleted_at_us = 1 WHERE budget_key = 1",
            "a budget's ancestors live and form no cycle",
            "budget 'alice' (1/2)",
            id="a parent was deleted",
        ),
        pytest.param(
            "INSERT INTO pending_deletions VALUES (1, 1, '')",
            "a pending deletion is of a deleted budget",
            "budget (1, 1)",
            id="a live budget whose children are to be deleted",
        ),
        pytest.param(
            "UPDATE budgets SET parent_key = 2 WHERE budget_key = 1",
            "a budget's ancestors live and form no cycle",
            "budget 'team' (1/1)",
            id="a parent is its own descendant",
        ),
        pytest.param(
            "UPDATE budgets SET named_count = 2 WHERE budget_key = 2",
            "a budget has its limits",
            "budget 'alice' (1/2)",
            id="a limit is lost",
        ),
        pytest.param(
            "UPDATE request_ids SET entry_seq = 5 WHERE rpc = 10",
            "5: a request id has its entry",
            "request ",
            id="a commit names a charge",
        ),
    ],
)
def test_a_fault_planted_in_a_tree_is_named(tree: Path, script: str, invariant: str, where: str) -> None:
    deviations = tampered(tree, script)

    assert [each for each in deviations if each.invariant == invariant and each.where.startswith(where)], deviations
