"""Compares a file that is open with what its path leads to, so that nothing is acknowledged that nobody can find.

A file that is deleted or replaced lives on for those who have it open: they would commit to it, and all of it would be
gone with the process. Under a second hard link, other processes would use a log of another name for the same file.
So device, inode and number of links of the file, of its log and of the log's index are compared before every answer.

SQLite has a descriptor of each open for as long as a connection is. Their inodes cannot be given to other files
meanwhile, so what the paths led to when the connections were made is what the descriptors lead to now. A descriptor of
our own would be harmful: closing it would take away the locks that SQLite has on the file in this process.
"""

import os
import sqlite3
from pathlib import Path

from budgetd_server.ledger.base import FileLost, FileOutdated
from budgetd_server.ledger.sqlite_migrations import newest_version, version_of


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
        self._known: dict[str, tuple[int, int]] = {}
        self._before = _identity(path)

    def learn(self) -> None:
        """Remember which files the connections have opened.

        Raises:
            FileLost: The file was replaced meanwhile, or has more than one name.
        """
        self._known = {str(self._path): self._before}
        for path in (self._real, *(self._real.with_name(f"{self._real.name}{end}") for end in ("-wal", "-shm"))):
            self._known.setdefault(str(path), self._before if path == self._real else _identity(path))
        self.check_place()

    def check_place(self) -> None:
        """Compare.

        Raises:
            FileLost: A path leads nowhere, to another file, or to one with a second name.
        """
        for path, known in self._known.items():
            try:
                found = os.stat(path)  # noqa: PTH116 - a third of the time of Path.stat, for each batch.
            except OSError as error:
                raise FileLost(f"{path} cannot be found any more, though it is in use ({error.strerror})") from None
            if (found.st_dev, found.st_ino) != known:
                raise FileLost(f"{path} was replaced by another file while it was in use")
            if found.st_nlink != 1:
                raise FileLost(f"{path} has {found.st_nlink} hard links: only one name is safe")

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


def _identity(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise FileLost(f"{path} cannot be found any more, though it is in use ({error.strerror})") from None
    return found.st_dev, found.st_ino
