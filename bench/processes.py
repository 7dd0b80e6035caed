"""Runs servers in their own processes, as in production. Each logs its address on its standard error."""

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
    """A server did not start to serve. The text has the end of its log."""


class ServerProcess:
    """A server that serves until the `with` block ends.

    Args:
        arguments: The arguments of Python.
        log_path: The file that receives its standard error.
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
            #: The HTTP port. 0 if there is none.
            self.http_port = int(serving.get("http_port", 0))
        except BaseException:
            self._process.kill()
            raise
        #: Seconds from the start of the process until it logged that it serves.
        self.start_seconds = time.perf_counter() - began

    @property
    def rss_mib(self) -> float:
        """The resident memory of the process in MiB. NaN without /proc."""
        return self._status_mib("VmRSS")

    def peak_growth_mib(self, work: Callable[[], object]) -> float:
        """Run `work`, and return by how many MiB the process grew at most. NaN without /proc."""
        before = self.rss_mib
        peak = Path(f"/proc/{self._process.pid}/clear_refs")
        if peak.exists():
            peak.write_text("5")  # Resets the peak.
        work()
        return self._status_mib("VmHWM") - before

    @property
    def cpu_seconds(self) -> float:
        """The CPU time of the process on all cores, in seconds. NaN without /proc."""
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
        """Wait for the log line with the addresses of the server, and return its fields."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline and self._process.poll() is None:
            for line in self._log_path.read_text().splitlines():
                if '"serving"' in line and line.endswith("}"):
                    line_fields: dict[str, Any] = json.loads(line)
                    return line_fields
            time.sleep(0.005)
        raise ServerFailed(f"{self._log_path.name}: {self._log_path.read_text()[-2_000:]}")


def budgetd(database: Path) -> ServerProcess:
    """Return `budgetd serve` on a file."""
    program = "from budgetd_server.cli import main; main()"
    ports = ["--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"]
    arguments = ["-c", program, "serve", *ports, "--database", str(database), "--log-json"]
    return ServerProcess(arguments, database.with_suffix(".log"))


def plain_hosted(folder: Path) -> ServerProcess:
    """Return a server that stores what LiteLLM's class saves unchanged in a folder; see hosted_contenders.py."""
    folder.mkdir(exist_ok=True)
    return ServerProcess(["-m", "bench.hosted_contenders", str(folder)], folder.with_suffix(".log"))


def contender(name: str, folder: Path, database: Path | None = None) -> ServerProcess:
    """Return a server that budgetd is compared with; see contenders.py."""
    arguments = ["-m", "bench.contenders", name]
    if database is not None:
        arguments.append(str(database))
    return ServerProcess(arguments, folder / f"{name}-{time.monotonic_ns()}.log")
