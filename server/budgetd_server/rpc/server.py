"""The gRPC server: the service, health and reflection on one port."""

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from budgetd_server.connections import end_connections
from budgetd_server.rpc.handlers import SERVICE
from budgetd_server.unix_sockets import remove_socket, unix_path

MESSAGE_BYTES_MAX = 4 * 1024 * 1024
HEALTH_NAMES = ("", SERVICE.full_name)

_OPTIONS = [
    # Off: otherwise a second server could silently share the port.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.max_concurrent_streams", 1_000),
    # Clients may ping every ten seconds at most; more frequent pings are answered with GOAWAY.
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
]


class PortBusy(Exception):
    """The address cannot be listened on."""


class RpcServer:
    """A gRPC server that has not begun to listen."""

    def __init__(self, handler: grpc.GenericRpcHandler) -> None:
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((handler,))
        #: The port or the path of the Unix socket that it listens on; 0 before `start`.
        self.local: int | str = 0
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        names = (SERVICE.full_name, health.SERVICE_NAME, reflection.SERVICE_NAME)
        reflection.enable_server_reflection(names, self._server)

    async def start(self, address: str) -> int:
        """Listen on host:port or unix:PATH, and serve.

        Returns:
            The port, which the system chooses for port 0; 0 for a Unix socket.

        Raises:
            PortBusy: Another program listens there, or the address does not belong to this machine.
        """
        path = unix_path(address)
        try:
            port = self._server.add_insecure_port(address if path is None else f"unix:{path}")
        except RuntimeError as error:
            raise PortBusy(
                f"cannot listen on {address}: the port is in use, or the address is not this machine's"
                if path is None
                else f"cannot listen on {address}: no socket can be made there"
            ) from error
        await self._server.start()
        self.local = port if path is None else path
        return port if path is None else 0

    async def set_serving(self, *, is_serving: bool) -> None:
        """Set what health checks report: whether calls can succeed."""
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if is_serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in HEALTH_NAMES:
            await self._health.set(name, status)

    async def begin_shutdown(self) -> None:
        """Make health checks report from now on that this server is stopping; calls are still served."""
        await self._health.enter_graceful_shutdown()

    async def stop(self, grace_seconds: float) -> None:
        """Close all connections, give the calls in flight `grace_seconds` to finish, and stop.

        gRPC's own way to stop would cancel calls that arrive at that moment, and clients do not retry cancelled calls.
        """
        if self.local:
            end_connections(lambda ends: ends.local == self.local and not ends.peer)
            end_connections(lambda ends: ends.local == self.local)
        await self._server.stop(grace_seconds)
        if isinstance(self.local, str):
            remove_socket(self.local)
