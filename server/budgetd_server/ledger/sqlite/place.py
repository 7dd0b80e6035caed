"""Keep the only name under which a file may be used in the file itself, since SQLite finds a log by the file's name.

Under two names, after it was renamed or mounted a second time, one file would have two logs, and neither program would
see what the other acknowledges. So a file keeps the name under which it is used: the inode of its folder, and its name
there. Only a program with exclusive use of the file may change that. Every open connection holds a shared lock on the
file, independent of its name. So a program that finds another name tries to get the exclusive lock, and fails while
another program uses the file. Before a server starts, the name is in the file itself and not in its log, so it can be
read whatever the file is called.
"""

import os
import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.queries import load_queries

#: The first version of the tables with a row for the name.
KEPT_SINCE_VERSION = 3
#: How long to wait for other programs that have the file open only while they start or end.
WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.01


class Place(NamedTuple):
    """A name of a file."""

    #: The inode of its folder, as text, since it may have 64 bits. Empty: the file has not been used yet.
    folder: str
    name: bytes


class Kept(NamedTuple):
    """The name that a file keeps, and whether it may be changed."""

    place: Place
    #: False: the file is of an older version; its name is changed when it is migrated.
    is_newest: bool


def find_place(path: Path) -> Place:
    """Return the name under which SQLite finds the log of a file."""
    real = path.resolve()
    return Place(str(real.parent.stat().st_ino), os.fsencode(real.name))


def kept_place(connection: sqlite3.Connection) -> Place:
    """Return the name that a file keeps."""
    return Place(*connection.execute(load_queries("sqlite")["kept_place"]).fetchone())


def keep_place(connection: sqlite3.Connection, path: Path) -> None:
    """Store the name in a transaction of a caller that has exclusive use of the file, or has just created its table."""
    connection.execute(load_queries("sqlite")["keep_place"], find_place(path))


def claim(path: Path, look: Callable[[], Kept | None], *, writes: bool = True) -> None:
    """Make sure that no program uses a file under another name, and store its name.

    Args:
        path: The file.
        look: Returns the name that the file keeps. None if it keeps none yet.
        writes: False: check only.

    Raises:
        LedgerRefused: Another program does, or uses it without its log; or a part of it is in the log of a former name.
        sqlite3.Error: The file cannot be opened.
    """
    until = time.monotonic() + WAIT_SECONDS
    while (kept := look()) is not None:
        if kept.place == find_place(path):
            if not _has_lost_log(path):
                return
            trouble = lost_log(path)
        elif _claimed(path, kept.place, writes=writes and kept.is_newest):
            return
        else:
            trouble = (
                f"{path} is in use by another program, and was last used {_where(kept.place, path)}: one file needs "
                "one name, since its log is found by its name; stop the other program, or use that name"
            )
        if time.monotonic() >= until:
            raise LedgerRefused(trouble)
        time.sleep(_POLL_SECONDS)


def log_path(path: Path) -> Path:
    """Return the path at which SQLite looks for the log of a file."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def lost_log(path: Path) -> str:
    """Return the message for a file that another program has open, but whose log is not at its path any more."""
    return (
        f"{path} is in use by another program, and its log {log_path(path)} was deleted, moved or replaced: what was "
        "committed last is only in the former log. If it was moved, move it back; otherwise stop the other program "
        "gracefully, a server by SIGTERM: it writes its log into the file, which can then be opened"
    )


def is_mounted_alone(path: Path) -> bool:
    """Return True if a file is mounted by itself, as in a container that has the file mounted, but not its folder.

    Returns False if the system does not report it: that needs Linux 3.15 and /proc.
    """
    mounts = [_mount_of(each) for each in (path, path.parent)]
    return "" not in mounts and mounts[0] != mounts[1]


def _mount_of(path: Path) -> str:
    """Return the number of the mount that a path is on. Empty if unknown."""
    try:
        # Closing any other kind of descriptor would release SQLite's locks on the file.
        descriptor = os.open(path, os.O_PATH)
    except (AttributeError, OSError):
        return ""
    try:
        info = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    found = re.search(r"^mnt_id:\s*(\d+)$", info, re.MULTILINE)
    return found[1] if found else ""


def _has_lost_log(path: Path) -> bool:
    """Return True if another program has a file open, which means that it has had a log, and the log is not there.

    Opening the file would create a second log, without the content of the first one.
    """
    if log_path(path).exists():
        return False
    with closing(sqlite3.connect(path.absolute(), isolation_level=None, timeout=0)) as connection:
        return not _locks_alone(connection)


def _locks_alone(connection: sqlite3.Connection) -> bool:
    """Begin a transaction with exclusive use of the file. Return False, without one, if another program has it open."""
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _claimed(path: Path, kept: Place, *, writes: bool) -> bool:
    with closing(sqlite3.connect(path.absolute(), isolation_level=None, timeout=0)) as connection:
        if not _locks_alone(connection):
            return False
        _refuse_former_log(path, kept)
        if writes:
            keep_place(connection, path)
        connection.execute("COMMIT")
        if writes:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def _refuse_former_log(path: Path, kept: Place) -> None:
    """Refuse a file if a log with its former name exists.

    A file that was renamed without its log is incomplete. A copied file is complete: the log belongs to the original.
    Once the original is deleted, the two cases look the same, and the log of another file would corrupt the file. So
    the message names both.
    """
    real = path.resolve()
    former = real.with_name(os.fsdecode(kept.name)) if kept.name else real
    log = former.with_name(f"{former.name}-wal")
    if kept.folder != find_place(path).folder or former == real or (former.exists() and not former.samefile(real)):
        return
    if log.is_file() and (log_bytes := log.stat().st_size):
        raise LedgerRefused(
            f"{path} was renamed from {former.name} without its log, or is a copy of it, and {log} still holds "
            f"{log_bytes} bytes of {former.name}: if it was renamed, rename that log to {real.name}-wal; "
            "if it is a copy, such as a backup, move that log away"
        )


def _where(kept: Place, path: Path) -> str:
    where = "in this folder" if kept.folder == find_place(path).folder else "in another folder"
    return f"{where}, under the name {os.fsdecode(kept.name)}" if kept.name else "under a name that was not recorded"
