"""A program whose clock is wrong: the real server, on a clock that is ahead by as much as a file says."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from budgetd_server.app import Server
from budgetd_server.cli import main, serve
from budgetd_server.core import system_clock_us

_FILE = "DRILL_CLOCK_FILE"


class ClockFile:
    """Sets the clock of the servers that are started with its environment.

    Args:
        path: Where the microseconds are written.
        ahead_us: By how much the clock is ahead at first.
    """

    def __init__(self, path: Path, ahead_us: int) -> None:
        self._path = path
        self.set_ahead(ahead_us)

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a server that follows it."""
        return {_FILE: str(self._path)}

    def set_ahead(self, ahead_us: int) -> None:
        """From now on, the clock is ahead by that."""
        unfinished = self._path.with_suffix(".unfinished")
        unfinished.write_text(str(ahead_us))
        unfinished.rename(self._path)


class FollowingClock:
    """Microseconds since the Unix epoch, wrong as the file says.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._changed_at_ns = 0
        self._ahead_us = 0

    def __call__(self) -> int:
        changed_at_ns = os.stat(self._path).st_mtime_ns  # noqa: PTH116 - asked for at every reading.
        if changed_at_ns != self._changed_at_ns:
            self._changed_at_ns, self._ahead_us = changed_at_ns, int(Path(self._path).read_text())
        return system_clock_us() + self._ahead_us


if __name__ == "__main__":
    clock = FollowingClock(os.environ[_FILE])
    setattr(serve, "Server", partial(Server, clock=clock))  # noqa: B010 - the name that the command looks up.
    main()
