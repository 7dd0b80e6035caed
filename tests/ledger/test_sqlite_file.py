"""Opening a SQLite file: how it is set up, and what is refused without a byte changed."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from budgetd import BudgetClient, DatabaseRefused, LocalTransport
from budgetd.v1.budget_service_pb2 import ListBudgetsRequest
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite import file as sqlite_file
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.migrations import newest_version
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.ledger.older_files import make_older


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file may be."""
    return tmp_path / "budgetd.db"


def run_script(path: Path, script: str) -> None:
    """Do something to a file behind budgetd's back."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


# --- Connections.


@pytest.mark.parametrize("is_reader", [False, True], ids=["writer", "reader"])
def test_a_connection_is_durable_and_strict(path: Path, is_reader: bool) -> None:
    connection = connect(path, is_reader=is_reader)

    found = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "query_only")
    }

    connection.close()
    expected = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "trusted_schema": 0}
    assert found == {**expected, "query_only": int(is_reader)}


def test_a_reader_cannot_write(path: Path) -> None:
    open_file(path, migrates=False)
    reader = connect(path, is_reader=True)

    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("UPDATE heartbeat SET at_us = 1")
    reader.close()


def test_a_connection_that_could_lose_charges_is_refused(path: Path) -> None:
    connection = connect(path)
    connection.execute("PRAGMA synchronous = NORMAL")

    with pytest.raises(LedgerRefused, match="synchronous is 1"):
        sqlite_file._check_pragmas(connection)  # noqa: SLF001
    connection.close()


def test_a_place_without_a_write_ahead_log_is_refused() -> None:
    connection = sqlite3.connect(":memory:")
    with pytest.raises(LedgerRefused, match="write-ahead"):
        sqlite_file._check_pragmas(connection)  # noqa: SLF001
    connection.close()


# --- Files of one's own.


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_new_files_and_copies_are_for_their_owner_alone_whatever_the_umask(path: Path, umask: int) -> None:
    make_older(path.with_name("older.db"), 1)
    before = os.umask(umask)
    try:
        open_file(path, migrates=False)
        connection = connect(path)
        migrated = open_file(path.with_name("older.db"), migrates=True)
    finally:
        os.umask(before)

    assert migrated is not None
    made = [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")), migrated.copy]
    assert {each.name: oct(each.stat().st_mode & 0o777) for each in made} == {each.name: "0o600" for each in made}
    connection.close()


def test_the_mode_of_a_file_that_exists_is_left_alone_and_its_log_has_the_same(path: Path) -> None:
    open_file(path, migrates=False)
    path.chmod(0o660)

    open_file(path, migrates=True)
    connection = connect(path)

    modes = {oct(each.stat().st_mode & 0o777) for each in path.parent.iterdir()}
    connection.close()
    assert modes == {"0o660"}


def test_a_path_that_looks_like_a_uri_of_sqlites_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    open_file(Path("file:x.db"), migrates=False)

    assert [each.name for each in tmp_path.iterdir()] == ["file:x.db"]


# --- Refusals.


def make_text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def make_foreign(path: Path) -> None:
    run_script(path, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);")


def make_marked_foreign(path: Path) -> None:
    run_script(path, "PRAGMA application_id = 252006673; VACUUM;")


def make_foreign_with_log(path: Path) -> None:
    run_script(path, "PRAGMA journal_mode = WAL; CREATE TABLE theirs (x);")


def make_newer(path: Path) -> None:
    open_file(path, migrates=False)
    run_script(path, f"PRAGMA user_version = {newest_version() + 1};")


def make_cut(path: Path) -> None:
    open_file(path, migrates=False)
    path.write_bytes(path.read_bytes()[:5000])


def make_scribbled(path: Path) -> None:
    """Pages in the middle hold something else: the file's first page is sound."""
    open_file(path, migrates=False)
    content = bytearray(path.read_bytes())
    content[4096:20_000] = b"\x5a" * (20_000 - 4096)
    path.write_bytes(content)


