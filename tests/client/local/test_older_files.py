"""A client without a server on a file of an older version: it is migrated once the lock is free, and copied before."""

import sqlite3
from pathlib import Path

import pytest

from budgetd import BudgetClient, LocalTransport
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.ledger.sqlite import file as sqlite_file
from budgetd_server.ledger.sqlite.migrations import newest_version
from tests.domain.desk import ALICE, PROJECT
from tests.ledger.older_files import OLDER, make_older

READ = cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=ALICE)
CHARGE = cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id=ALICE, cost_nano_usd=5)


@pytest.mark.parametrize("older", OLDER)
def test_an_older_file_is_migrated_by_the_first_call_after_a_copy(tmp_path: Path, older: int) -> None:
    path = tmp_path / "ledger.db"
    make_older(path, older)

    with BudgetClient.over(LocalTransport(path)) as client:
        before = client.get_current_cost(READ).lifetime_cost_nano_usd
        client.update_cost(CHARGE)
        after = client.get_current_cost(READ).lifetime_cost_nano_usd

    assert (before, after) == (611, 616)
    copy = sqlite3.connect(tmp_path / f"ledger.db.before-{older}")
    assert copy.execute("PRAGMA user_version").fetchone() == (older,)
    copy.close()


def test_an_older_file_is_migrated_once_no_other_program_has_its_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_MS", 20)
    path = tmp_path / "ledger.db"
    make_older(path, 1)
    lock = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    lock.execute("BEGIN IMMEDIATE")
    versions: list[int] = []

    def unlocked(_: float) -> None:
        versions.extend(lock.execute("PRAGMA user_version").fetchone())
        lock.rollback()

    with BudgetClient.over(LocalTransport(path), sleep=unlocked) as client:
        client.update_cost(CHARGE, timeout_seconds=60)

    versions.extend(lock.execute("PRAGMA user_version").fetchone())
    lock.close()
    assert versions == [1, newest_version()]
