"""A program with a planted bug: the real server, writing with synchronous=NORMAL, which syncs no commit."""

import sqlite3
from pathlib import Path

from budgetd_server.cli import main
from budgetd_server.ledger.sqlite import file as sqlite_file
from budgetd_server.ledger.sqlite import ledger as sqlite_ledger


def connect_carelessly(path: Path, *, is_reader: bool = False) -> sqlite3.Connection:
    """A connection that was right when it was checked."""
    connection = sqlite_file.connect(path, is_reader=is_reader)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


if __name__ == "__main__":
    setattr(sqlite_ledger, "connect", connect_carelessly)  # noqa: B010 - it is the name that the ledger looks up.
    main()
