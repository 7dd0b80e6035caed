"""The constructor of both managers: checks its arguments and makes the client."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from budgetd.address import parse_address
from budgetd.calls.call import CallPolicy
from budgetd.local import Database, PriceFiles
from budgetd.manager.arguments import names_its_class
from budgetd.manager.import_offer import offer_import
from budgetd.v1 import budget_pb2 as pb
from budgetd.values import check_seconds, parse_project_id

_RESET_MODES = {"automatic": pb.RESET_MODE_AUTOMATIC, "on_request": pb.RESET_MODE_ON_REQUEST}
#: LiteLLM's class resets only on request. Its hosted service promises automatic resets.
_RESET_MODE_OF = {"local": "on_request", "hosted": "automatic"}

ClientType = Literal["local", "hosted"]
ResetMode = Literal["automatic", "on_request"]


class Hosted(NamedTuple):
    """The server of a hosted manager."""

    address: str | None
    #: None: BUDGETD_TOKEN, if set.
    token: str | None
    metadata: Mapping[str, str]


class Opening:
    """The constructor of both managers."""

    #: The class of the client, and of the transport of an embedded one; both wait or both are awaited.
    _client_class: Any
    _transport_class: Any
    _caller: Any

    @names_its_class
    def __init__(
        self,
        project_name: str,
        client_type: ClientType = "local",
        api_base: str | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        database: Database = None,
        reset_mode: ResetMode | None = None,
        dedupe_completions: bool = False,
        timeout_seconds: float | None = None,
        prices: PriceFiles = None,
    ) -> None:
        self.project_name = project_name
        self.client_type = client_type
        self._project_id = parse_project_id(project_name)
        self._reset_mode = parse_reset_mode(client_type, reset_mode)
        self._dedupes_completions = dedupe_completions
        if timeout_seconds is not None:
            check_seconds("timeout_seconds", timeout_seconds)
        if client_type == "hosted":
            if prices is not None:
                raise ValueError(
                    f"prices must not be given with client_type 'hosted', got {prices!r}: a server has its own"
                )
            address, token, metadata = parse_headers(api_base, headers)
            self._caller = self._client_class(address, token=token, metadata=metadata, timeout_seconds=timeout_seconds)
        else:
            transport = self._transport_class(database, prices=prices)
            offer_import(transport.path, self._project_id)
            self._caller = self._client_class.over(transport, embedded_policy(timeout_seconds))
        self._begin()

    def _begin(self) -> None:
        """Make the calls that are needed before the first method. The constructor calls this last."""


def embedded_policy(timeout_seconds: float | None) -> CallPolicy:
    """Return the timeouts of calls without a server. None: 10 seconds, because the first call opens the file."""
    return CallPolicy() if timeout_seconds is None else CallPolicy(timeout_seconds=timeout_seconds)


def parse_reset_mode(client_type: object, reset_mode: object) -> pb.ResetMode.ValueType:
    """Return the reset mode: whether the clock or only a request ends windows.

    Raises:
        ValueError: `client_type` is neither "local" nor "hosted", or `reset_mode` neither "automatic" nor
            "on_request".
    """
    if client_type not in _RESET_MODE_OF:
        raise ValueError(f"client_type must be 'local' or 'hosted', got {client_type!r}")
    name: Any = _RESET_MODE_OF[str(client_type)] if reset_mode is None else reset_mode
    if name not in _RESET_MODES:
        raise ValueError(f"reset_mode must be 'automatic' or 'on_request', got {reset_mode!r}")
    return _RESET_MODES[name]


def parse_headers(api_base: str | None, headers: Mapping[str, str] | None) -> Hosted:
    """Return the address and what to send with every call. Headers that matter only to HTTP are left out.

    Raises:
        ValueError: `api_base` is not the address of a gRPC server; the message says what to write.
    """
    parse_address(api_base)
    metadata = {str(name).lower(): str(value) for name, value in (headers or {}).items()}
    for name in ("content-type", "content-length", "accept", "user-agent", "host", "connection"):
        metadata.pop(name, None)
    scheme, _, token = metadata.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        del metadata["authorization"]
        return Hosted(api_base, token, metadata)
    return Hosted(api_base, "" if "authorization" in metadata else None, metadata)
