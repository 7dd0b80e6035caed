"""Runs a budgetd server during a `with` block, in its own process and on a temporary file."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

START_SECONDS = 60.0
STOP_SECONDS = 30.0
POLL_SECONDS = 0.02


class ServerFailed(RuntimeError):
    """The server did not start. The text has its output."""


@contextmanager
def own_server(*options: str) -> Iterator[str]:
    """Start a server, yield its address, and stop it at the end.

    Args:
        options: More options for `budgetd serve`.

    Raises:
        ServerFailed: The server did not start.
    """
    with TemporaryDirectory(prefix="budgetd-demo-") as folder:
        log = Path(folder, "server.log")
        with log.open("w", encoding="utf-8") as standard_error:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "budgetd_server", "serve", "--log-json", "--log-level", "info"),
                    # Port 0: the system chooses a free port, which the log contains.
                    *("--listen", "127.0.0.1:0", "--http-listen", ""),
                    *("--database", str(Path(folder, "budgetd.db")), *options),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=standard_error,
            )
        try:
            yield _address(process, log)
        finally:
            _stop(process)


def _address(process: "subprocess.Popen[bytes]", log: Path) -> str:
    """Wait until the server has logged its address, and return it."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        has_ended = process.poll() is not None
        lines = log.read_text("utf-8").splitlines(keepends=True)
        for line in lines:
            if line.startswith("{") and line.endswith("\n") and (event := json.loads(line))["event"] == "serving":
                return str(event["listen"])
        if has_ended:
            raise ServerFailed(f"the server ended with exit code {process.returncode}: {''.join(lines).strip()}")
        time.sleep(POLL_SECONDS)
    raise ServerFailed(f"the server did not serve within {START_SECONDS:.0f} s: {log.read_text('utf-8').strip()}")


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
