"""The files that killed processes of LiteLLM's class leave behind: what of them is saved, and what is lost."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from contextlib import suppress
from decimal import Decimal
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from budgetd import BudgetManager
from budgetd_server.litellm.files.reading import Reading, read
from tests.parity.theirs import Theirs

REPOSITORY = Path(__file__).parents[2]
USERS = 1_000
#: As many files as shall be torn, and the most kills to that end: about every second one tears the file.
TORN, KILLS_MAX = 3, 16


class Left(NamedTuple):
    """A file that a kill has left."""

    path: Path
    is_torn: bool


def killed(folder: Path, after_seconds: float) -> Left:
    """Start the class in a folder, and kill it some time after its first save."""
    folder.mkdir()
    command = [sys.executable, "-m", "tests.parity.saving_alone", str(USERS)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    process = subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"saving\n"
        time.sleep(after_seconds)  # The moment of the kill is the experiment.
    finally:
        process.kill()
        process.communicate()
    path = folder / "user_cost.json"
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return Left(path, is_torn=True)
    return Left(path, is_torn=False)


@pytest.fixture(scope="module")
def torn(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Files that cannot be parsed, of kills at random moments."""
    random, folder = Random(6), tmp_path_factory.mktemp("kills")
    kills = (killed(folder / f"kill {number}", random.uniform(0.05, 0.6)) for number in range(KILLS_MAX))
    return [each.path for each in islice((each for each in kills if each.is_torn), TORN)]


def import_file(path: Path) -> dict[str, Any]:
    """`budgetd import`, and its report."""
    command = [sys.executable, "-m", "budgetd_server", "import", path.name, "--database", "budgetd.db", "--json"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def summary_of(path: Path, reading: Reading, kept: Collection[str]) -> str:
    """What became of a file, in a sentence."""
    damages = "; ".join(each.sentence for each in reading.damages) or "nothing else is wrong"
    lost = f"{USERS - len(kept):,} lost"
    return (
        f"{path.parent.name}: {path.stat().st_size:,} bytes, {len(kept):,} of {USERS:,} users saved, {lost}; {damages}"
    )


def kept_in(database: Path) -> dict[str, Any]:
    """The records of a ledger; none, if nothing was there to make one for."""
    if not database.exists():
        return {}
    with BudgetManager("default", database=database) as manager:
        return dict(manager.user_dict)


def figures(record: Mapping[str, Any]) -> dict[str, int]:
    """What a record says, in nano-dollars."""
    dollars = {
        "total_budget": record["total_budget"],
        "current_cost": record.get("current_cost", 0),
        **{f"model {model}": cost for model, cost in record.get("model_cost", {}).items()},
    }
    return {name: round(Decimal(str(amount)) * 10**9) for name, amount in dollars.items()}


def places(content: bytes, user: str) -> list[int]:
    """The bytes at which records of a user begin, found as text, with no parser; a mixture may hold several."""
    return [match.start() for match in re.finditer(f'"{user}": {{'.encode(), content)]


def held(content: bytes, user: str) -> list[dict[str, int]]:
    """The figures of the records that a file holds for a user; what is torn, or mixed of two saves, has none."""
    found: list[dict[str, int]] = []
    for begin in places(content, user):
        text = content[begin:].decode(errors="replace").partition(": ")[2]
        with suppress(ValueError, KeyError, AttributeError, ArithmeticError):
            found.append(figures(json.JSONDecoder().raw_decode(text)[0]))
    return found


def test_what_a_killed_process_leaves_is_saved_as_far_as_it_is_whole(
    torn: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert len(torn) == TORN, "few kills have torn a file: the moments are badly chosen"
    for path in torn:
        reading, content = read(path), path.read_bytes()

        first, again = import_file(path), import_file(path)

        kept = kept_in(path.parent / "budgetd.db")
        with capsys.disabled():
            sys.stdout.write(f"\n{summary_of(path, reading, kept.keys())}\n")
        assert (first["imported"], again["imported"], again["already_imported"]) == (len(kept), 0, len(kept))
        for user, record in kept.items():
            assert figures(record) in held(content, user)
        refused = {each.user for each in reading.faults}  # Two saves may have met between sum and models.
        for user in {f"user {number}" for number in range(USERS)} - kept.keys() - refused:
            for begin in places(content, user):
                assert any(each.start <= begin < each.end for each in reading.damages)


def test_litellms_class_reads_what_was_exported_and_goes_on(tmp_path: Path) -> None:
    with BudgetManager("default", database=tmp_path / "budgetd.db") as manager:
        manager.create_budget(10, "alice", "monthly")
        manager.create_budget(5, "bob")
        manager.update_cost("alice", {"model": "gpt-4o", "usage": {"prompt_tokens": 1200, "completion_tokens": 300}})
        records = json.loads(json.dumps(manager.user_dict))
    command = [sys.executable, "-m", "budgetd_server", "export", "--user-cost-json", "--output", "user_cost.json"]
    subprocess.run([*command, "--database", "budgetd.db"], cwd=tmp_path, check=True, capture_output=True, timeout=60)

    theirs = Theirs("default", tmp_path)
    assert theirs.user_dict == records
    theirs.update_cost("bob", {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0}})

    assert theirs.user_dict["alice"] == records["alice"]
    assert theirs.get_current_cost("bob") == pytest.approx(6e-7)
