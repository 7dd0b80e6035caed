"""Copy a SQLite file before its migration: complete, synced to disk, and never overwritten."""

import errno
import filecmp
import os
import sqlite3
from contextlib import closing
from itertools import count
from pathlib import Path

from budgetd_server.ledger.base import LedgerRefused

#: Only the owner may access budgetd's files, independent of the umask.
PRIVATE_MODE = 0o600
#: SQLite sometimes reports a full disk as an I/O error. With less free space than this, the disk counts as full.
FREE_BYTES_MIN = 64 * 1024


def copy_before(path: Path, version: int) -> Path:
    """Copy a file whose write lock the caller holds, so that the copy contains exactly what was committed.

    The copy is written under a temporary name, synced, and then renamed to `FILE.before-VERSION`. An existing file of
    that name is never overwritten. If it has the same content, as after a kill between the copy and the migration, it
    is used as the copy; otherwise the new one is named `FILE.before-VERSION-2`, and so on.

    Returns:
        The path of the copy. If `path` is a symbolic link, the copy is next to its target.

    Raises:
        LedgerRefused: The copy cannot be written, or a folder has its name. The file and older copies are unchanged.
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
    """Create an empty file that only its owner may read and write, unless the file exists.

    SQLite creates the files next to it with the same permissions.
    """
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, PRIVATE_MODE)
    except FileExistsError:
        return
    try:
        os.fchmod(descriptor, PRIVATE_MODE)  # The umask may have removed more than it should.
    finally:
        os.close(descriptor)


def is_full(error: Exception, folder: Path) -> bool:
    """Return True if a full disk has caused an error."""
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
    partial.unlink(missing_ok=True)  # Left by a copy that was killed.
    make_private(partial)
    with (
        closing(sqlite3.connect(f"{source_path.as_uri()}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(partial)) as target,
    ):
        target.execute("PRAGMA journal_mode = OFF")  # A journal left by a kill would corrupt the next attempt.
        source.backup(target)
    _sync(partial)


def _named(partial: Path, wanted: Path) -> Path:
    """Rename a finished copy, or find an existing identical copy. Return its path."""
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
