"""Making a file, and bringing older ones up to date: in one transaction, after a copy, and what they hold stays."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.sqlite import migrations as sqlite_migrations
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.migrations import (
    APPLICATION_ID,
    Migrated,
    Migration,
    bring_up_to_date,
    migrations,
    split_statements,
)
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import ALICE, PROJECT, charge, create
from tests.ledger.older_files import OLDER, make_older, rows_of
from tests.ledger.stores import carry_out

REAL = migrations()
NEWEST = REAL[-1].number
GOOD = Migration(NEWEST + 1, "good", "CREATE TABLE extra (x INTEGER) STRICT;\nINSERT INTO extra (x) VALUES (1);\n")
BROKEN = Migration(
    NEWEST + 1,
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
    return lambda migration: monkeypatch.setattr(sqlite_migrations, "migrations", lambda: [*REAL, migration])


def asked(path: Path, statement: str) -> list[tuple[object, ...]]:
    """What a file returns to another program."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(statement).fetchall()


def schema(path: Path) -> list[tuple[object, ...]]:
    return asked(path, "SELECT type, name, sql FROM sqlite_schema ORDER BY name")


def version(path: Path) -> object:
    return asked(path, "PRAGMA user_version")[0][0]


# --- A new file.


def test_migrations_are_numbered_from_one_without_a_gap() -> None:
    assert [migration.number for migration in REAL] == list(range(1, len(REAL) + 1))
    assert REAL[0].name == "initial"


def test_a_new_file_has_the_newest_tables_and_says_whose_it_is(path: Path) -> None:
    assert open_file(path, migrates=False) is None

    assert version(path) == NEWEST
    assert asked(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert {"projects", "budgets", "counters", "entries", "request_ids"} <= {name for _, name, _ in schema(path)}


def test_every_table_is_strict_and_its_key_begins_with_the_project(path: Path) -> None:
    open_file(path, migrates=False)

    tables = {str(name): str(sql) for kind, name, sql in schema(path) if kind == "table"}
    assert [name for name, sql in tables.items() if "STRICT" not in sql] == []
    keys = asked(path, "SELECT t.name, c.name FROM sqlite_schema AS t, pragma_table_info(t.name) AS c WHERE c.pk = 1")
    assert {table for table, column in keys if column != "project_key"} == {"heartbeat", "place"}
    assert {table for table, _ in keys} == tables.keys()


def test_opening_a_file_again_changes_nothing(path: Path) -> None:
    open_file(path, migrates=False)
    before = schema(path)

    assert [open_file(path, migrates=migrates) for migrates in (False, True)] == [None, None]

    assert schema(path) == before
    assert [each.name for each in path.parent.iterdir()] == [path.name], "no copy is made for nothing"


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()

    open_file(path, migrates=False)

    assert asked(path, "PRAGMA application_id") == [(APPLICATION_ID,)]


@pytest.mark.parametrize("half", OLDER)
async def test_a_file_that_was_half_made_by_an_earlier_program_is_completed_by_the_next(
    path: Path, tmp_path: Path, half: int
) -> None:
    make_older(path, half, with_rows=False)
    open_file(tmp_path / "whole.db", migrates=False)

    ledger = await SqliteLedger.open(path)
    await carry_out(ledger, create(), charge(5))
    await ledger.close()

    assert (version(path), schema(path)) == (NEWEST, schema(tmp_path / "whole.db"))
    assert verify_file(path).deviations == []
    assert list(tmp_path.glob("*.before-*")) == [], "it held nothing to copy"


OPENER = """
import sys
from pathlib import Path
from budgetd_server.ledger.sqlite.file import open_file
print("ready", flush=True)
sys.stdin.readline()
open_file(Path(sys.argv[1]), migrates=True)
"""


@pytest.mark.parametrize("older", [None, *OLDER], ids=lambda older: f"version {older}" if older else "a new file")
def test_programs_that_start_at_once_on_one_file_all_find_it_made(tmp_path: Path, older: int | None) -> None:
    path = tmp_path / "budgetd.db"
    if older is not None:
        make_older(path, older)
    command = [sys.executable, "-c", OPENER, str(path)]
    pipe = subprocess.PIPE
    programs = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in range(3)]
    for program in programs:
        assert program.stdout is not None
        assert program.stdout.readline() == "ready\n"

    for program in programs:
        assert program.stdin is not None
        program.stdin.write("go\n")
        program.stdin.flush()
    troubles = [program.communicate(timeout=150)[1] for program in programs]

    assert [(program.returncode, trouble) for program, trouble in zip(programs, troubles, strict=True)] == [(0, "")] * 3
    assert version(path) == NEWEST
    assert len(list(tmp_path.glob("*.before-*"))) == (older is not None)


