"""Open a SQLite file: refuse files of other programs and damaged ones, set it up, and migrate it."""

import errno
import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path

from budgetd_server.ledger.base import LedgerBusy, LedgerRefused
from budgetd_server.ledger.sqlite.copy import is_full, make_private
from budgetd_server.ledger.sqlite.migrations import APPLICATION_ID, Migrated, bring_up_to_date, newest_version
from budgetd_server.ledger.sqlite.place import (
    KEPT_SINCE_VERSION,
    Kept,
    claim,
    is_mounted_alone,
    kept_place,
    log_path,
    lost_log,
)

SQLITE_VERSION_MIN = (3, 38, 0)  # STRICT tables, and -> and ->> on JSON.
#: Files up to this size are checked completely when they are opened; larger ones only by `budgetd verify`.
CHECKED_BYTES_MAX = 256 * 1024 * 1024
BUSY_TIMEOUT_MS = 5_000
WAL_POLL_SECONDS = 0.005
#: How long the write-ahead log grows before a commit checkpoints it. With SQLite's default of 1,000 pages, every batch
#: over many budgets would do so.
CHECKPOINT_PAGES = 4_000

_REMEDY = "restore a backup that 'budgetd verify' finds in order"

log = logging.getLogger(__name__)


def connect(path: Path, *, is_reader: bool = False) -> sqlite3.Connection:
    """Return a connection with the settings that budgetd needs, to a file that exists or can be created."""
    # An absolute path is never interpreted as a URI, with any build of SQLite.
    connection = sqlite3.connect(path.absolute(), isolation_level=None, check_same_thread=False, cached_statements=128)
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        _turn_to_wal(connection)
        for pragma in (
            "synchronous = FULL",
            "foreign_keys = ON",
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "temp_store = MEMORY",
            "cache_size = -32768",
            f"wal_autocheckpoint = {CHECKPOINT_PAGES}",
            f"journal_size_limit = {64 * 1024 * 1024}",
        ):
            connection.execute(f"PRAGMA {pragma}")
        if is_reader:
            connection.execute("PRAGMA query_only = ON")
        _check_pragmas(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def open_file(path: Path, *, migrates: bool, checks: bool = True) -> Migrated | None:
    """Make sure that the path leads to a sound budgetd file, of the version that this program knows.

    Args:
        path: The file. Created if it does not exist.
        migrates: True: an older file that holds budgets may be migrated, after a copy. A new file, or one whose
            creation was interrupted, is always completed.
        checks: False: skip the check of the whole file, because the caller knows that it is sound.

    Returns:
        The migration of an older file. None if the file was new or up to date.

    Raises:
        LedgerRefused: It is damaged, of another program, newer, older and may not be migrated, or not writable.
        LedgerBusy: Another program has it locked.
    """
    if sqlite3.sqlite_version_info < SQLITE_VERSION_MIN:
        raise LedgerRefused(f"SQLite {sqlite3.sqlite_version} is too old: budgetd needs 3.38 or newer")
    refuse_unreachable(path)
    if not path.parent.is_dir():
        raise LedgerRefused(f"{path}: the folder {path.parent} does not exist")
    if path.is_dir():
        raise LedgerRefused(f"{path} is a folder: a file is needed")
    try:
        is_index_alone = _is_index_alone(path)
        claim(path, lambda: inspect(path))
        if is_index_alone:
            log.warning(
                "%s is missing, but its index exists: if the log was deleted, what was committed after the last "
                "checkpoint is lost, and %s has the state of that checkpoint; 'budgetd verify' counts what it holds",
                log_path(path),
                path,
            )
        make_private(path.resolve())
        if checks and _log_bytes(path):
            # Closing a connection that may write would checkpoint the log, even if it belongs to another file.
            with closing(look(path)) as reader:
                _check_sound(reader, path)
            checks = False
        connection = connect(path)
        try:
            if checks:
                _check_sound(connection, path)
            migrated = bring_up_to_date(connection, path, migrates=migrates)
            connection.execute("UPDATE heartbeat SET at_us = at_us WHERE id = 1")
        finally:
            connection.close()
    except (sqlite3.Error, OSError) as error:
        if is_full(error, path.parent):
            raise LedgerRefused(f"{path} cannot be opened: the disk is full; make room first") from error
        is_busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
        raise (LedgerBusy if is_busy else LedgerRefused)(explain(error, path)) from error
    return migrated


def refuse_unreachable(path: Path) -> None:
    """Check that a path can have a file and a log.

    Raises:
        LedgerRefused: It cannot, for example in a loop of symbolic links, or with a name that is too long.
    """
    for each in (path, path.parent / f"{path.name}-wal"):
        try:
            each.stat()
            each.resolve()
        except FileNotFoundError:
            pass
        except (OSError, RuntimeError) as error:
            number = getattr(error, "errno", errno.ELOOP)  # Path.resolve raises an error without a number for loops.
            rules = {
                errno.ELOOP: "is part of a loop of symbolic links",
                errno.ENAMETOOLONG: "is too long a name for the file system, with the -wal that its log adds to it",
            }
            rule = rules.get(number) or f"cannot be reached: {os.strerror(number)}"
            raise LedgerRefused(f"{path} {rule}") from None


def inspect(path: Path) -> Kept | None:
    """Inspect an existing file without changing a byte, so that files of other programs and versions stay unchanged.

    Returns:
        The name that the file keeps. None if it keeps none yet.

    Raises:
        LedgerRefused: The file is of another program or newer, or is not safe to use.
    """
    wal = log_path(path)
    log_bytes = _log_bytes(path)  # Read first: a new file gets its log only after its first page.
    if log_bytes and (not path.exists() or path.stat().st_size == 0):
        what = "is empty" if path.exists() else "does not exist"
        raise LedgerRefused(
            f"{path} {what}, and its log {wal} still holds {log_bytes} bytes of a ledger: move the log away, "
            "and restore a backup or begin a new ledger"
        )
    for part in (path.resolve(), wal):
        if is_mounted_alone(part):
            raise LedgerRefused(
                f"{part} is mounted by itself: other programs would have another log, and this one would be lost with "
                "its folder; mount the folder instead"
            )
    if not path.exists():
        return None
    if (links := path.stat().st_nlink) > 1:
        raise LedgerRefused(f"{path} has {links} hard links: a log is found by one name only, so remove the others")
    if path.stat().st_size == 0:
        return None
    connection = look(path)
    try:
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        newest = newest_version()
        keeps_place = application_id == APPLICATION_ID and KEPT_SINCE_VERSION <= version <= newest
        kept = Kept(kept_place(connection), is_newest=version == newest) if keeps_place else None
    finally:
        connection.close()
    if application_id != APPLICATION_ID and (tables or application_id):
        raise LedgerRefused(f"{path} is a SQLite file of another program")
    if version > newest:
        raise LedgerRefused(
            f"{path} is of a newer version of budgetd (tables of version {version}; this program knows {newest})"
        )
    return kept


def look(path: Path) -> sqlite3.Connection:
    """Return a connection to an existing file that never writes to it and never checkpoints its log."""
    # Without a log, no program uses the file. Reading it as immutable creates no log and no index.
    mode = "mode=ro" if _log_bytes(path) else "immutable=1"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, isolation_level=None)


