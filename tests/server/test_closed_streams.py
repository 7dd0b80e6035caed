"""A server whose standard streams are closed, as some that start daemons leave them: it serves, and ends in order."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from budgetd import BudgetClient
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service

BUDGETD = str(Path(sys.executable).with_name("budgetd"))
PATIENCE_SECONDS = 60


@pytest.mark.parametrize("closed", ["<&-", "2>&-", ">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_server_serves_and_ends_cleanly_whatever_is_closed(tmp_path: Path, closed: str) -> None:
    ledger = tmp_path / "ledger.db"
    options = ("--database", str(ledger), "--listen", f"unix:{tmp_path}/s", "--http-listen", "127.0.0.1:0")
    process = subprocess.Popen(["sh", "-c", f'exec "$@" {closed}', "sh", BUDGETD, "serve", *options])
    try:
        with BudgetClient(f"unix:{tmp_path}/s", connect_timeout_seconds=PATIENCE_SECONDS) as client:
            budget = pb.Budget(project_id="p", budget_id="alice")
            client.create_budget(service.CreateBudgetRequest(budget=budget), timeout_seconds=PATIENCE_SECONDS)
        process.send_signal(signal.SIGTERM)

        assert process.wait(PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.wait()
    assert ledger.read_bytes()[:6] == b"SQLite", "no line of the log went into it"


@pytest.mark.parametrize("closed", ["<&-", "2>&-", ">&-"])
def test_other_commands_keep_their_exit_code(tmp_path: Path, closed: str) -> None:
    command = [BUDGETD, "verify", "--database", str(tmp_path / "none.db")]

    run = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, check=False, timeout=PATIENCE_SECONDS
    )

    assert run.returncode == 2
