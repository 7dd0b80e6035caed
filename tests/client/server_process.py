"""budgetd in a process of its own, so that it can be killed, and so that tests can fork."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

import grpc

START_SECONDS = 90


class ServerProcess:
    """`budgetd serve` on a port of 127.0.0.1 and a SQLite file, and on another port for HTTP if it is asked to."""

    def __init__(self, database: Path, *, has_http: bool = False) -> None:
        self._database = database
        self._has_http = has_http
        #: The port for HTTP; 0: there is none.
        self.http_port = 0
        self.address = self._start(port=0)

    def restart(self) -> None:
        """Begin again on the same file and ports, after `kill`."""
        self._start(port=int(self.address.rpartition(":")[2]))

    def kill(self) -> None:
        """End it as a power cut would (signal 9)."""
        self._process.kill()
        self._process.wait()
        self._reader.join()

    def _start(self, *, port: int) -> str:
        command = [sys.executable, "-m", "budgetd_server", "serve", "--log-json"]
        command += ["--http-listen", f"127.0.0.1:{self.http_port}" if self._has_http else ""]
        command += ["--listen", f"127.0.0.1:{port}", "--database", str(self._database)]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("BUDGETD_")}
        self._process = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self._process.stdout is not None
        try:
            serving = _serving(self._process.stdout)
        except AssertionError:
            self._process.wait()
            raise
        # A pipe that is not read would block the server once it is full.
        self._reader = threading.Thread(target=_emptied, args=(self._process.stdout,))
        self._reader.start()
        self.http_port = int(serving["http_port"])
        # Clients give up after a second; on a busy machine a server may need longer for its first connection.
        with grpc.insecure_channel(str(serving["listen"])) as channel:
            grpc.channel_ready_future(channel).result(START_SECONDS)
        return str(serving["listen"])


def _emptied(output: IO[str]) -> None:
    with output:
        output.read()


def _serving(output: IO[str]) -> dict[str, Any]:
    """What the log says once it serves: where it listens, among others."""
    seen = []
    for line in output:
        seen.append(line)
        if '"serving"' in line:
            serving: dict[str, Any] = json.loads(line)
            return serving
    output.close()
    raise AssertionError(f"the server ended before it served: {''.join(seen)}")
