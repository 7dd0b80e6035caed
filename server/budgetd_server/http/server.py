"""The HTTP server, on the same event loop as everything else."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from starlette.applications import Starlette


class _Uvicorn(uvicorn.Server):
    """uvicorn, leaving signals to the program."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch none."""
        yield


class HttpServer:
    """Serves an application until it is stopped."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, address: str) -> int:
        """Listen on host:port and serve; returns the port.

        Raises:
            OSError: The address cannot be listened on.
        """
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, int(port)), family=family)
        # asyncio sets it only on sockets that name their protocol; without it an answer may wait for a delayed ACK.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._task = asyncio.create_task(self._server.serve(sockets=[listening]), name="budgetd-http")
        return int(listening.getsockname()[1])

    async def stop(self) -> None:
        """Stop serving."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task
