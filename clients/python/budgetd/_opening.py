"""The managers' constructor: what its arguments mean, and which transport they ask for."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from budgetd._calls import CallPolicy
from budgetd.address import parse_address
from budgetd.v1 import budget_pb2 as pb
from budgetd.values import check_seconds, parse_project_id

_RESET_MODES = {"automatic": pb.RESET_MODE_AUTOMATIC, "on_request": pb.RESET_MODE_ON_REQUEST}
#: LiteLLM's class resets only when it is asked; its hosted service promises to do so by itself.
_RESET_MODE_OF = {"local": "on_request", "hosted": "automatic"}

ClientType = Literal["local", "hosted"]
ResetMode = Literal["automatic", "on_request"]
Database = str | os.PathLike[str] | None
#: One file, or several.
PriceFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None


class Hosted(NamedTuple):
    """A server to be called."""

    address: str | None
    #: None: BUDGETD_TOKEN, if set.
    token: str | None
    metadata: Mapping[str, str]


class Opening(ABC):
    """The constructor of both managers; each says how it connects and how it embeds."""

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
        self._reset_mode = reset_mode_of(client_type, reset_mode)
        self._dedupes_completions = dedupe_completions
        if timeout_seconds is not None:
            check_seconds("timeout_seconds", timeout_seconds)
        if client_type == "hosted":
            if prices is not None:
                raise ValueError(
                    f"prices must not be given with client_type 'hosted', got {prices!r}: a server has its own"
                )
            self._connect(hosted(api_base, headers), timeout_seconds)
        else:
            self._embed(database, timeout_seconds, prices)

    @abstractmethod
    def _connect(self, server: Hosted, timeout_seconds: float | None) -> None:
        """Make a client of a server."""

    @abstractmethod
    def _embed(self, database: Database, timeout_seconds: float | None, prices: PriceFiles) -> None:
        """Make a client without one."""


def embedded_policy(timeout_seconds: float | None) -> CallPolicy:
    """How long calls without a server may take; None: 10 seconds, since the first one opens the file."""
    return CallPolicy() if timeout_seconds is None else CallPolicy(timeout_seconds=timeout_seconds)


def reset_mode_of(client_type: object, reset_mode: object) -> pb.ResetMode.ValueType:
    """Who ends windows.

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


def hosted(api_base: str | None, headers: Mapping[str, str] | None) -> Hosted:
    """Where to call and what to send along; headers that tell of HTTP alone are left out.

    Raises:
        ValueError: `api_base` is no address of a gRPC server; the message says what to write.
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
