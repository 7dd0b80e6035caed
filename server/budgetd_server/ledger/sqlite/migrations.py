"""Brings a SQLite file from the tables of one version to those of another: all steps in one transaction, after a copy.

The steps are numbered SQL files, forward only. All that a file lacks are carried out in one transaction, together with
the numbers that say whose file it is (`application_id`) and how new its tables are (`user_version`). A process that is
killed on the way leaves the file as it was, and whoever opens it next begins again. Two programs that start at once
wait for each other's transaction, and the second finds nothing left to do.

Earlier programs made a new file in one transaction for each step, so a kill left tables of an older version with
nothing in them. Such a file holds nothing that could be lost: whoever opens it completes it, as if it were new.
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
    """One step from a version of the tables to the next."""

    number: int
    name: str
    script: str


class Migrated(NamedTuple):
    """An older file that was brought up to date."""

    from_version: int
    to_version: int
    #: The file as it was before.
    copy: Path


def migrations() -> list[Migration]:
    """All steps, oldest first."""
    folder = resources.files("budgetd_server.ledger").joinpath("sql", "sqlite", "migrations")
    return sorted(
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in folder.iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))
    )


def newest_version() -> int:
    """The version of the tables that this program knows."""
    return migrations()[-1].number


def version_of(connection: sqlite3.Connection) -> int:
    """The version of a file's tables; 0 if it has none yet."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def bring_up_to_date(connection: sqlite3.Connection, path: Path, *, migrates: bool) -> Migrated | None:
    """Carry out every step that a file lacks, in one transaction.

    Args:
        connection: An open connection to the file, in no transaction.
        path: The file, for its copy and for messages.
        migrates: Whether a file that holds budgets may be changed. A file without any is always completed.

    Returns:
        What was done to a file that holds budgets; None if there was nothing to do, or the file is new.

    Raises:
        LedgerRefused: It is older and must not be changed, or there is no room for its copy.
    """
    if version_of(connection) >= newest_version():
        return None
    connection.execute("BEGIN IMMEDIATE")
    try:
        migrated = _carry_out(connection, path, migrates=migrates)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # So that the file says what it is, without its log.
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return migrated


def statements_of(script: str) -> Iterator[str]:
    """A script, statement by statement."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--.*", "", statement).strip():
        raise ValueError(f"a migration ends within a statement: {statement[:60]!r}")


def _carry_out(connection: sqlite3.Connection, path: Path, *, migrates: bool) -> Migrated | None:
    """Inside the transaction: nobody else writes, so what the copy holds is what the steps begin with."""
    version = version_of(connection)  # Another program may have been first.
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
        for statement in statements_of(migration.script):
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {pending[-1].number}")
    keep_place(connection, path)
    return migrated


def _holds_budgets(connection: sqlite3.Connection) -> bool:
    """Whether anything was ever kept in the tables: everything belongs to a project."""
    (last_key,) = connection.execute(load_queries("sqlite")["last_project_key"]).fetchone()
    return bool(last_key)
