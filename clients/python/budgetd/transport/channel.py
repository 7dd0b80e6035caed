"""gRPC channels that are made when first needed, and replaced when they can no longer be used.

A channel has threads and sockets of its own. It does not survive `fork`: the child has the sockets, but not the
threads. So the first call makes the channel, not the constructor; a child forgets its parent's channel and makes its
own; and each client has its own connections (gRPC would share them among all channels of a process, so a child would
receive its parent's). The forgotten channel is kept alive, since closing it waits for threads that the child lacks.
An asyncio channel belongs to the loop in which it was made; a new loop gets a new one.

gRPC's own fork handlers (GRPC_ENABLE_FORK_SUPPORT) are not needed, and hang a child whose parent was in a call.
"""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar, cast

import grpc
import grpc.aio

from budgetd.address import Address
from budgetd.calls.rpc import ResponseT, UnaryRpc
from budgetd.errors import BudgetdError
from budgetd.request_ids import RequestT
from budgetd.transport.status import error_of_rpc
from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub

#: The server's limit, in both directions.
MESSAGE_BYTES_MAX = 4 * 1024 * 1024
#: Servers refuse clients that ping more often than they allow; ours allows ten seconds.
KEEPALIVE_SECONDS = 30
KEEPALIVE_TIMEOUT_SECONDS = 10
RECONNECT_SECONDS_MIN, RECONNECT_SECONDS_MAX = 0.1, 1.0

Option = tuple[str, int]
ChannelT = TypeVar("ChannelT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """How to reach a server."""

    address: Address
    #: None: the system's certificate authorities for TLS, and nothing for plain text.
    credentials: grpc.ChannelCredentials | None
    #: Sent with every call. It has the token, so it must not be logged.
    metadata: tuple[tuple[str, str], ...]
    #: The timeout of one attempt to connect, including TLS.
    connect_timeout_seconds: float

    def options(self) -> list[Option]:
        """Return the options of a channel."""
        options = [
            ("grpc.max_receive_message_length", MESSAGE_BYTES_MAX),
            ("grpc.max_send_message_length", MESSAGE_BYTES_MAX),
            ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
            ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_SECONDS * 1000),
            # Detects a connection that a firewall has silently dropped before the next call needs it.
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.http2.max_pings_without_data", 0),
            # gRPC also uses this as the timeout of an attempt to connect.
            ("grpc.min_reconnect_backoff_ms", max(int(self.connect_timeout_seconds * 1000), 1)),
            ("grpc.initial_reconnect_backoff_ms", int(RECONNECT_SECONDS_MIN * 1000)),
            ("grpc.max_reconnect_backoff_ms", int(RECONNECT_SECONDS_MAX * 1000)),
            ("grpc.use_local_subchannel_pool", 1),
        ]
        if self.address.needs_no_proxy:
            # A proxy from the environment cannot reach this machine's own addresses, and must not see a token.
            options.append(("grpc.enable_http_proxy", 0))
        return options

    def open(
        self,
        insecure: Callable[[str, list[Option]], ChannelT],
        secure: Callable[[str, grpc.ChannelCredentials, list[Option]], ChannelT],
    ) -> ChannelT:
        """Make a channel by one of two functions of gRPC, without or with TLS."""
        if not self.address.is_tls:
            return insecure(self.address.target, self.options())
        return secure(self.address.target, self.credentials or grpc.ssl_channel_credentials(), self.options())


class _Peer:
    """The server's endpoint, and whether it has answered; common to both transports."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.has_answered = False

    def failure(self, error: grpc.RpcError) -> BudgetdError:
        """Turn an error of gRPC into the one to raise."""
        address = self.endpoint.address
        ours = error_of_rpc(
            error, target=address.target, has_answered=self.has_answered, proxy_variable=address.proxy_variable()
        )
        self.has_answered |= bool(ours.reason)
        # An error of budgetd is complete; for other failures gRPC's own error may have more details.
        ours.__cause__ = None if ours.reason else error
        ours.__suppress_context__ = True
        return ours


class GrpcTransport:
    """Calls over a `grpc.Channel`. Any number of threads, and children of `fork`, may share one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._peer = _Peer(endpoint)
        self._channel: grpc.Channel | None = None
        self._stub: BudgetServiceStub | None = None
        self._is_closed = False
        self._lock = threading.Lock()
        _FORKED.add(self)

    def unary(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt; see `Transport`."""
        method = getattr(self._stub or self._connected(), rpc.name)
        try:
            response = method(request, timeout=timeout_seconds, metadata=self._peer.endpoint.metadata)
        except grpc.RpcError as error:
            raise self._peer.failure(error)  # noqa: B904 - it has its cause.
        self._peer.has_answered = True
        return cast(ResponseT, response)

    def close(self) -> None:
        """Close the channel, and cancel the calls in flight."""
        with self._lock:
            channel, self._channel, self._stub, self._is_closed = self._channel, None, None, True
        if channel is not None:
            channel.close()

    def forget(self) -> None:
        """Reset in a child process, with a new lock: a thread that the child lacks may hold the old one."""
        self._lock = threading.Lock()
        if self._channel is not None:
            _ABANDONED.append(self._channel)
        self._channel = self._stub = None

    def _connected(self) -> BudgetServiceStub:
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the client is closed")
            if self._stub is None:
                self._channel = self._peer.endpoint.open(grpc.insecure_channel, grpc.secure_channel)
                self._stub = BudgetServiceStub(self._channel)
            return self._stub


class AioTransport:
    """Calls over a `grpc.aio.Channel`, on one event loop at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._peer = _Peer(endpoint)
        self._channel: grpc.aio.Channel | None = None
        self._stub: BudgetServiceStub | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False

    async def unary(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float
    ) -> ResponseT:
        """Carry out one attempt; see `Transport`."""
        if self._stub is None or self._loop is not asyncio.get_running_loop():
            self._connect()
        method = getattr(self._stub, rpc.name)
        try:
            response = await method(request, timeout=timeout_seconds, metadata=self._peer.endpoint.metadata)
        except grpc.RpcError as error:
            raise self._peer.failure(error)  # noqa: B904 - it has its cause.
        self._peer.has_answered = True
        return cast(ResponseT, response)

    async def close(self) -> None:
        """Close the channel, and cancel the calls in flight."""
        channel, self._channel, self._stub, self._is_closed = self._channel, None, None, True
        if channel is not None and self._loop is asyncio.get_running_loop():
            await channel.close()

    def _connect(self) -> None:
        if self._is_closed:
            raise RuntimeError("the client is closed")
        if self._loop is not None and not self._loop.is_closed() and self._stub is not None:
            raise RuntimeError("this client is in use on another event loop: make one for each loop")
        self._channel = self._peer.endpoint.open(grpc.aio.insecure_channel, grpc.aio.secure_channel)
        self._stub = BudgetServiceStub(self._channel)
        self._loop = asyncio.get_running_loop()


#: The transports to reset in a child of `fork`, and the parent's channels, which the child must not touch.
_FORKED: weakref.WeakSet[GrpcTransport] = weakref.WeakSet()
_ABANDONED: list[grpc.Channel] = []


def _forget_all() -> None:
    for transport in list(_FORKED):
        transport.forget()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)
