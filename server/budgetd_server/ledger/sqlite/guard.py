"""Compare the open file with the file at its path, so that nothing is acknowledged that is then lost.

A deleted or replaced file still exists for the processes that have it open: they would commit to it, and everything
would be lost when they end. Under a second name, other processes would use another log for the same file. A hard link
gives a file a second name; so does renaming it and putting a symbolic link in its old place. Therefore device,
inode and number of links of the file, of its log and of the log's index are compared before every answer. Symbolic
links are not followed: each of the three has to be at its own path.

They are compared before every COMMIT, too. After the log or its index was deleted, the next program that opens the file
creates another one. Then the two programs do not see each other's locks, and a COMMIT would overwrite what the other
has acknowledged, even if no caller is answered.

SQLite keeps a descriptor of each of them open as long as a connection is open. Meanwhile their inodes cannot be reused,
so the files that the paths led to when the connections were opened are still those of the descriptors. An additional
descriptor would be harmful: closing it would release the locks that SQLite has on the file in this process.
"""

import os
import sqlite3
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from budgetd_server.ledger.base import FileLost, FileOutdated
from budgetd_server.ledger.sqlite.migrations import newest_version, read_version
from budgetd_server.ledger.sqlite.place import find_place, kept_place

#: Device and inode.
_Identity = tuple[int, int]
#: `os.stat` or `os.lstat`.
_Look = Callable[[Path | str], os.stat_result]


class FileGuard:
    """Remembers which file is open. Create it before the first connection; call `learn` when all are open.

    Args:
        path: The file. If it is a symbolic link, both the link and its target have to stay unchanged: SQLite puts the
            log and its index next to the target, under the target's name.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        self._real = path.resolve()
        self._version = newest_version()
        self._before = _identity(os.stat, path)
        self._files: dict[str, _Identity] = {}
        self._link: _Identity | None = None

    def learn(self, connection: sqlite3.Connection) -> None:
        """Remember which files the connections have opened; one of the connections is given.

        Raises:
            FileLost: The file was replaced since then, or has more than one name.
        """
        # The kept name cannot change any more: that needs exclusive use of the file.
        if kept_place(connection) != find_place(self._path):
            raise FileLost(f"{self._path} was opened under another name meanwhile")
        log, index = (self._real.with_name(f"{self._real.name}{end}") for end in ("-wal", "-shm"))
        self._files = {str(path): _identity(os.lstat, path) for path in (log, index)} | {str(self._real): self._before}
        self._link = None if self._path == self._real else _identity(os.lstat, self._path)
        self.check_place()

    def check_place(self) -> None:
        """Check that the paths still lead to the open files.

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
                found = os.lstat(path)  # Takes a third of the time of Path.lstat; called for each batch.
            except OSError as error:
                raise _vanished(path, error) from None
            if (found.st_dev, found.st_ino) != known:
                other = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "another file"
                raise FileLost(f"{path} was replaced by {other} while it was in use")
            if found.st_nlink != 1:
                raise FileLost(f"{path} has {found.st_nlink} hard links: only one name is safe")

    def is_replaced(self) -> bool:
        """Return True if another file is at the path of the file, its log or its index, so others may be using it.

        An empty new log does not count: a program that only reads creates one, and nothing was written to it.
        """
        for path, known in self._files.items():
            with suppress(OSError):
                found = os.lstat(path)
                is_new_log = path.endswith("-wal") and stat.S_ISREG(found.st_mode) and found.st_size == 0
                if (found.st_dev, found.st_ino) != known and not is_new_log:
                    return True
        return False

    def check_version(self, connection: sqlite3.Connection) -> None:
        """Check, inside a transaction, that the tables are of the version that this program knows.

        Raises:
            FileOutdated: Another program has migrated the file.
        """
        version = read_version(connection)
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
