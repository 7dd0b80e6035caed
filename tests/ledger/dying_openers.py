"""A program that opens a file again and again, each time in a child that is killed a little later.

Usage: dying_openers.py ORIGINAL FOLDER WAY [planted]. ORIGINAL is copied for each child; if it does not exist, the file
is a new one. WAY is `statements`: killed before the 1st, 2nd, ... statement; or `bytes`: killed as soon as a file would
grow beyond a size, in the middle of a write. `planted`: no transaction holds the statements together.

Writes a line for each child that was killed: its file and what it was at.
"""

import os
import resource
import shutil
import signal
import sqlite3
import sys
from itertools import count
from pathlib import Path
from typing import Any

from budgetd_server.ledger.sqlite.file import open_file

#: Less than a frame of the log, so that some children die within one.
STEP_BYTES = 3_500


class _WithoutTransactions(sqlite3.Connection):
    """The planted bug."""

    def execute(self, statement: str, *parameters: Any) -> sqlite3.Cursor:
        if statement.startswith(("BEGIN", "COMMIT")):
            return super().execute("SELECT 1")
        return super().execute(statement, *parameters)


def main(original: Path, folder: Path, way: str, *, is_planted: bool) -> None:
    for number in count(1):
        path = folder / f"{number}.db"
        if original.exists():
            shutil.copy(original, path)
        reading, writing = os.pipe()
        sys.stdout.flush()
        child = os.fork()
        if not child:
            _child(path, writing, way, number, is_planted=is_planted)
        os.close(writing)
        with os.fdopen(reading) as channel:
            at = channel.read()
        _, status = os.waitpid(child, 0)
        if status == 0:
            return
        assert os.WIFSIGNALED(status), status
        sys.stdout.write(f"{path}\t{at.splitlines()[0] if at else at}\n")


def _child(path: Path, channel: int, way: str, number: int, *, is_planted: bool) -> None:
    factory = _WithoutTransactions if is_planted else sqlite3.Connection
    connect, left = sqlite3.connect, number

    def about_to(statement: str) -> None:
        nonlocal left
        left -= 1
        if way == "statements" and left == 0:
            os.write(channel, statement.encode()[:200])
            os.kill(os.getpid(), signal.SIGKILL)

    def traced(*arguments: Any, **options: Any) -> sqlite3.Connection:
        connection: sqlite3.Connection = connect(*arguments, factory=factory, **options)
        connection.set_trace_callback(about_to)
        return connection

    sqlite3.connect = traced  # type: ignore[assignment]
    if way == "bytes":
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, ((number - 1) * STEP_BYTES, resource.RLIM_INFINITY))
        os.write(channel, f"byte {(number - 1) * STEP_BYTES}".encode())
    open_file(path, migrates=True)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], is_planted="planted" in sys.argv)
