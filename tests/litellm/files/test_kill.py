"""An import that is killed with signal 9 is completed by the next, to the last nano-dollar."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from budgetd import BudgetManager
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.litellm.files.files import Users, saved
from tests.rpc.running_server import RunningServer

USERS: Users = {
    f"user {number}": {
        "total_budget": 5,
        "current_cost": round(number / 1000 + 0.5, 3),
        "model_cost": {"gpt-4o": number / 1000, "claude": 0.5},
    }
    for number in range(40)
}
#: `budgetd import` that kills itself at a call: before it is sent, or when it has been carried out.
PROGRAM = """
import os, signal, sys
from budgetd.transport.channel import AioTransport
from budgetd.local import AsyncLocalTransport
from budgetd_server.cli import app

Transport = AsyncLocalTransport if "--database" in sys.argv else AioTransport
when, left, real = sys.argv[1], int(sys.argv[2]), Transport.unary

async def unary(self, rpc, request, *, timeout_seconds):
    global left
    left -= 1
    is_last = left == 0
    if is_last and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    answer = await real(self, rpc, request, timeout_seconds=timeout_seconds)
    if is_last:
        os.kill(os.getpid(), signal.SIGKILL)
    return answer

Transport.unary = unary
app(sys.argv[3:])
"""
#: Forty creations, and two batches of charges.
CALLS = 42


def run(folder: Path, place: Sequence[str], when: str, call: int) -> "subprocess.CompletedProcess[str]":
    """Run the import; it is killed at that call, and with 0 it is not."""
    kept = "BUDGETD_CONNECT_TIMEOUT_SECONDS"
    environment = {key: value for key, value in os.environ.items() if key == kept or not key.startswith("BUDGETD_")}
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, when, str(call), "import", "user_cost.json", *place],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal 9")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(
    "calls",
    [
        pytest.param([1, 2, 40], id="as it begins, and again"),
        pytest.param([33, 41], id="between creations and charges"),
        pytest.param([CALLS - 1, CALLS, 10], id="at the last charges"),
    ],
)
def test_an_import_killed_at_any_call_ends_with_the_exact_totals(tmp_path: Path, when: str, calls: list[int]) -> None:
    database = tmp_path / "budgetd.db"

    kill_and_complete(tmp_path, ("--database", str(database)), when, calls)

    assert not verify_file(database).deviations
    with BudgetManager("default", database=database) as manager:
        assert manager.user_dict == USERS


@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal 9")
@pytest.mark.parametrize("when", ["before", "after"])
def test_over_a_server_it_does_so_too(server: RunningServer, tmp_path: Path, when: str) -> None:
    kill_and_complete(tmp_path, ("--address", server.address), when, [20, 41, CALLS])

    assert not verify_file(server.database).deviations
    with BudgetManager("default", client_type="hosted", api_base=server.address) as manager:
        assert manager.user_dict == USERS


def kill_and_complete(folder: Path, place: Sequence[str], when: str, calls: Sequence[int]) -> None:
    """Import, killed at each of the calls in turn, then to the end, then once more."""
    (folder / "user_cost.json").write_bytes(saved(USERS))
    for call in calls:
        assert run(folder, place, when, call).returncode == -signal.SIGKILL
    done = run(folder, place, when, 0)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 users already imported" in run(folder, place, when, 0).stdout
