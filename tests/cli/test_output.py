"""Standard output that cannot be written: an exit code of its own and one line, never the code of deviations."""

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.server_process import BUDGETD

FULL = Path("/dev/full")


def run_full(*arguments: str) -> tuple[int, str]:
    """Run the program with a full disk behind its standard output; its exit code and its standard error."""
    if not FULL.exists():
        pytest.skip("there is no /dev/full here")
    with FULL.open("w") as output:
        run = subprocess.run([*BUDGETD, *arguments], stdout=output, stderr=subprocess.PIPE, text=True, check=False)
    return run.returncode, run.stderr


@pytest.mark.parametrize("arguments", [("migrate",), ("verify", "--json")], ids=["migrate", "verify"])
def test_a_result_that_cannot_be_written_has_an_exit_code_of_its_own(tmp_path: Path, arguments: Sequence[str]) -> None:
    database = tmp_path / "ledger.db"
    subprocess.run([*BUDGETD, "migrate", "--database", str(database)], check=True, capture_output=True)

    code, errors = run_full(*arguments, "--database", str(database))

    assert code == 3
    assert errors.count("\n") == 1
    assert "standard output cannot be written (No space left on device): the result is incomplete" in errors
    if "--json" in arguments:
        assert json.loads(errors)["error"]["reason"] == "OUTPUT"


def test_a_pipe_without_a_reader_ends_the_command_silently() -> None:
    with subprocess.Popen([*BUDGETD, "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        assert program.stderr is not None
        program.stdout.close()
        errors = program.stderr.read()

    assert (program.returncode, errors) == (3, "")
