"""Servers in processes of their own, as they run in production; each says where it listens on its standard error."""

import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

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
            serving = self._serving()
            #: host:port.
            self.address = str(serving["listen"])
            #: The port of HTTP; 0: there is none.
            self.http_port = int(serving.get("http_port", 0))
        except BaseException:
            self._process.kill()
            raise
        #: From the start of the process until it said that it serves.
        self.start_seconds = time.perf_counter() - began

    @property
    def rss_mib(self) -> float:
        """The memory that the process has in RAM; not a number where there is no /proc."""
        return self._status_mib("VmRSS")

    def peak_growth_mib(self, work: Callable[[], object]) -> float:
        """By how many MiB the process grew at most while it worked; not a number where there is no /proc."""
        before = self.rss_mib
        peak = Path(f"/proc/{self._process.pid}/clear_refs")
        if peak.exists():
            peak.write_text("5")  # It is counted from now on.
        work()
        return self._status_mib("VmHWM") - before

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

    def _status_mib(self, name: str) -> float:
        path = Path(f"/proc/{self._process.pid}/status")
        if not path.exists():
            return math.nan
        return int(re.findall(rf"^{name}:\s+(\d+) kB$", path.read_text(), flags=re.MULTILINE)[0]) / 1024

    def _serving(self) -> dict[str, Any]:
        """The line of the log that tells that it serves, and where."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in self._log_path.read_text().splitlines():
                if '"serving"' in line and line.endswith("}"):
                    told: dict[str, Any] = json.loads(line)
                    return told
            time.sleep(0.005)
        raise ServerFailed(f"{self._log_path.name}: {self._log_path.read_text()[-2_000:]}")


def budgetd(database: Path) -> ServerProcess:
    """`budgetd serve` on a file."""
    program = "from budgetd_server.cli import main; main()"
    ports = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    arguments = ["-c", program, "serve", *ports, "--database", str(database), "--log-json"]
    return ServerProcess(arguments, database.with_suffix(".log"))


def plain_hosted(folder: Path) -> ServerProcess:
    """A server that stores in a folder what LiteLLM's class saves, as it comes; see hosted_contenders.py."""
    folder.mkdir(exist_ok=True)
    return ServerProcess(["-m", "bench.hosted_contenders", str(folder)], folder.with_suffix(".log"))


def contender(name: str, folder: Path, database: Path | None = None) -> ServerProcess:
    """A server that budgetd is compared with; see contenders.py."""
    arguments = ["-m", "bench.contenders", name]
    if database is not None:
        arguments.append(str(database))
    return ServerProcess(arguments, folder / f"{name}-{time.monotonic_ns()}.log")
