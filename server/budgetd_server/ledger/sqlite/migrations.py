"""Migrate a SQLite file to the newest version of the tables: all steps in one transaction, after a copy.

The steps are numbered SQL files, forward only. All pending steps are carried out in one transaction, which also sets
`application_id`, the mark of budgetd's files, and `user_version`, the version of the tables. If the process is killed
before the commit, the file is unchanged, and the next program that opens it starts again. If two programs start at
once, one waits for the other's transaction and then finds nothing to do.

Earlier releases created a new file in one transaction per step, so a kill could leave empty tables of an older version.
Such a file holds nothing that could be lost: the next program that opens it completes it as if it were new.
"""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite.copy import copy_before
from budgetd_server.ledger.sqlite.place import keep_place

APPLICATION_ID = 0x42554447  # "BUDG"


class Migration(NamedTuple):
    """One step from one version of the tables to the next."""

    number: int
    name: str
    script: str


class Migrated(NamedTuple):
    """The migration of an older file."""

    from_version: int
    to_version: int
    #: The copy of the file as it was before.
    copy: Path


def migrations() -> list[Migration]:
    """Return all steps, oldest first."""
    folder = resources.files("budgetd_server.ledger").joinpath("sql", "sqlite", "migrations")
    return sorted(
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))
    )


def newest_version() -> int:
    """Return the newest version of the tables that this program knows."""
    return migrations()[-1].number


def read_version(connection: sqlite3.Connection) -> int:
    """Return the version of a file's tables. 0 if it has none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(connection: sqlite3.Connection, path: Path, *, migrates: bool) -> Migrated | None:
    """Carry out all pending steps of a file in one transaction.

    Args:
        connection: An open connection to the file, outside of a transaction.
        path: The file, for its copy and for messages.
        migrates: True: a file that holds budgets may be changed. A file without budgets is always completed.

    Returns:
        The migration of a file that holds budgets. None if there was nothing to do, or the file is new.

    Raises:
        LedgerRefused: The file is older and may not be changed, or there is no room for its copy.
    """
    if read_version(connection) >= newest_version():
        return None
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrated = _carry_out(connection, path, migrates=migrates)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # So that the file can be recognized without its log.
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return migrated


def split_statements(script: str) -> Iterator[str]:
    """Split a script into statements."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise ValueError(f"a migration ends within a statement: {statement[:60]!r}")


def _carry_out(connection: sqlite3.Connection, path: Path, *, migrates: bool) -> Migrated | None:
    """Carry out the steps inside the transaction, without other writers: the copy is what the steps start from."""
    version = read_version(connection)  # Another program may have migrated it first.
    pending = [migration for migration in migrations() if migration.number > version]
    if not pending:
        return None
    migrated = None
    if version and _holds_budgets(connection):
        if not migrates:
            raise LedgerRefused(
                f"{path} is of an older version of budgetd (tables of version {version}; this program needs "
                f"{pending[-1].number}): run 'budgetd migrate' first"
            )
        migrated = Migrated(version, pending[-1].number, copy_before(path, version))
    for migration in pending:
        for statement in split_statements(migration.script):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {pending[-1].number}")
    keep_place(connection, path)
    return migrated


def _holds_budgets(connection: sqlite3.Connection) -> bool:
    """Return True if the tables have ever held data: all data belongs to a project."""
    (last_key,) = connection.execute(load_queries("sqlite")["last_project_key"]).fetchone()
    return bool(last_key)
