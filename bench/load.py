"""Sends load from other processes, and returns what they measured."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

H2LOAD = shutil.which("h2load")
SECONDS_MAX = 300.0


class LoadFailed(Exception):
    """Calls failed that must not fail. The text says how many and why."""


@dataclass(frozen=True, slots=True)
class Load:
    """The answered calls: when each began and ended, in microseconds of one clock."""

    calls: Sequence[tuple[int, int]]
    #: The calls that were refused, if refusals are allowed.
    refused: Sequence[tuple[int, int]] = ()

    @property
    def per_second(self) -> float:
        """Calls per second, from the first start to the last end."""
        return len(self.calls) / self.seconds

    @property
    def seconds(self) -> float:
        """Seconds from the first start to the last end, including refused calls."""
        answered = [*self.calls, *self.refused]
        return (max(ended for _, ended in answered) - min(began for began, _ in answered)) / 1e6

    def quantile_us(self, q: float) -> float:
        """Return a quantile of the times of the calls."""
        taken = sorted(ended - began for began, ended in self.calls)
        return float(taken[min(len(taken) - 1, int(q * len(taken)))])


def send_unary(
    address: str, path: str, frames: Sequence[Path], *, callers: int, calls: int, with_h2load: bool = True
) -> Load:
    """Send unary calls from groups of callers. Each group sends the one message of its file.

    Args:
        address: host:port.
        path: The path of the method, such as /package.Service/Method.
        frames: One file for each group of callers.
        callers: The number of calls in flight at any time, over all groups.
        calls: The number of calls, over all groups.
        with_h2load: False: use the Python generator, which is also used if h2load is not installed.
    """
    if not (H2LOAD and with_h2load):
        together = frames[0].with_name("together.frames")
        together.write_bytes(b"".join(each.read_bytes() for each in frames))
        return send_messages(address, path, together, callers=callers, calls=calls)
    groups = frames[:callers]
    each_calls = max(calls // len(groups), callers // len(groups))
    running = []
    for file in groups:
        log = file.with_suffix(".log")
        log.unlink(missing_ok=True)
        streams = ["-n", str(each_calls), "-c", "1", "-m", str(callers // len(groups))]
        headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
        command = [H2LOAD, *streams, *headers, "-d", str(file), f"--log-file={log}", f"http://{address}{path}"]
        running.append((log, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
    answered: list[tuple[int, int]] = []
    for log, process in running:
        output, _ = process.communicate(timeout=SECONDS_MAX)
        calls_of_log = list(_calls_of_log(log)) if log.exists() else []
        if process.returncode or len(calls_of_log) != each_calls:
            raise LoadFailed(f"h2load: {len(calls_of_log)} of {each_calls} calls were answered: {output[-500:]}")
        answered += calls_of_log
    return Load(answered)


def send_messages(
    address: str,
    path: str,
    frames: Path,
    *,
    callers: int,
    calls: int = 0,
    may_refuse: bool = False,
    commit_path: str = "",
) -> Load:
    """Send the messages of a file with the Python generator, each once or repeatedly.

    Args:
        address: host:port.
        path: The path of the method.
        frames: The messages.
        callers: The number of calls in flight at any time.
        calls: The number of calls. 0: each message once.
        may_refuse: True if calls may be refused for lack of budget.
        commit_path: The path of the method by which callers commit each hold before the next call. Empty: no commit.
    """
    arguments = [address, path, str(frames), "--callers", str(callers), "--calls", str(calls)]
    arguments += ["--may-refuse"] if may_refuse else []
    arguments += ["--commit-path", commit_path] if commit_path else []
    output = subprocess.run(
        [sys.executable, "-m", "bench.generator", *arguments],
        check=True,
        capture_output=True,
        timeout=SECONDS_MAX,
    ).stdout
    sent = json.loads(output)
    if sent["failed"]:
        raise LoadFailed(f"{sent['failed']} calls failed: {sent['errors']}")
    return Load(
        [(began, ended) for began, ended in sent["calls"]],
        [(began, ended) for began, ended in sent["refused"]],
    )


@contextmanager
def sending(address: str, path: str, frames: Path, *, callers: int) -> Iterator[None]:
    """Send a file's messages repeatedly while the block runs."""
    arguments = [address, path, str(frames), "--callers", str(callers), "--calls", str(10**9)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.generator", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None, "it is a pipe"
    try:
        process.stderr.readline()  # The line that reports the start.
        yield
        if process.poll() is not None:
            raise LoadFailed("the load in the background ended early")
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _calls_of_log(log: Path) -> Iterator[tuple[int, int]]:
    """Read h2load's log, whose lines have the start of a call in µs, its HTTP status, and its duration in µs."""
    for line in log.read_text().splitlines():
        began, status, taken = line.split("\t")
        if status == "200":
            yield int(began), int(began) + int(taken)
