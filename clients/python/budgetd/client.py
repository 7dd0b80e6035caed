"""The thin clients: a method for each RPC, which takes and returns the generated messages.

They add to the generated stub a deadline for every call, a request id for every change, retries while the server is
unavailable, and errors with the server's reason and numbers.
"""

import os
from abc import abstractmethod
from collections.abc import Awaitable, Callable, Mapping

import grpc

from budgetd.address import choose_token, parse_address
from budgetd.calls.call import CallPolicy
from budgetd.calls.callers import AsyncCaller, AsyncTransport, CallerBase, SleepT, SyncCaller, Transport, TransportT
from budgetd.calls.service import BudgetServiceRpcs
from budgetd.transport.channel import AioTransport, Endpoint, GrpcTransport
from budgetd.values import check_seconds

CONNECT_TIMEOUT_VARIABLE = "BUDGETD_CONNECT_TIMEOUT_SECONDS"
#: Shorter than the timeout of changes: a failed read loses nothing, and a person may be waiting for it.
READ_TIMEOUT_SECONDS = 5.0


class _Client(BudgetServiceRpcs, CallerBase[TransportT, SleepT]):
    """The constructor of both clients."""

    def __init__(
        self,
        address: str | None = None,
        *,
        token: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout_seconds: float | None = None,
        connect_timeout_seconds: float | None = None,
    ) -> None:
        policy = policy_of(timeout_seconds, connect_timeout_seconds)
        super().__init__(self._over_grpc(_endpoint(address, token, credentials, metadata, policy)), policy)

    @staticmethod
    @abstractmethod
    def _over_grpc(endpoint: Endpoint) -> TransportT:
        """Make the transport to a server."""


class BudgetClient(_Client[Transport, Callable[[float], None]], SyncCaller):
    """A client that waits for its calls. Any number of threads, and children of `fork`, may share one.

    It connects at its first call.

    ```python
    with BudgetClient("localhost:50051") as client:
        response = client.update_cost(
            UpdateCostRequest(project_id="chat", budget_id="alice", cost_nano_usd=12_000_000)
        )
    ```

    Args:
        address: `host:port`, `grpc://host:port`, `grpcs://host:port` for TLS, or `unix:PATH` for a Unix socket. None:
            BUDGETD_ADDRESS, and without that 127.0.0.1:50051.
        token: Sent as `authorization: Bearer`. None: BUDGETD_TOKEN, if set; empty: none.
        credentials: For TLS, if the system's certificate authorities are not the right ones, or the server asks for a
            certificate: what `grpc.ssl_channel_credentials` returns.
        metadata: Additional metadata of every call; names are in lower case.
        timeout_seconds: For a whole call with its retries, unless the call sets its own; above 0, at most 1,000,000.
            None: 10 seconds for calls that change something, 5 for those that only read.
        connect_timeout_seconds: How long a call tries a server that has never answered this client before it raises
            ServerUnreachable. If the server has answered before, a call retries until its deadline. None:
            BUDGETD_CONNECT_TIMEOUT_SECONDS, and without that 1 second.

    Raises:
        TypeError: A number of seconds is not a number.
        ValueError: An argument, or the environment variable in its place, breaks a rule.
    """

    _over_grpc = GrpcTransport


class AsyncBudgetClient(_Client[AsyncTransport, Callable[[float], Awaitable[None]]], AsyncCaller):
    """`BudgetClient` with coroutine methods. It belongs to the event loop that uses it.

    Arguments and errors are those of `BudgetClient`.
    """

    _over_grpc = AioTransport


def policy_of(timeout_seconds: float | None, connect_timeout_seconds: float | None = None) -> CallPolicy:
    """Return how long calls to a server may take. None: the defaults, which are shorter for reads.

    Raises:
        TypeError: An argument is not a number.
        ValueError: An argument is not above 0, or is above 1,000,000.
    """
    connect_seconds = _connect_seconds() if connect_timeout_seconds is None else connect_timeout_seconds
    if timeout_seconds is None:
        return CallPolicy(read_timeout_seconds=READ_TIMEOUT_SECONDS, connect_timeout_seconds=connect_seconds)
    return CallPolicy(timeout_seconds=timeout_seconds, connect_timeout_seconds=connect_seconds)


def _connect_seconds() -> float:
    """Return how long to try a server that has never answered, if no argument is given.

    Raises:
        ValueError: The environment variable is not a number above 0 and at most 1,000,000.
    """
    text = os.environ.get(CONNECT_TIMEOUT_VARIABLE, "").strip()
    if not text:
        return CallPolicy().connect_timeout_seconds
    try:
        seconds = float(text)
    except ValueError:
        raise ValueError(f"{CONNECT_TIMEOUT_VARIABLE} must be a number of seconds, got {text!r}") from None
    check_seconds(CONNECT_TIMEOUT_VARIABLE, seconds)
    return seconds


def _endpoint(
    address_text: str | None,
    token: str | None,
    credentials: grpc.ChannelCredentials | None,
    metadata: Mapping[str, str] | None,
    policy: CallPolicy,
) -> Endpoint:
    address = parse_address(address_text)
    if credentials is not None and not address.is_tls:
        raise ValueError(f"credentials need TLS: write 'grpcs://{address.target}'")
    pairs = list((metadata or {}).items())
    for name, _ in pairs:
        if name != name.lower():
            raise ValueError(f"metadata names must be in lower case, got {name!r}")
    if token := choose_token(address, token):
        pairs.append(("authorization", f"Bearer {token}"))
    return Endpoint(
        address=address,
        credentials=credentials,
        metadata=tuple(pairs),
        connect_timeout_seconds=policy.connect_timeout_seconds,
    )
