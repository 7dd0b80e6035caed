"""What is left of the charges of many processes and threads in one folder: ours loses none, LiteLLM's class most."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from budgetd import BudgetManager
from tests.parity.crowd import CHARGE_COST, PROJECT, USER, Size
from tests.parity.theirs import litellm  # noqa: F401 - Skips the module where there is none.

REPOSITORY = Path(__file__).parents[2]
SIZE = Size(processes=8, threads=8, updates=100)
#: LiteLLM's class starts a thread and writes the whole file for each charge.
SMALLER = SIZE._replace(updates=10)


def run_crowd(whose: str, size: Size, folder: Path) -> subprocess.CompletedProcess[str]:
    """Let a crowd charge in a folder."""
    command = [sys.executable, "-m", "tests.parity.crowd", whose, *map(str, size)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False
    )


def left_by_litellm(folder: Path) -> float | None:
    """What its file says; None: the last to write it have torn it."""
    try:
        return float(json.loads((folder / "user_cost.json").read_text())[USER]["current_cost"])
    except ValueError:
        return None


def report(capsys: pytest.CaptureFixture[str], whose: str, size: Size, cost: float | None) -> None:
    """Print how many charges are left, past what pytest hides."""
    left = 0 if cost is None else round(cost / CHARGE_COST)
    result = "the file is torn" if cost is None else f"{left} left, {size.charges - left} lost"
    with capsys.disabled():
        print(f"\n{whose}, {size}: of {size.charges} charges {result}")


def test_ours_loses_no_charge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = run_crowd("budgetd", SIZE, tmp_path)

    monkeypatch.chdir(tmp_path)
    manager = BudgetManager(PROJECT)
    cost = manager.get_current_cost(USER)
    manager.close()
    report(capsys, "budgetd", SIZE, cost)
    assert (done.returncode, done.stderr) == (0, "")
    assert round(cost * 1e9) == SIZE.charges * 600


def test_theirs_loses_charges(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run_crowd("litellm", SMALLER, tmp_path)

    cost = left_by_litellm(tmp_path)
    report(capsys, "LiteLLM", SMALLER, cost)
    assert done.returncode == 0, done.stderr
    assert cost is None or cost < SMALLER.charges * CHARGE_COST / 2
