"""One file is used under one name: renamed, linked, copied and mounted files, during use and later."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.ledger.base import FileLost, LedgerRefused
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.place import find_place, is_mounted_alone, kept_place
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import ALICE, PROJECT, charge, create
from tests.ledger.lost_files import Fault, leave_link, move
from tests.ledger.stores import carry_out


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "budgetd.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """A ledger at work, whose log has what it has acknowledged."""
    ledger = await SqliteLedger.open(path)
    await carry_out(ledger, create(), charge(5))
    yield ledger
    await ledger.close()


def kept(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return kept_place(connection)


def move_to_another_folder(path: Path) -> None:
    path.with_name("folder").mkdir()
    path.rename(path.with_name("folder") / "moved.db")


@pytest.mark.parametrize(
    ("fault", "name", "where"),
    [
        pytest.param(move, "moved.db", "in this folder", id="renamed"),
        pytest.param(leave_link, "budgetd.db", "in this folder", id="renamed, with a link left"),
        pytest.param(move_to_another_folder, "folder/moved.db", "in another folder", id="moved to another folder"),
    ],
)
async def test_a_file_that_is_in_use_is_not_opened_under_another_name(
    ledger: SqliteLedger, path: Path, fault: Fault, name: str, where: str
) -> None:
    fault(path)
    other = path.parent / name
    before = other.read_bytes()

    for use in (lambda: open_file(other, migrates=True), lambda: verify_file(other)):
        with pytest.raises(
            LedgerRefused, match=f"in use by another program, and was last used {where}, under the name"
        ):
            use()

    assert other.read_bytes() == before
    assert not list(path.parent.rglob("moved.db-*")), "no log is begun"
    other.resolve().replace(path)
    await carry_out(ledger, charge(7))


@pytest.mark.parametrize("name", ["moved.db", "folder/moved.db"])
async def test_a_file_that_was_moved_whole_is_used_under_its_new_name(
    ledger: SqliteLedger, path: Path, name: str
) -> None:
    await ledger.close()
    other = path.parent / name
    other.parent.mkdir(exist_ok=True)
    path.rename(other)

    assert verify_file(other).deviations == []
    assert kept(other) == find_place(path), "looking changes nothing"
    opened = await SqliteLedger.open(other)
    state = (await opened.load_budgets([(PROJECT, ALICE)]))[PROJECT, ALICE]
    await opened.close()

    assert state.main.sums.cost_nano_usd == 5
    assert kept(other) == find_place(other)


async def test_a_copy_next_to_a_file_that_is_in_use_is_a_file_of_its_own(ledger: SqliteLedger, path: Path) -> None:
    copy = path.with_name("copy.db")
    with closing(sqlite3.connect(path)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))

    assert verify_file(copy).counts["entries"] == 2
    open_file(copy, migrates=False)
    await carry_out(ledger, charge(7))

    assert (kept(copy), kept(path)) == (find_place(copy), find_place(path))


@pytest.mark.parametrize("fault", [move, leave_link])
def test_a_file_that_was_renamed_without_its_log_is_refused_until_the_log_has_its_name(
    path: Path, fault: Fault
) -> None:
    open_file(path, migrates=False)
    connection = connect(path)
    connection.execute("UPDATE heartbeat SET at_us = 7")
    log = path.with_name("budgetd.db-wal")
    shutil.copy(log, log.with_name("kept"))
    connection.close()
    log.with_name("kept").rename(log)
    fault(path)
    other = path.with_name("moved.db" if fault is move else "real.db")

    for use in (lambda: open_file(other, migrates=True), lambda: verify_file(other)):
        with pytest.raises(LedgerRefused, match=rf"renamed from budgetd\.db without its log, .*to {other.name}-wal"):
            use()
    log.rename(f"{other}-wal")
    open_file(other, migrates=False)

    assert kept(other) == find_place(other)


async def test_a_backup_next_to_the_log_of_a_file_that_is_gone_is_opened_once_that_log_is_moved_away(
    ledger: SqliteLedger, path: Path
) -> None:
    copy, log = path.with_name("copy.db"), path.with_name("budgetd.db-wal")
    with closing(sqlite3.connect(path)) as source:
        source.execute("VACUUM INTO ?", (str(copy),))
    path.unlink()
    await ledger.close()

    for use in (lambda: open_file(copy, migrates=True), lambda: verify_file(copy)):
        with pytest.raises(LedgerRefused, match=r"or is a copy of it, .*if it is a copy, .* move that log away$"):
            use()
    log.rename(path.with_name("away"))

    open_file(copy, migrates=False)
    assert verify_file(copy).counts["entries"] == 2


async def test_a_file_that_was_opened_under_another_name_meanwhile_is_given_up(path: Path) -> None:
    open_file(path, migrates=False)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE place SET name = x'00'")

    with pytest.raises(FileLost, match="was opened under another name meanwhile"):
        await SqliteLedger.connected(path)


def test_a_name_of_any_bytes_is_kept(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.db"))

    open_file(path, migrates=False)

    assert kept(path) == find_place(path)


# --- Mounts.

MOUNTED = """
import sys
from pathlib import Path
from budgetd_server.ledger.sqlite import file as sqlite_file
if sys.argv[2] == "mounts are not seen":
    sqlite_file.is_mounted_alone = lambda _: False
