"""Addresses of servers, and the tokens that may be sent there."""

import ipaddress
import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

ADDRESS_VARIABLE = "BUDGETD_ADDRESS"
TOKEN_VARIABLE = "BUDGETD_TOKEN"  # noqa: S105 - the variable's name, not a token.
PORT_DEFAULT = 50051
ADDRESS_DEFAULT = f"127.0.0.1:{PORT_DEFAULT}"
_LOOPBACK_NAMES = {"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"}
#: The variables that gRPC looks at, in its order.
_PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")
#: The shortest limit of the known systems, without the final zero byte.
UNIX_PATH_BYTES_MAX = 103


class Address(NamedTuple):
    """The address of a server."""

    #: A name, an IPv4 address, or an IPv6 address without brackets.
    host: str
    port: int
    #: True for `grpcs://`, which is TLS.
    is_tls: bool
    #: The path of a Unix socket, in place of a host and a port. Empty if there is none.
    path: str = ""

    @property
    def target(self) -> str:
        """The address in the form that gRPC takes."""
        if self.path:
            return f"unix:{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """True if calls to this address do not leave this machine."""
        if self.path or self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False  # A name may resolve to any machine.
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    @property
    def needs_no_proxy(self) -> bool:
        """True if the address is one of this machine, by any of its names and addresses."""
        host = self.host.lower().rstrip(".")
        own = socket.gethostname().lower().rstrip(".")
        return (
            self.is_loopback
            or host in {*_LOOPBACK_NAMES, own, own.partition(".")[0]}
            or host.endswith(".localhost")
            or _is_own_address(host)
        )

    def proxy_variable(self) -> str:
        """Return the environment variable that makes gRPC use a proxy. Empty if no proxy is used."""
        if self.needs_no_proxy:
            return ""
        excluded = os.environ.get("no_grpc_proxy") or os.environ.get("no_proxy") or ""  # noqa: SIM112 - gRPC's names.
        names = [name.strip().lower() for name in excluded.split(",")]
        if any(name and self.host.lower().endswith(name) for name in names):
            return ""
        return next((name for name in _PROXY_VARIABLES if os.environ.get(name)), "")


def _is_own_address(host: str) -> bool:
    """Return True for an IP address of this machine: a socket can be bound to it. No name is looked up."""
    try:
        found = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)
        family, kind, protocol, _, address = found[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(address)
    except (OSError, UnicodeError):  # A name, an address of another machine, or a family that this machine lacks.
        return False
    return True


def parse_address(text: str | None) -> Address:
    """Parse `host:port`, `grpc://host:port`, `grpcs://host:port`, `unix:PATH` or `unix:///PATH`.

    Args:
        text: None or empty: BUDGETD_ADDRESS, and without that the default of the server, 127.0.0.1:50051.

    Raises:
        ValueError: The text has another form; the message says what to write.
    """
    text = (text or os.environ.get(ADDRESS_VARIABLE, "")).strip() or ADDRESS_DEFAULT
    if text.startswith("unix:"):
        path = text.removeprefix("unix:").removeprefix("//")
        if not path or not path.isprintable() or len(os.fsencode(path)) > UNIX_PATH_BYTES_MAX:
            raise ValueError(
                f"address unix:PATH must name a socket, in at most {UNIX_PATH_BYTES_MAX} bytes, got {text!r}"
            )
        return Address("", 0, is_tls=False, path=path)
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "grpc", text
    try:
        # urlsplit handles IPv6 addresses, and does not take a path or a password for a part of the host.
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        parts, host, port = urlsplit(""), "", None
    if scheme in ("http", "https") and host:
        instead = Address(host, PORT_DEFAULT, is_tls=scheme == "https")
        prefix = "grpcs://" if instead.is_tls else ""
        raise ValueError(
            f"address {text!r} is HTTP, and budgetd is called over gRPC: write {prefix + instead.target!r}, "
            f"with the server's gRPC port if it is not {PORT_DEFAULT}"
        )
    is_plain = scheme in ("grpc", "grpcs") and parts.path in ("", "/")
    if not is_plain or not host or not port or any(character in "@?# \t" for character in rest):
        raise ValueError(
            f"address must be host:port, grpc://host:port or grpcs://host:port, or unix:PATH, got {text!r}"
        )
    return Address(host, port, is_tls=scheme == "grpcs")


def choose_token(address: Address, token: str | None) -> str:
    """Return the token to send to a server. Empty if no token is sent.

    Args:
        address: The server.
        token: None: BUDGETD_TOKEN, if set. Empty: no token, even if the environment has one.

    Raises:
        ValueError: The token cannot be sent, or would be sent in plain text. The message does not show it.
    """
    name = "token" if token is not None else TOKEN_VARIABLE
    token = token if token is not None else os.environ.get(TOKEN_VARIABLE, "").strip()
    if not all("!" <= character <= "~" for character in token):
        raise ValueError(f"{name} must be visible ASCII characters without spaces")
    if token and not address.is_tls and not address.is_loopback:
        raise ValueError(
            f"{name} must not be sent in plain text to {address.target}: "
            f"use 'grpcs://{address.target}', or send none (token='')"
        )
    return token