# --- An older file.


@pytest.mark.parametrize("older", OLDER)
def test_a_file_of_every_older_version_is_brought_up_to_date_and_keeps_what_it_holds(path: Path, older: int) -> None:
    make_older(path, older)

    migrated = open_file(path, migrates=True)

    copy = path.with_name(f"budgetd.db.before-{older}")
    assert migrated == Migrated(older, NEWEST, copy)
    assert version(path) == NEWEST
    report = verify_file(path)
    assert report.deviations == []
    assert report.counts["entries"] > 10
    assert rows_of(path, columns_of=copy) == rows_of(copy, columns_of=copy)


@pytest.mark.parametrize("older", OLDER)
async def test_a_migrated_file_counts_on_where_the_older_one_ended(path: Path, older: int) -> None:
    make_older(path, older)
    spent = asked(path, "SELECT cost_nano_usd FROM counters WHERE budget_key = 2 AND is_model = 0")

    ledger = await SqliteLedger.open(path, migrates=True)
    replayed, _ = await carry_out(ledger, charge(11, request_id="charge-2"), charge(5, request_id="new"))
    budget = (await ledger.load_budgets([(PROJECT, ALICE)]))[(PROJECT, ALICE)]
    await ledger.close()

    assert replayed.replayed
    assert [(budget.main.sums.cost_nano_usd - 5,)] == spent
    assert verify_file(path).deviations == []


@pytest.mark.parametrize("older", [1, 2])
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "SELECT fingerprint FROM requests WHERE request_id = 'a'", id="a command looks for its request id"
        ),
        pytest.param(
            "INSERT INTO requests (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us)"
            " VALUES (1, 4, 'a', x'00', 0, 0, 0)",
            id="a command keeps its request id",
        ),
        pytest.param(
            "INSERT INTO entries (project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,"
            " model, request_id, reservation_seq, catalogue_model) VALUES (1, 999, 1, 1, 5, 0, 0, '', '', 1, '')",
            id="an expiry writes its entry",
        ),
    ],
)
def test_what_programs_that_do_not_look_at_the_version_would_write_after_a_migration_fails(
    path: Path, older: int, statement: str
) -> None:
    make_older(path, older)
    with closing(connect(path)) as still_open:
        still_open.execute("BEGIN")
        still_open.execute(statement)  # It is right in the tables of its time.
        still_open.execute("ROLLBACK")
        open_file(path, migrates=True)

        with pytest.raises(sqlite3.OperationalError, match=r"no such table: requests|no column named catalogue_model"):
            still_open.execute(statement)


@pytest.mark.parametrize("older", OLDER)
def test_an_older_file_that_has_budgets_is_unchanged_without_the_migrate_flag(path: Path, older: int) -> None:
    make_older(path, older)
    before = path.read_bytes()

    with pytest.raises(
        LedgerRefused, match=rf"tables of version {older}; this program needs {NEWEST}.*budgetd migrate"
    ):
        open_file(path, migrates=False)
    with pytest.raises(LedgerRefused, match="budgetd migrate"):
        verify_file(path)

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_migration_that_fails_leaves_nothing_but_the_copy(
    path: Path, with_migration: Callable[[Migration], None]
) -> None:
    make_older(path, NEWEST)
    before = schema(path)
    with_migration(BROKEN)

    with pytest.raises(LedgerRefused, match="nowhere"):
        open_file(path, migrates=True)

    assert (schema(path), version(path)) == (before, NEWEST)
    assert asked(path, "SELECT at_us FROM heartbeat") == [(0,)]


