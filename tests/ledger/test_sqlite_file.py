"""Opening a SQLite file: how it is set up, how it is brought up to date, and what is refused without a byte changed."""

import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from budgetd_server.ledger import sqlite_file
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite import SqliteLedger
from budgetd_server.ledger.sqlite_file import (
    APPLICATION_ID,
    Migration,
    connect,
    migrations,
    open_file,
    pending_migrations,
)
from tests.domain.desk import ALICE, PROJECT, charge, create
from tests.ledger.stores import carry_out

REAL = migrations()
NEXT = REAL[-1].number + 1
GOOD = Migration(NEXT, "good", "CREATE TABLE extra (x INTEGER) STRICT;\nINSERT INTO extra (x) VALUES (1);\n")
BROKEN = Migration(
    NEXT,
    "broken",
    "CREATE TABLE extra (x INTEGER) STRICT;\nUPDATE heartbeat SET at_us = 7;\nINSERT INTO nowhere VALUES (1);\n",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a file may be."""
    return tmp_path / "budgetd.db"


@pytest.fixture
def with_migration(monkeypatch: pytest.MonkeyPatch) -> Callable[[Migration], None]:
    """Lets the program know one more migration."""
    return lambda migration: monkeypatch.setattr(sqlite_file, "migrations", lambda: [*REAL, migration])


def asked(path: Path, statement: str) -> list[tuple[object, ...]]:
    """What a file answers to somebody else."""
    connection = sqlite3.connect(path)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def told(path: Path, script: str) -> None:
    """Do something to a file behind budgetd's back."""
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


def schema(path: Path) -> list[tuple[object, ...]]:
    return asked(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")


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
    with pytest.raises(LedgerRefused, match="write-ahead"):
        connect(Path(":memory:"))


# --- Migrations.


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.number for migration in REAL] == list(range(1, len(REAL) + 1))
    assert REAL[0].name == "initial"


def test_a_new_file_has_the_newest_tables_and_says_whose_it_is(path: Path) -> None:
    open_file(path, migrates=False)

    assert asked(path, "PRAGMA user_version") == [(REAL[-1].number,)]
    assert asked(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert {"projects", "budgets", "counters", "entries", "requests"} <= {name for _, name, _ in schema(path)}


def test_every_table_is_strict_and_its_key_begins_with_the_project(path: Path) -> None:
    open_file(path, migrates=False)

    tables = {str(name): str(sql) for kind, name, sql in schema(path) if kind == "table"}
    assert [name for name, sql in tables.items() if "STRICT" not in sql] == []
    keys = asked(path, "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE c.pk = 1")
    assert {table for table, column in keys if column != "project_key"} == {"heartbeat"}
    assert {table for table, _ in keys} == tables.keys()


def test_opening_a_file_again_changes_nothing(path: Path) -> None:
    open_file(path, migrates=False)
    before = schema(path)

    for migrates in (False, True):
        open_file(path, migrates=migrates)

    assert schema(path) == before
    connection = connect(path)
    assert pending_migrations(connection) == []
    connection.close()


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()

    open_file(path, migrates=False)

    assert asked(path, "PRAGMA application_id") == [(APPLICATION_ID,)]


def test_a_migration_that_fails_leaves_nothing(path: Path, with_migration: Callable[[Migration], None]) -> None:
    open_file(path, migrates=False)
    before = schema(path)
    with_migration(BROKEN)

    with pytest.raises(LedgerRefused, match="nowhere"):
        open_file(path, migrates=True)

    assert schema(path) == before
    assert asked(path, "PRAGMA user_version") == [(REAL[-1].number,)]
    assert asked(path, "SELECT at_us FROM heartbeat") == [(0,)]


async def test_an_older_file_is_brought_up_to_date_only_when_told_and_keeps_what_it_holds(
    path: Path, with_migration: Callable[[Migration], None]
) -> None:
    ledger = await SqliteLedger.open(path)
    await carry_out(ledger, create(), charge(5))
    await ledger.close()
    with_migration(GOOD)

    with pytest.raises(LedgerRefused, match="budgetd migrate"):
        open_file(path, migrates=False)
    before = asked(path, "PRAGMA user_version")
    open_file(path, migrates=True)

    assert (before, asked(path, "PRAGMA user_version")) == ([(REAL[-1].number,)], [(NEXT,)])
    assert asked(path, "SELECT x FROM extra") == [(1,)]
    again = await SqliteLedger.open(path)
    assert (await again.load_budgets([(PROJECT, ALICE)]))[(PROJECT, ALICE)].main.sums.cost_nano_usd == 5
    await again.close()


def test_a_migration_that_another_program_has_done_is_not_done_again(
    path: Path, with_migration: Callable[[Migration], None]
) -> None:
    with_migration(GOOD)
    open_file(path, migrates=False)
    connection = connect(path)

    sqlite_file.apply_migration(connection, GOOD)

    connection.close()
    assert asked(path, "SELECT count(*) FROM extra") == [(1,)]


def test_a_migration_that_ends_within_a_statement_is_a_mistake() -> None:
    statements = sqlite_file._statements("SELECT 1;\nSELECT 2\n")  # noqa: SLF001

    assert next(statements) == "SELECT 1;\n"
    with pytest.raises(ValueError, match="within a statement"):
        next(statements)


def test_a_statement_may_hold_semicolons_of_its_own() -> None:
    script = "CREATE TRIGGER t BEFORE DELETE ON e\nBEGIN SELECT 1; SELECT ';'; END;\n-- The end; really.\n"

    assert len(list(sqlite_file._statements(script))) == 1  # noqa: SLF001


OPENER = """
import sys
from pathlib import Path
from budgetd_server.ledger.sqlite_file import open_file
print("ready", flush=True)
sys.stdin.readline()
open_file(Path(sys.argv[1]), migrates=False)
"""


def test_programs_that_start_at_once_on_a_new_file_all_find_it_made(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENER, str(tmp_path / "budgetd.db")]
    pipe = subprocess.PIPE
    programs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"

    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    troubles = [program.communicate(timeout=60)[1] for program in programs]

    assert [(program.returncode, trouble) for program, trouble in zip(programs, troubles, strict=True)] == [(0, "")] * 3
    assert asked(tmp_path / "budgetd.db", "PRAGMA user_version") == [(REAL[-1].number,)]


# --- Refusals.


def make_text(path: Path) -> None:
    path.write_text("this is no database\n" * 100)


def make_foreign(path: Path) -> None:
    told(path, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);")


def make_marked_foreign(path: Path) -> None:
    told(path, "PRAGMA application_id = 252006673; VACUUM;")


def make_foreign_with_log(path: Path) -> None:
    told(path, "PRAGMA journal_mode = WAL; CREATE TABLE theirs (x);")


def make_newer(path: Path) -> None:
    open_file(path, migrates=False)
    told(path, f"PRAGMA user_version = {NEXT};")


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
    assert [each.name for each in path.parent.iterdir()] == [path.name], "looking at a file leaves nothing beside it"


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

        assert re.search(words, sqlite_file._explained(error))  # noqa: SLF001
