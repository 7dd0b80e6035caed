"""The HTTP server, on the same event loop as everything else."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette

from budgetd_server.unix_sockets import remove_socket, unix_path


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers: the program handles signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture no signals."""
        yield


class HttpServer:
    """Serves an application until it is stopped."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None
        #: The port or the path of the Unix socket that it listens on; 0 if none.
        self.local: int | str = 0

    async def start(self, address: str) -> int:
        """Listen on host:port or unix:PATH, and serve. Returns the port; 0 for a Unix socket.

        Raises:
            OSError: The address cannot be listened on.
        """
        listening = _listening(address)
        self.local = listening.getsockname() if listening.family == socket.AF_UNIX else listening.getsockname()[1]
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="budgetd-http")
        return self.local if isinstance(self.local, int) else 0

    async def stop(self) -> None:
        """Stop serving."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
            if isinstance(self.local, str):
                remove_socket(self.local)


def _listening(address: str) -> socket.socket:
    path = unix_path(address)
    if path is not None:
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(path)
        listening.listen()
        return listening
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, int(port)), family=family)
    # asyncio sets it only on sockets with an explicit protocol; without it an answer may wait for a delayed ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
