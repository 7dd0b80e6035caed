"""kill -9 at every statement, and within writes, of a first start and of every migration: the next start serves."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from budgetd_server.ledger.sqlite.file import open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.migrations import newest_version
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import charge, create
from tests.ledger.older_files import OLDER, make_older
from tests.ledger.stores import carry_out
from tests.ledger.test_sqlite_migrations import asked

OPENERS = Path(__file__).with_name("dying_openers.py")
WAYS = ("statements", "bytes")
STARTS = [pytest.param(None, id="first start"), *(pytest.param(each, id=f"from {each}") for each in OLDER)]


def killed(folder: Path, older: int | None, way: str, *options: str) -> Iterator[tuple[Path, str]]:
    """The files that killed openers left, each with what its opener was at."""
    original = folder / "original"
    if older is not None:
        make_older(original, older)
    command = [sys.executable, str(OPENERS), str(original), str(folder), way, *options]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    for line in run.stdout.splitlines():
        path, at = line.split("\t")
        yield Path(path), at


def is_whole(path: Path, older: int | None) -> bool:
    """True: a file is as it was or as it is to be. A copy of it is looked at, since looking rolls back and forward."""
    if not path.exists() or not path.stat().st_size:
        return True
    (path.parent / "looked at").mkdir(exist_ok=True)
    copy = path.parent / "looked at" / "a.db"
    for end in ("", "-wal", "-journal"):
        copy.with_name(f"a.db{end}").unlink(missing_ok=True)
        if (part := path.with_name(f"{path.name}{end}")).exists():
            shutil.copy(part, copy.with_name(f"a.db{end}"))
    version = asked(copy, "PRAGMA user_version")[0][0]
    if version not in (older or 0, newest_version()):
        return False
    expected = path.parent / f"as of {version}"
    if version and not expected.exists():
        make_older(expected, version, with_rows=False)
    return columns_of(copy) == (columns_of(expected) if version else [])


def columns_of(path: Path) -> list[tuple[object, ...]]:
    """Every table, index and trigger of a file, with its columns."""
    return asked(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")


@pytest.mark.parametrize("older", STARTS)
@pytest.mark.parametrize("way", WAYS)
async def test_a_file_whose_opener_was_killed_is_whole_and_is_opened(
    tmp_path: Path, older: int | None, way: str
) -> None:
    deaths = 0
    for path, at in killed(tmp_path, older, way):
        deaths += 1
        assert is_whole(path, older), at
        copies = list(tmp_path.glob(f"{path.name}.before-*"))
        for copy in copies:
            if copy.suffix != ".partial":
                assert asked(copy, "PRAGMA integrity_check") == [("ok",)], at

        open_file(path, migrates=older is not None)

        assert asked(path, "PRAGMA user_version") == [(newest_version(),)], at
        made = [each.name for each in tmp_path.glob(f"{path.name}.before-*")]
        assert made == ([] if older is None else [f"{path.name}.before-{older}"]), at
        if deaths % 10 == 1:
            ledger = await SqliteLedger.open(path)
            await carry_out(
                ledger, create(budget_id="new", request_id="new"), charge(5, budget_id="new", request_id="new")
            )
            await ledger.close()
            assert verify_file(path).deviations == [], at

    assert deaths > 15


@pytest.mark.parametrize("older", STARTS)
def test_steps_that_no_transaction_holds_together_are_found(tmp_path: Path, older: int | None) -> None:
    left = [path for path, _ in killed(tmp_path, older, "statements", "planted")]

    assert [path for path in left if not is_whole(path, older)]
