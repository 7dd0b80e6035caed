"""The HTTP server, on the same event loop as everything else."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette


class HttpServer:
    """Serves an application until it is stopped. Signals are left to the program."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._task: asyncio.Task[None] | None = None
        self._socket: socket.socket | None = None

    async def start(self, address: str) -> int:
        """Listen on host:port and serve; returns the port.

        Raises:
            OSError: The address cannot be listened on.
        """
        host, _, port = address.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.create_server((host, int(port)), family=family)
        # uvicorn's own way in would catch the program's signals.
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[self._socket])
        self._task = asyncio.create_task(self._server.main_loop(), name="budgetd-http")
        return int(self._socket.getsockname()[1])

    async def stop(self) -> None:
        """Stop serving."""
        if self._task is None or self._socket is None:
            return
        self._server.should_exit = True
        await self._task
        await self._server.shutdown(sockets=[self._socket])
