"""Files of every older version: the released migrations make their tables, and `older/` has what they hold."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

from budgetd_server.ledger.sqlite.file import connect
from budgetd_server.ledger.sqlite.migrations import APPLICATION_ID, Migration, migrations
from budgetd_server.ledger.sqlite.place import KEPT_SINCE_VERSION, keep_place

ROWS = {
    int(match[1]): file.read_text(encoding="utf-8")
    for file in Path(__file__).with_name("older").iterdir()
    if (match := re.fullmatch(r"version_(\d+)\.sql", file.name))
}
#: What a server of version 2 held after calls of models under many names.
NAMES_OF_VERSION_2 = Path(__file__).with_name("older").joinpath("names_of_version_2.sql").read_text(encoding="utf-8")
#: The columns of notes that stand for a row of the table before, by its name and the version in which it went.
REPLACED, REPLACED_IN = (
    {"accepted_records": "SELECT project_key, substr(owner, 9), key, note ->> 0, note ->> 1, note ->> 2 FROM notes"},
    5,
)
#: The tables and columns that got another name, and the version in which they did.
RENAMED, RENAMED_IN = {"requests": "request_ids", "catalogue_model": "catalogue_name"}, 3
#: Every version before the newest.
OLDER = [migration.number for migration in migrations()][:-1]


def make_older(path: Path, version: int, *, with_rows: bool = True, rows: str | None = None) -> None:
    """Make a file as a program of that version left it.

    A version without rows of its own has those of the version before it, taken through the migrations between. `rows`
    are put into that version's tables in place of them.
    """
    kept = version if rows else max(number for number in ROWS if number <= version)
    with closing(connect(path)) as connection:
        for migration in migrations()[:version]:
            _carry_out(connection, migration)
            if with_rows and migration.number == kept:
                connection.execute("PRAGMA foreign_keys = OFF")
                connection.executescript(f"BEGIN; {rows or ROWS[kept]} COMMIT;")
        if version >= KEPT_SINCE_VERSION:
            keep_place(connection, path)


def rows_of(path: Path, *, columns_of: Path) -> dict[str, list[tuple[object, ...]]]:
    """What a file holds in the tables and columns that another, older one has, by the older's names."""
    held: dict[str, list[tuple[object, ...]]] = {}
    with closing(sqlite3.connect(columns_of)) as older, closing(sqlite3.connect(path)) as newer:
        for (table,) in older.execute(
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT IN ('heartbeat', 'place')"
        ):
            columns = [row[1] for row in older.execute(f"PRAGMA table_info({table})")]
            names = RENAMED if _version(newer) >= RENAMED_IN else {}
            if table in REPLACED and _version(newer) >= REPLACED_IN:
                held[table] = newer.execute(REPLACED[table]).fetchall()
                continue
            wanted = ", ".join(names.get(column, column) for column in columns)
            held[table] = newer.execute(f"SELECT {wanted} FROM {names.get(table, table)}").fetchall()
    return held


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _carry_out(connection: sqlite3.Connection, migration: Migration) -> None:
    connection.executescript(
        f"BEGIN; {migration.script}; PRAGMA application_id = {APPLICATION_ID};"
        f" PRAGMA user_version = {migration.number}; COMMIT;"
    )
