"""A deletion of a large tree that a program began with a file of its own, without a server, is finished by it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.ledger import loading
from tests.client.local.ledgers import BUDGET, PROJECT, local, read, with_budget

CHILDREN = 5


def is_finished(database: Path) -> bool:
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("SELECT NOT EXISTS (SELECT 1 FROM pending_deletions)").fetchone()[0])


def test_a_large_deletion_is_finished_while_the_program_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "DELETED_AT_ONCE_MAX", 1)
    monkeypatch.setattr(loading, "DELETED_IN_STEP", 1)
    database = with_budget(tmp_path / "ledger.db")
    with local(database) as client:
        for number in range(CHILDREN):
            child = pb.Budget(project_id=PROJECT, budget_id=f"child {number}", parent_budget_id=BUDGET)
            client.create_budget(service.CreateBudgetRequest(budget=child))
        other = pb.Budget(project_id=PROJECT, budget_id="other")
        client.create_budget(service.CreateBudgetRequest(budget=other))

        deleted = client.delete_budget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id=BUDGET, force=True))
        while not is_finished(database):
            request = read()
            request.budget_id = "other"
            client.get_current_cost(request)

    assert deleted.deleted_count == CHILDREN + 1
