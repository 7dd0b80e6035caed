"""The one name under which a file is used, kept in the file itself, since SQLite finds a log by its file's name.

Under two names, after it was renamed or mounted a second time, one file would have two logs, and neither program would
have what the other acknowledges. So a file says under which name it is used: the inode of its folder, and its name
there. Only a program that is alone with the file changes that. Every open connection holds a shared lock on the file,
whatever its name; whoever finds another name therefore asks for the exclusive lock, and does not get it while somebody
is at work. The row is in the file and not in its log before anybody serves, so it is read under every name.
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

#: The first version of the tables that has a row for the name.
KEPT_SINCE_VERSION = 3
#: How long to wait for other programs that have the file open while they start or end.
WAIT_SECONDS = 0.5
_POLL_SECONDS = 0.01


class Place(NamedTuple):
    """A name of a file."""

    #: The inode of its folder, as text: it may have 64 bits. Empty: nobody has used the file yet.
    folder: str
    name: bytes


class Kept(NamedTuple):
    """The name that a file keeps."""

    place: Place
    #: False: the file is of an older version, and gets its new name when it is migrated.
    is_newest: bool


def place_of(path: Path) -> Place:
    """The name under which SQLite finds the log of a file."""
    real = path.resolve()
    return Place(str(real.parent.stat().st_ino), os.fsencode(real.name))


def kept_place(connection: sqlite3.Connection) -> Place:
    """The name that a file keeps."""
    return Place(*connection.execute(load_queries("sqlite")["kept_place"]).fetchone())


def keep_place(connection: sqlite3.Connection, path: Path) -> None:
    """Write down the name, in a transaction of the caller, who is alone with the file or has just made its table."""
    connection.execute(load_queries("sqlite")["keep_place"], place_of(path))


def claim(path: Path, look: Callable[[], Kept | None], *, writes: bool = True) -> None:
    """Make sure that nobody uses a file under another name, and write down its name.

    Args:
        path: The file.
        look: Reads the name that the file keeps; None: it keeps none yet.
        writes: False: look only.

    Raises:
        LedgerRefused: Somebody does, or has lost its log, or the log of its former name still holds a part of it.
        sqlite3.Error: It cannot be opened.
    """
    until = time.monotonic() + WAIT_SECONDS
    while (kept := look()) is not None:
        if kept.place == place_of(path):
            if not _has_lost_log(path):
                return
            trouble = lost_log(path)
        elif _claimed(path, kept.place, writes=writes and kept.is_newest):
            return
        else:
            trouble = (
                f"{path} is in use by another program, and was last used {_told(kept.place, path)}: one file needs one "
                "name, since its log is found by its name; stop the other program, or use that name"
            )
        if time.monotonic() >= until:
            raise LedgerRefused(trouble)
        time.sleep(_POLL_SECONDS)


def log_of(path: Path) -> Path:
    """Where SQLite looks for the log of a file."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def lost_log(path: Path) -> str:
    """What to say of a file that somebody has open, and whose log is not at its path any more."""
    return (
        f"{path} is in use by another program, and its log {log_of(path)} was deleted, moved or replaced: what was "
        "committed last is in the former log alone. If it was moved, move it back; otherwise end the other program in "
        "good order, a server by SIGTERM: it writes its log into the file, which can then be opened"
    )


def is_mounted_alone(path: Path) -> bool:
    """Whether a file is a mount of its own, as in a container that was given the file and not its folder.

    False where the system does not tell: that takes Linux 3.15 and /proc.
    """
    mounts = [_mount_of(each) for each in (path, path.parent)]
    return "" not in mounts and mounts[0] != mounts[1]


def _mount_of(path: Path) -> str:
    """The number of the mount that a path is on; empty: unknown."""
    try:
        # Of all descriptors only one of this kind can be closed without taking away SQLite's locks on the file.
        descriptor = os.open(path, os.O_PATH)
    except (AttributeError, OSError):
        return ""
    try:
        told = Path(f"/proc/self/fdinfo/{descriptor}").read_text("ascii")
    except OSError:
        return ""
    finally:
        os.close(descriptor)
    found = re.search(r"^mnt_id:\s*(\d+)$", told, re.MULTILINE)
    return found[1] if found else ""


def _has_lost_log(path: Path) -> bool:
    """Whether somebody has a file open whose log is not at its path: who has it open has had a log there.

    To open the file now would begin a second log, without what is in the first one.
    """
    if log_of(path).exists():
        return False
    with closing(sqlite3.connect(path.absolute(), isolation_level=None, timeout=0)) as connection:
        return not _locks_alone(connection)


def _locks_alone(connection: sqlite3.Connection) -> bool:
    """Begin a transaction that nobody has the file open besides; returns False if somebody has, and begins none."""
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
    """A file that was renamed without its log is not whole. One that was copied is: the log is the original's.

    Once the original is gone nobody can tell which of the two it was, and with the log of another file it would be
    spoiled. So the message has both.
    """
    real = path.resolve()
    former = real.with_name(os.fsdecode(kept.name)) if kept.name else real
    log = former.with_name(f"{former.name}-wal")
    if kept.folder != place_of(path).folder or former == real or (former.exists() and not former.samefile(real)):
        return
    if log.is_file() and (log_bytes := log.stat().st_size):
        raise LedgerRefused(
            f"{path} was renamed from {former.name} without its log, or is a copy of it, and {log} still holds "
            f"{log_bytes} bytes of {former.name}: if it was renamed, rename that log to {real.name}-wal; "
            "if it is a copy, such as a backup, move that log away"
        )


def _told(kept: Place, path: Path) -> str:
    where = "in this folder" if kept.folder == place_of(path).folder else "in another folder"
    return f"{where}, under the name {os.fsdecode(kept.name)}" if kept.name else "by a program that did not say where"