try:
    sqlite_file.open_file(Path(sys.argv[1]), migrates=False)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def opened_with_mount(mount: str, path: Path, seen: str = "mounts are seen") -> str:
    """What opening a file says in a process of its own, after a mount that only that one has."""
    if shutil.which("unshare") is None or ended("unshare", "-rm", "sh", "-c", mount):
        pytest.skip("nothing can be mounted here")
    return ended(
        "unshare", "-rm", "sh", "-c", f'{mount} && exec "$@"', "sh", sys.executable, "-c", MOUNTED, str(path), seen
    )


def ended(*command: str) -> str:
    """What a process has written to standard error when it has ended."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        pytest.param("mounts are seen", r"is mounted by itself: .* mount the folder instead\n$", id="on Linux"),
        pytest.param(
            "mounts are not seen", "is in use by another program, and was last used in another", id="elsewhere"
        ),
    ],
)
async def test_a_file_that_is_mounted_by_itself_is_refused(
    ledger: SqliteLedger, path: Path, tmp_path: Path, seen: str, words: str
) -> None:
    mounted = tmp_path / "mounted" / "ledger.db"
    mounted.parent.mkdir()
    mounted.touch()

    output = opened_with_mount(f'mount --bind "{path}" "{mounted}"', mounted, seen)

    assert re.match(f"LedgerRefused: {mounted} {words}", output)
    assert list(mounted.parent.iterdir()) == [mounted]
    await carry_out(ledger, charge(7))


async def test_a_folder_that_is_mounted_is_the_same_place(ledger: SqliteLedger, path: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "mounted"
    mounted.mkdir()

    output = opened_with_mount(f'mount --bind "{tmp_path}" "{mounted}"', mounted / path.name)

    assert output == ""
    await carry_out(ledger, charge(7))


def test_a_folder_that_is_read_only_is_named(path: Path, tmp_path: Path) -> None:
    open_file(path, migrates=False)

    output = opened_with_mount(f'mount --bind "{tmp_path}" "{tmp_path}" && mount -o remount,ro,bind "{tmp_path}"', path)

    assert output.startswith(f"LedgerRefused: {path}: the folder {tmp_path} cannot be written")


LOCKED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
connection.execute("PRAGMA locking_mode = EXCLUSIVE")
connection.execute("BEGIN EXCLUSIVE")
"""


async def test_looking_for_mounts_takes_no_lock_away(ledger: SqliteLedger, path: Path) -> None:
    assert not is_mounted_alone(path)
    await carry_out(ledger, charge(7))

    assert "database is locked" in ended(sys.executable, "-c", LOCKED, str(path))
