"""Servers in processes of their own, as they run in production; each says where it listens on its standard error."""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0


class ServerFailed(Exception):
    """A server that did not begin to serve; the text holds the end of its log."""


class ServerProcess:
    """A server that serves until the `with` block ends.

    Args:
        arguments: Those of Python.
        log_path: Where its standard error goes.
    """

    def __init__(self, arguments: Sequence[str], log_path: Path) -> None:
        self._log_path = log_path
        began = time.perf_counter()
        with log_path.open("w") as log:
            self._process = subprocess.Popen([sys.executable, *arguments], stderr=log, stdout=subprocess.DEVNULL)
        try:
            #: host:port.
            self.address = self._listening()
        except BaseException:
            self._process.kill()
            raise
        #: From the start of the process until it said that it serves.
        self.start_seconds = time.perf_counter() - began

    @property
    def rss_mib(self) -> float:
        """The memory that the process has in RAM; not a number where there is no /proc."""
        path = Path(f"/proc/{self._process.pid}/status")
        if not path.exists():
            return math.nan
        return int(re.findall(r"^VmRSS:\s+(\d+) kB$", path.read_text(), flags=re.MULTILINE)[0]) / 1024

    @property
    def cpu_seconds(self) -> float:
        """The time that the process has used on all cores; not a number where there is no /proc."""
        path = Path(f"/proc/{self._process.pid}/stat")
        if not path.exists():
            return math.nan
        fields = path.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listening(self) -> str:
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in self._log_path.read_text().splitlines():
                if '"serving"' in line and line.endswith("}"):
                    return str(json.loads(line)["listen"])
            time.sleep(0.005)
        raise ServerFailed(f"{self._log_path.name}: {self._log_path.read_text()[-2_000:]}")


def budgetd(database: Path) -> ServerProcess:
    """`budgetd serve` on a file."""
    program = "from budgetd_server.cli import main; main()"
    ports = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    arguments = ["-c", program, "serve", *ports, "--database", str(database), "--log-json"]
    return ServerProcess(arguments, database.with_suffix(".log"))


def contender(name: str, folder: Path, database: Path | None = None) -> ServerProcess:
    """A server that budgetd is compared with; see contenders.py."""
    arguments = ["-m", "bench.contenders", name]
    if database is not None:
        arguments.append(str(database))
    return ServerProcess(arguments, folder / f"{name}-{time.monotonic_ns()}.log")
