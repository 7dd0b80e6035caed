"""`python -m bench` as `make bench` runs it."""

import json
import subprocess
import sys
from pathlib import Path


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], check=False, capture_output=True, text=True, timeout=250
    )


def test_chosen_rows_are_printed_and_written_as_json_with_the_machine(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"

    ended = run("--rows", "process", "--pairs", "2", "--scale", "0.01", "--json", str(file))

    found = json.loads(file.read_text())
    assert ended.returncode == 0, ended.stderr
    assert "memory of an idle server" in ended.stdout
    assert found["machine"] in ended.stdout
    assert [len(row["ratios"]) for row in found["rows"]] == [2, 2]


def test_a_row_that_does_not_exist_is_refused_with_the_names_of_those_that_do() -> None:
    ended = run("--rows", "nonsense")

    assert ended.returncode == 2
    assert "batch-500-200" in ended.stderr