def content(path: Path) -> bytes:
    """What a file holds; nothing if there is none."""
    return path.read_bytes() if path.is_file() else b""


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (make_text, "not a SQLite file"),
        (make_foreign, "another program"),
        (make_marked_foreign, "another program"),
        (make_foreign_with_log, "another program"),
        (make_newer, "newer version"),
        (make_cut, "damaged"),
        (make_scribbled, "damaged"),
        (Path.mkdir, "a folder"),
    ],
)
@pytest.mark.parametrize("migrates", [False, True])
def test_a_file_that_must_not_be_used_is_refused_by_name_and_left_as_it_is(
    path: Path, make: Callable[[Path], None], reason: str, migrates: bool
) -> None:
    make(path)
    before = content(path)

    with pytest.raises(LedgerRefused, match=reason) as refusal:
        open_file(path, migrates=migrates)

    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert content(path) == before
    assert [each.name for each in path.parent.iterdir()] == [path.name], "looking at a file leaves no other file"


@pytest.mark.parametrize("is_there", [True, False], ids=["an empty file", "no file"])
@pytest.mark.parametrize("is_linked", [True, False], ids=["by a symbolic link", "by its name"])
def test_a_log_without_its_file_is_refused_and_not_touched(path: Path, is_there: bool, is_linked: bool) -> None:
    open_file(path, migrates=False)
    connection = connect(path)
    connection.execute("UPDATE heartbeat SET at_us = 7")
    log = path.with_name("budgetd.db-wal")
    before = log.read_bytes()
    log.with_name("kept").write_bytes(before)
    connection.close()
    path.unlink()
    log.with_name("kept").rename(log)
    if is_there:
        path.touch()
    link = path.with_name("link.db")
    link.symlink_to(path)

    for migrates in (False, True):
        with pytest.raises(LedgerRefused, match=rf"budgetd\.db-wal still holds {len(before)} bytes of a ledger"):
            open_file(link if is_linked else path, migrates=migrates)

    assert log.read_bytes() == before
    assert path.exists() is is_there
    assert content(path) == b""


def put_backup_next_to_former_log(path: Path) -> None:
    """Restore an early backup, and leave the log of the ledger that had grown since."""
    open_file(path, migrates=False)
    backup = path.read_bytes()
    connection = connect(path)
    for size in (200_000, 400_000):
        connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
        connection.execute("INSERT INTO t VALUES (zeroblob(?))", (size,))
        if size == 200_000:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log = path.with_name("budgetd.db-wal")
    shutil.copy(log, path.with_name("kept"))
    connection.close()
    path.write_bytes(backup)
    path.with_name("kept").rename(log)


def test_a_backup_next_to_the_log_of_the_former_file_is_not_touched_and_the_log_is_named(path: Path) -> None:
    put_backup_next_to_former_log(path)
    log = path.with_name("budgetd.db-wal")
    before = path.read_bytes(), log.read_bytes()

    with pytest.raises(
        LedgerRefused, match=r"is damaged: .*; restore a backup that .*; or, if the file was"
    ) as refusal:
        open_file(path, migrates=True)
    found = verify_file(path).deviations

    for reported in (str(refusal.value), found[0].expected):
        assert f"{log} is the log of the former file: move it and budgetd.db-shm away" in str(reported)
    assert (path.read_bytes(), log.read_bytes()) == before

    log.unlink()
    path.with_name("budgetd.db-shm").unlink(missing_ok=True)
    open_file(path, migrates=False)
    assert verify_file(path).deviations == []


