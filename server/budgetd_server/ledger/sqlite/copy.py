"""The copy of a SQLite file that is made before its tables change: whole, on the disk, and never written over."""

import errno
import filecmp
import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from budgetd_server.ledger.base import LedgerRefused

#: Files of ours are for their owner alone, whatever the umask.
PRIVATE_MODE = 0o600
#: SQLite calls a full disk an I/O error in some places; with less room than this, that is what it was.
FREE_BYTES_MIN = 64 * 1024


def copy_before(path: Path, version: int) -> Path:
    """Copy a file whose write lock the caller has, so that the copy holds exactly what was committed.

    The copy is written under another name, synced, and only then given its own: `FILE.before-VERSION`. A file of that
    name is never written over. If it holds the same, as after a kill between the copy and the migration, it is the
    copy; otherwise the new one is called `FILE.before-VERSION-2`, and so on.

    Returns:
        Where the copy is: beside the file itself, if the path is a symbolic link.

    Raises:
        LedgerRefused: It cannot be written, or a folder is in its way. The file and all older copies are as they were.
    """
    real = path.resolve()
    name = f"{real.name}.before-{version}"
    partial = real.with_name(f"{name}.partial")
    if partial.is_dir() and not partial.is_symlink():
        raise LedgerRefused(
            f"{path} cannot be copied to {name} before its migration: {partial} is a folder, and the copy is written "
            "under that name until it is complete; move the folder away. The file was not changed"
        )
    try:
        _write(real, partial)
        copy = _named(partial, real.with_name(name))
        _sync(real.parent)
    except (sqlite3.Error, OSError) as error:
        partial.unlink(missing_ok=True)
        why = "the disk is full" if is_full(error, real.parent) else str(error)
        raise LedgerRefused(
            f"{path} cannot be copied to {name} before its migration: {why}; it was not changed"
        ) from error
    return copy


def make_private(path: Path) -> None:
    """Make an empty file that only its owner may read and write; nothing if it exists.

    SQLite gives the files that it makes beside it the same permissions.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_MODE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, PRIVATE_MODE)  # The umask may have taken away more than it should.
    finally:
        os.close(descriptor)


def is_full(error: Exception, folder: Path) -> bool:
    """Whether a full disk is what an error comes from."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_FULL":
        return True
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        room = os.statvfs(folder)
        return room.f_bavail * room.f_frsize < FREE_BYTES_MIN and room.f_blocks > 0
    return False


def _write(source_path: Path, partial: Path) -> None:
    partial.unlink(missing_ok=True)  # Of a copy that was killed.
    make_private(partial)
    with (
        closing(sqlite3.connect(f"{source_path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(partial)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # A journal that is left by a kill would spoil the next attempt.
        source.backup(target)
    _sync(partial)


def _named(partial: Path, wanted: Path) -> Path:
    """Give a finished copy its name, or find the same copy under it."""
    copy, numbers = wanted, count(2)
    while copy.exists():
        if filecmp.cmp(copy, partial, shallow=False):
            partial.unlink()
            return copy
        copy = wanted.with_name(f"{wanted.name}-{next(numbers)}")
    return partial.rename(copy)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
