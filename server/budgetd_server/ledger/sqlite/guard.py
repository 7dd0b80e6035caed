"""Compares a file that is open with what its path leads to, so that nothing is acknowledged that nobody can find.

A file that is deleted or replaced lives on for those who have it open: they would commit to it, and all of it would be
gone with the process. Under a second name, other processes would use a log of another name for the same file: a hard
link is such a name, and so is the new name of a file that was renamed, with a symbolic link left in its place. So
device, inode and number of links of the file, of its log and of the log's index are compared before every answer, and
symbolic links are not followed: each of the three has to be at its own path.

They are compared before every COMMIT, too. Once the log or its index was deleted, the next program that opens the file
makes another: both programs are then at work without each other's locks, and a COMMIT would write over what the other
has acknowledged, even if nobody is answered.

SQLite has a descriptor of each open for as long as a connection is. Their inodes cannot be given to other files
meanwhile, so what the paths led to when the connections were made is what the descriptors lead to now. A descriptor of
our own would be harmful: closing it would take away the locks that SQLite has on the file in this process.
"""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from budgetd_server.ledger.base import FileLost, FileOutdated
from budgetd_server.ledger.sqlite.migrations import newest_version, version_of
from budgetd_server.ledger.sqlite.place import kept_place, place_of

#: Device and inode.
_Identity = tuple[int, int]
#: `os.stat` or `os.lstat`.
_Look = Callable[[Path | str], os.stat_result]


class FileGuard:
    """Knows which file is open. Make it before the first connection; `learn` when all are open.

    Args:
        path: The file. If it is a symbolic link, both it and the place that it leads to have to stay as they are:
            SQLite puts the log and its index beside the file itself, under the file's own name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._real = path.resolve()
        self._version = newest_version()
        self._before = _identity(os.stat, path)
        self._files: dict[str, _Identity] = {}
        self._link: _Identity | None = None

    def learn(self, connection: sqlite3.Connection) -> None:
        """Remember which files the connections have opened, one of which is given.

        Raises:
            FileLost: The file was replaced meanwhile, or has more than one name.
        """
        # Nobody can change it any more: whoever does so has to be alone with the file.
        if kept_place(connection) != place_of(self._path):
            raise FileLost(f"{self._path} was opened under another name meanwhile")
        log, index = (self._real.with_name(f"{self._real.name}{end}") for end in ("-wal", "-shm"))
        self._files = {str(path): _identity(os.lstat, path) for path in (log, index)} | {str(self._real): self._before}
        self._link = None if self._path == self._real else _identity(os.lstat, self._path)
        self.check_place()

    def check_place(self) -> None:
        """Compare.

        Raises:
            FileLost: A path leads nowhere, to another file, or to one with a second name.
        """
        if self._link and (_identity(os.stat, self._path), _identity(os.lstat, self._path)) != (
            self._before,
            self._link,
        ):
            raise FileLost(f"{self._path} was replaced by another link or file while it was in use")
        for path, known in self._files.items():
            try:
                found = os.lstat(path)  # A third of the time of Path.lstat, and this is done for each batch.
            except OSError as error:
                raise _vanished(path, error) from None
            if (found.st_dev, found.st_ino) != known:
                other = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "another file"
                raise FileLost(f"{path} was replaced by {other} while it was in use")
            if found.st_nlink != 1:
                raise FileLost(f"{path} has {found.st_nlink} hard links: only one name is safe")

    def is_replaced(self) -> bool:
        """Whether another file is where the file, its log or the log's index was: others may be at work on it.

        A new log that is empty does not count. A program that only reads makes one, and nobody has written to it.
        """
        for path, known in self._files.items():
            with suppress(OSError):
                found = os.lstat(path)
                is_new_log = path.endswith("-wal") and stat.S_ISREG(found.st_mode) and found.st_size == 0
                if (found.st_dev, found.st_ino) != known and not is_new_log:
                    return True
        return False

    def check_version(self, connection: sqlite3.Connection) -> None:
        """Make sure, inside a transaction, that the tables are those that this program knows.

        Raises:
            FileOutdated: Another program has migrated the file.
        """
        version = version_of(connection)
        if version != self._version:
            raise FileOutdated(
                f"{self._path} now has tables of version {version}, and this program knows {self._version}: another "
                "budgetd has migrated it; start that version instead"
            )


def _identity(look: _Look, path: Path) -> _Identity:
    try:
        found = look(path)
    except OSError as error:
        raise _vanished(path, error) from None
    return found.st_dev, found.st_ino


def _vanished(path: Path | str, error: OSError) -> FileLost:
    return FileLost(f"{path} cannot be found any more, though it is in use ({error.strerror})")