def log_keeper(path: Path) -> sqlite3.Connection:
    """Return a connection to an open file that keeps this process's other connections from deleting its log.

    The last connection to a file checkpoints the log, and deletes any file with the log's name, even a foreign one. A
    read-only connection does neither, and while it is open, no other one is the last.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
    )
    with suppress(sqlite3.Error):  # SQLite takes the lock on the file before it reads, and keeps it.
        connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return connection


def explain(error: Exception, path: Path) -> str:
    """Return the cause of an error of the file and its remedy, in words for the operator."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_IOERR_SHORT_READ":  # The log is shorter than the index says, which other programs share.
        return lost_log(path)
    real = path.resolve()
    is_of_access = name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR"))
    for place, what in ((real.parent, "the folder"), (real, "the file")):
        if is_of_access and place.exists() and not os.access(place, os.W_OK):
            return f"{path}: {what} {place} cannot be written, and a log is needed in its folder even to read"
    text = f"{path}: {_explain(error)}"
    is_about_content = name in ("SQLITE_ERROR", "SQLITE_NOTADB") or name.startswith("SQLITE_CORRUPT")
    return f"{text}{former_log_hint(path)}" if is_about_content else text


def former_log_hint(path: Path) -> str:
    """Return another possible cause for a file that seems damaged, to be appended to a message. Empty without a log."""
    if not _log_bytes(path):
        return ""
    wal = log_path(path)
    return (
        f"; or, if the file was restored or replaced, {wal} is the log of the former file: move it and "
        f"{wal.name.removesuffix('-wal')}-shm away"
    )


def _log_bytes(path: Path) -> int:
    wal = log_path(path)
    return wal.stat().st_size if wal.is_file() else 0


def _is_index_alone(path: Path) -> bool:
    """Return True if another program removed the log: SQLite creates it before its index and deletes it after that."""
    wal = log_path(path)
    index = wal.with_name(f"{wal.name.removesuffix('-wal')}-shm")
    return not wal.exists() and index.exists() and not wal.exists()


def _turn_to_wal(connection: sqlite3.Connection) -> None:
    """Switch a new file to write-ahead logging. If two programs do so at once, one gets SQLITE_BUSY and retries."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(WAL_POLL_SECONDS)
        else:
            return


def _check_pragmas(connection: sqlite3.Connection) -> None:
    """Check the settings of the connection and of the file system on which durability depends."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode != "wal":
        raise LedgerRefused(f"the file system does not support write-ahead logging (journal mode is {mode})")
    (synchronous,) = connection.execute("PRAGMA synchronous").fetchone()
    if synchronous != 2:
        raise LedgerRefused(f"synchronous is {synchronous}, not 2 (FULL): acknowledged charges could be lost")


def _check_sound(connection: sqlite3.Connection, path: Path) -> None:
    if path.stat().st_size > CHECKED_BYTES_MAX:
        return
    faults = [fault for (fault,) in connection.execute("PRAGMA quick_check(1)")]
    if faults != ["ok"]:
        found = " ".join(str(faults[0]).replace("*", "").split())  # SQLite reports it in several lines.
        if found.endswith(f"error code={sqlite3.SQLITE_IOERR_SHORT_READ}"):
            raise LedgerRefused(lost_log(path))
        raise LedgerRefused(f"{path} is damaged: {found}; {_REMEDY}{former_log_hint(path)}")


def _explain(error: Exception) -> str:
    """Return the cause of an error in words for the operator."""
    name = getattr(error, "sqlite_errorname", "")
    if name == "SQLITE_NOTADB":
        return "is not a SQLite file, or damaged at its head"
    if name.startswith("SQLITE_CORRUPT"):
        return f"is damaged ({error}); {_REMEDY}"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_IOERR")) or isinstance(error, OSError):
        return f"cannot be opened for writing, or its folder cannot ({error})"
    if name.startswith("SQLITE_BUSY"):
        return "is locked by another program"
    return str(error)