def test_migrations_that_another_program_has_done_are_not_done_again(
    path: Path, with_migration: Callable[[Migration], None]
) -> None:
    with_migration(GOOD)
    open_file(path, migrates=False)

    with closing(connect(path)) as connection:
        assert bring_up_to_date(connection, path, migrates=True) is None

    assert asked(path, "SELECT count(*) FROM extra") == [(1,)]


# --- The copy.


@pytest.mark.parametrize("older", OLDER)
def test_the_copy_holds_what_the_log_alone_held(path: Path, older: int) -> None:
    make_older(path, older)
    with closing(connect(path)) as another:  # So the log is not moved into the file.
        another.execute('UPDATE budgets SET labels = \'{"in": "the log"}\'')

        migrated = open_file(path, migrates=True)

    assert migrated is not None
    assert set(asked(migrated.copy, "SELECT labels FROM budgets")) == {('{"in": "the log"}',)}
    assert asked(migrated.copy, "PRAGMA integrity_check") == [("ok",)]
    assert version(migrated.copy) == older


def test_a_copy_that_is_there_is_never_written_over(path: Path) -> None:
    make_older(path, 1)
    theirs = path.with_name("budgetd.db.before-1")
    theirs.write_text("something else")

    migrated = open_file(path, migrates=True)

    assert migrated is not None
    assert migrated.copy.name == "budgetd.db.before-1-2"
    assert version(migrated.copy) == 1
    assert theirs.read_text() == "something else"


def test_a_folder_in_the_way_of_the_copy_is_named_and_nothing_is_changed(path: Path) -> None:
    make_older(path, 1)
    before = path.read_bytes()
    folder = path.with_name("budgetd.db.before-1.partial")
    folder.mkdir()

    with pytest.raises(LedgerRefused, match=rf"{folder} is a folder, and .*; move the folder away. The file was not"):
        open_file(path, migrates=True)

    assert (path.read_bytes(), list(folder.iterdir())) == (before, [])
    folder.rmdir()
    assert open_file(path, migrates=True) is not None


def test_the_same_copy_is_not_made_twice(path: Path, with_migration: Callable[[Migration], None]) -> None:
    make_older(path, NEWEST)
    with_migration(BROKEN)

    for _ in range(3):
        with pytest.raises(LedgerRefused, match="nowhere"):
            open_file(path, migrates=True)

    assert [each.name for each in path.parent.glob("*.before-*")] == [f"budgetd.db.before-{NEWEST}"]


def test_the_copy_is_next_to_the_file_that_a_symbolic_link_leads_to(path: Path, tmp_path: Path) -> None:
    make_older(path, 1)
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "ledger.db"
    link.symlink_to(path)

    migrated = open_file(link, migrates=True)

    assert migrated == Migrated(1, NEWEST, path.with_name("budgetd.db.before-1"))
    assert list(link.parent.iterdir()) == [link]


FULL = """
import resource, sys
from pathlib import Path
from budgetd_server.ledger.sqlite.file import open_file
path = Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size // 2, resource.RLIM_INFINITY))
open_file(path, migrates=True)
"""


def test_an_older_file_that_there_is_no_room_to_copy_is_left_as_it_is(path: Path) -> None:
    make_older(path, 1)
    before = path.read_bytes()

    run = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=False)

    assert run.returncode == 1
    assert f"LedgerRefused: {path} cannot be copied to budgetd.db.before-1 before its migration" in run.stderr
    assert (path.read_bytes(), version(path)) == (before, 1)
    assert list(path.parent.glob("*.before-*")) == []


# --- Scripts.


def test_a_migration_that_ends_within_a_statement_is_refused() -> None:
    statements = split_statements("SELECT 1;\nSELECT 2\n")

    assert next(statements) == "SELECT 1;\n"
    with pytest.raises(ValueError, match="within a statement"):
        next(statements)


def test_a_statement_may_hold_semicolons_of_its_own() -> None:
    script = "CREATE TRIGGER t BEFORE DELETE ON e\nBEGIN SELECT 1; SELECT ';'; END;\n-- The end; really.\n"

    assert len(list(split_statements(script))) == 1
