"""A real server in a process of its own, on ports that the system chooses, ended by its own handle and no other."""

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

START_SECONDS = 60
END_SECONDS = 30
#: The program that users start.
BUDGETD = (str(Path(sys.executable).with_name("budgetd")),)
HERE = Path(__file__).parent
#: Where a server listens, in the line that says that it serves, as JSON or as text.
_LISTEN = re.compile(r"\blisten\W+([\d.]+:\d+|unix:[^\s\"]+)")
_HTTP_PORT = re.compile(r"\bhttp_port\W+(\d+|unix:)")


def planted(name: str) -> Sequence[str]:
    """A program next to this file that plants an error and then runs the real server."""
    return (sys.executable, str(HERE / f"{name}.py"))


class ServerProcess:
    """One run of a server; make it with `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        #: What it has written to standard error so far, line by line.
        self.lines: list[str] = []
        self._serving: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reader = asyncio.create_task(self._read())
        self.address = ""
        self.http_port = 0

    @classmethod
    async def start(
        cls,
        database: Path,
        *options: str,
        program: Sequence[str] = BUDGETD,
        environment: Mapping[str, str] | None = None,
    ) -> "ServerProcess":
        """Start a server and return once it serves."""
        process = await asyncio.create_subprocess_exec(
            *program,
            *("serve", "--database", str(database)),
            *("--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0"),
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "BUDGETD_LOG_JSON": "true", **(environment or {})},
        )
        server = cls(process)
        try:
            await asyncio.wait_for(server._serving, START_SECONDS)
        except BaseException:
            await server.end()
            raise
        return server

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def kill(self) -> None:
        """SIGKILL: it does nothing more."""
        self._process.kill()

    def terminate(self) -> None:
        """SIGTERM: asks it to end."""
        self._process.send_signal(signal.SIGTERM)

    async def ended(self, timeout_seconds: float = END_SECONDS) -> int:
        """Its exit code, once it has ended and all that it wrote is read."""
        code = await asyncio.wait_for(self._process.wait(), timeout_seconds)
        await self._reader
        return code

    async def end(self) -> None:
        """Make sure that it is gone."""
        if self._process.returncode is None:
            self._process.kill()
        await self.ended()

    def stray_lines(self) -> list[str]:
        """What it has written that is no line of its log, such as a traceback of Python's."""
        return [line for line in self.lines if not line.startswith("{")]

    async def has_logged(self, event: str) -> None:
        """Return once a log line of that event was written."""
        while not any(f'"event": "{event}"' in line for line in self.lines):
            await asyncio.sleep(0.005)

    async def _read(self) -> None:
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            line = raw.decode()
            self.lines.append(line)
            listen, http_port = _LISTEN.search(line), _HTTP_PORT.search(line)
            if listen and http_port and not self._serving.done():
                self.address, self.http_port = listen[1], int(http_port[1]) if http_port[1].isdecimal() else 0
                self._serving.set_result(None)
        if not self._serving.done():
            self._serving.set_exception(AssertionError(f"the server has not started: {''.join(self.lines)}"))


@asynccontextmanager
async def running(
    database: Path,
    *options: str,
    program: Sequence[str] = BUDGETD,
    environment: Mapping[str, str] | None = None,
) -> AsyncIterator[ServerProcess]:
    """A server that serves, and is gone at the end of the block, however it ends."""
    server = await ServerProcess.start(database, *options, program=program, environment=environment)
    try:
        yield server
    finally:
        await server.end()


async def run_to_end(*arguments: str, program: Sequence[str] = BUDGETD) -> tuple[int, str, str]:
    """Run a program that ends by itself; its exit code, standard output and standard error."""
    process = await asyncio.create_subprocess_exec(
        *program,
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        # Tables as wide as they need to be, and no colours.
        env={**os.environ, "COLUMNS": "250", "NO_COLOR": "1"},
    )
    try:
        output, errors = await asyncio.wait_for(process.communicate(), START_SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode(), errors.decode()