def loop(path: Path) -> Path:
    path.symlink_to(path.with_name("back.db"))
    path.with_name("back.db").symlink_to(path)
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(loop, "is part of a loop of symbolic links", id="a loop of links"),
        pytest.param(
            lambda path: path.with_name("x" * 300), "is too long a name for the file system", id="300 characters"
        ),
        pytest.param(
            lambda path: path.with_name("x" * 252), "is too long a name for the file system", id="252, and -wal"
        ),
    ],
)
def test_a_path_at_which_no_file_can_be_is_refused_by_its_rule(
    path: Path, make: Callable[[Path], Path], words: str
) -> None:
    unreachable = make(path)

    for use in (lambda: open_file(unreachable, migrates=True), lambda: verify_file(unreachable)):
        with pytest.raises(LedgerRefused) as refusal:
            use()
        assert str(refusal.value).startswith(f"{unreachable} {words}")
    with BudgetClient.over(LocalTransport(unreachable)) as client, pytest.raises(DatabaseRefused, match=words):
        client.list_budgets(ListBudgetsRequest(project_id="p"))


def test_a_file_that_cannot_be_verified_in_its_folder_is_named_with_the_reason(path: Path) -> None:
    open_file(path, migrates=False)
    path.with_name("budgetd.db-wal").mkdir()  # Stops even those who may write anywhere.

    with pytest.raises(LedgerRefused, match=rf"{path}: cannot be opened for writing, or its folder cannot \(unable"):
        verify_file(path)


ON_A_SMALL_DISK = """
import os, sys
from pathlib import Path
from budgetd_server.ledger.sqlite.file import open_file
path, is_new = Path(sys.argv[1]) / "budgetd.db", sys.argv[2] == "new"
if not is_new:
    open_file(path, migrates=False)
with open(path.with_name("ballast"), "wb", buffering=0) as ballast:
    try:
        while True:
            ballast.write(bytes(4096))
    except OSError:
        pass
try:
    open_file(path, migrates=False)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


@pytest.mark.parametrize("kind", ["new", "old"])
def test_a_disk_without_a_free_byte_is_named(tmp_path: Path, kind: str) -> None:
    script = f'mount -t tmpfs -o size=1m tmpfs "{tmp_path}" && exec "$@"'
    command = ["unshare", "-rm", "sh", "-c", script, "sh", sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path), kind]
    if shutil.which("unshare") is None or subprocess.run([*command[:5], "sh", "true"], check=False).returncode:
        pytest.skip("no disk can be made small here")

    run = subprocess.run(command, capture_output=True, text=True, check=False)

    assert run.stderr == f"LedgerRefused: {tmp_path}/budgetd.db cannot be opened: the disk is full; make room first\n"


def test_a_folder_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerRefused, match="does not exist"):
        open_file(tmp_path / "nowhere" / "budgetd.db", migrates=False)


def test_a_file_whose_log_cannot_be_made_is_refused(path: Path) -> None:
    path.with_name("budgetd.db-wal").mkdir()  # Stops even those who may write anywhere.

    with pytest.raises(LedgerRefused, match="cannot be opened for writing"):
        open_file(path, migrates=False)


def test_a_file_that_another_program_keeps_locked_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_file(path, migrates=False)
    monkeypatch.setattr(sqlite_file, "BUSY_TIMEOUT_MS", 1)
    other = connect(path)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(LedgerRefused, match="locked by another program"):
        open_file(path, migrates=False)
    other.execute("ROLLBACK")
    other.close()
    open_file(path, migrates=False)


def test_an_sqlite_too_old_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "SQLITE_VERSION_MIN", (99, 0, 0))

    with pytest.raises(LedgerRefused, match="too old"):
        open_file(path, migrates=False)


def test_what_an_operator_reads_is_one_clear_line_for_every_kind_of_trouble() -> None:
    for name, words in {
        "SQLITE_NOTADB": "not a SQLite file",
        "SQLITE_CORRUPT_INDEX": "restore a backup",
        "SQLITE_READONLY_DIRECTORY": "cannot be opened for writing",
        "SQLITE_BUSY_SNAPSHOT": "locked",
        "SQLITE_FULL": "disk is full",
    }.items():
        error = sqlite3.OperationalError("disk is full")
        error.sqlite_errorname = name

        assert re.search(words, sqlite_file._explain(error))  # noqa: SLF001
