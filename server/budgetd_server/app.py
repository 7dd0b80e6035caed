"""Composes the server: only this module and the command line name both the interfaces and their implementations."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable
from importlib.metadata import version

from budgetd_server.config import Config
from budgetd_server.connections import end_connections
from budgetd_server.core import Core, system_clock_us
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.answer_room import AnswerRoom
from budgetd_server.engine.in_flight import InFlight
from budgetd_server.http.app import http_app
from budgetd_server.http.server import HttpServer
from budgetd_server.ledger.base import Ledger
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.litellm.hosted.protocol import HostedProtocol
from budgetd_server.metrics import Metrics
from budgetd_server.rpc.adapter import generic_handler
from budgetd_server.rpc.server import PortBusy, RpcServer
from budgetd_server.unix_sockets import place_for_socket, unix_path

log = logging.getLogger(__name__)

#: How long gRPC waits at the end for calls that are not ours: open health watches never end by themselves.
STOP_SECONDS = 0.2
#: Before the port is closed, calls are refused until none has arrived for this long, so that none is in transit.
QUIET_SECONDS = 0.05
#: How long that wait may take.
QUIET_SECONDS_MAX = 1.0


async def open_ledger(config: Config) -> Ledger:
    """Open the store that the configuration names.

    Raises:
        LedgerRefused: The store must not be opened.
    """
    return await SqliteLedger.open(config.database_path, migrates=config.migrates)


def check_ports(config: Config) -> None:
    """Refuse ports that another program listens on, before anything is opened. Unix sockets are not checked.

    Raises:
        PortBusy: A port is in use.
    """
    for address in filter(None, (config.listen, config.http_listen)):
        host, _, port = address.rpartition(":")
        if unix_path(address) is not None or port == "0":
            continue
        host = host.removeprefix("[").removesuffix("]")
        try:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            socket.create_server((host, int(port)), family=family).close()
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusy(f"cannot listen on {address}: the port is in use") from error


class Server:
    """One budgetd server: gRPC and HTTP over one engine over one ledger."""

    def __init__(
        self,
        config: Config,
        ledger: Ledger,
        prices: Prices,
        *,
        clock: Callable[[], int] = system_clock_us,
        metrics: Metrics | None = None,
    ) -> None:
        self._config = config
        self._core = Core(ledger, prices, clock=clock, metrics=metrics, queue_max=config.queue_max)
        self.metrics, self.engine, self.handlers = self._core.metrics, self._core.engine, self._core.handlers
        self.metrics.build_info.labels(version("budgetd-server"), "sqlite").set(1)
        self._in_flight = InFlight()
        self._room = AnswerRoom(self._cut_off)
        self._rpc = RpcServer(generic_handler(self.handlers, self.metrics, self._in_flight, self._room))
        hosted = HostedProtocol(self.engine, prices, self.metrics, self._in_flight, self._room)
        self._http = HttpServer(http_app(self.metrics.registry, self._is_ready, hosted.routes()))
        self._is_stopping = False
        self._health_tasks: set[asyncio.Task[None]] = set()
        #: The ports of gRPC and HTTP once started; 0 if there is none, or if it is a Unix socket.
        self.port = self.http_port = 0

    async def start(self) -> None:
        """Start to serve.

        Raises:
            PortBusy: A port cannot be listened on.
        """
        if self._config.preloads_tokenizers:
            await self._core.tokens.preload()
        self.engine.writer.on_health = self._on_store_health
        self._core.start()
        try:
            if self._config.http_listen:
                self.http_port = await self._start_http(self._config.http_listen)
            self.port = await self._start_rpc(self._config.listen)
        except PortBusy:
            await self.stop()
            raise
        await self._rpc.set_serving(is_serving=True)

    async def stop(self) -> None:
        """Stop gracefully: announce it, finish the calls in flight, commit the queue and close the files."""
        self._is_stopping = True
        await self._rpc.begin_shutdown()
        self._in_flight.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._in_flight.none(), self._config.grace_seconds)
        # gRPC cancels calls that arrive while it stops, and clients retry only after UNAVAILABLE.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._in_flight.quiet(QUIET_SECONDS), QUIET_SECONDS_MAX)
        await self._rpc.stop(STOP_SECONDS)
        await self._core.stop()
        await self._http.stop()

    def _cut_off(self, peer: str) -> None:
        """Close the connection of a peer that does not read its answers."""
        locals_ = (self._rpc.local, self._http.local)
        end_connections(lambda ends: ends.local in locals_ and ends.peer == peer)
        self.metrics.slow_readers.inc()
        log.warning("a reader that was too slow has been cut off", extra={"peer": peer})

    def _is_ready(self) -> bool:
        return self.engine.writer.is_healthy and not self._is_stopping

    def _on_store_health(self) -> None:
        if self._is_stopping:
            return
        task = asyncio.get_running_loop().create_task(self._rpc.set_serving(is_serving=self.engine.writer.is_healthy))
        self._health_tasks.add(task)
        task.add_done_callback(self._health_tasks.discard)

    async def _start_rpc(self, address: str) -> int:
        try:
            with place_for_socket(address):
                return await self._rpc.start(address)
        except OSError as error:
            raise PortBusy(f"cannot listen on {address}: {error}") from error

    async def _start_http(self, address: str) -> int:
        try:
            with place_for_socket(address):
                return await self._http.start(address)
        except OSError as error:
            raise PortBusy(f"cannot listen on {address}: {error.strerror or error}") from error
