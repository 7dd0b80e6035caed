"""The settings of a server in one frozen record: from flags, else environment variables, else defaults."""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from budgetd_server.unix_sockets import broken_path_rule, unix_path

LISTEN_DEFAULT = "127.0.0.1:50051"
HTTP_LISTEN_DEFAULT = "127.0.0.1:9464"
DATABASE_DEFAULT = "sqlite:///budgetd.db"
QUEUE_MAX_DEFAULT = 100_000
GRACE_SECONDS_DEFAULT = 10.0

_ENDS_OF_SQLITE = ("-wal", "-shm", "-journal")


class ConfigRefused(ValueError):
    """A setting is invalid or unsafe; the text names it, its value and the rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The settings of one server."""

    #: Where gRPC listens, host:port or unix:PATH; port 0 lets the system choose.
    listen: str = LISTEN_DEFAULT
    #: Where HTTP (metrics, probes) listens, host:port or unix:PATH; empty turns HTTP off.
    http_listen: str = HTTP_LISTEN_DEFAULT
    #: A URL (sqlite:///relative, sqlite:////absolute) or a path of a SQLite file.
    database: str = DATABASE_DEFAULT
    #: Price files of the operator; later ones override earlier ones.
    prices: Sequence[Path] = ()
    #: How many commands may be queued; more are refused with QUEUE_FULL.
    queue_max: int = QUEUE_MAX_DEFAULT
    #: How long calls in flight may still take once the server shuts down, in seconds.
    grace_seconds: float = GRACE_SECONDS_DEFAULT
    #: Whether an older database is migrated at start.
    migrates: bool = False
    #: Whether the server may listen beyond this machine without TLS and tokens.
    is_insecure: bool = False
    #: Whether the vocabularies for counting texts are loaded at start instead of on first use.
    preloads_tokenizers: bool = False

    @property
    def database_path(self) -> Path:
        """The path of the SQLite file.

        Raises:
            ConfigRefused: The database is of another kind.
        """
        if "://" not in self.database:
            return _file(self.database, self.database)
        url = urlsplit(self.database)
        if url.scheme != "sqlite":
            raise ConfigRefused(
                f"database {url.scheme}://… cannot be used: this version keeps its ledger in sqlite:///PATH"
            )
        # A ? or # in a file's name must be written as %3F or %23; otherwise the rest of the name would be cut off.
        if url.netloc or url.query or url.fragment or not url.path.strip("/"):
            raise ConfigRefused(
                f"database {self.database!r} must be sqlite:///RELATIVE/PATH or sqlite:////ABSOLUTE/PATH"
            )
        if re.search(r"%(?![0-9A-Fa-f]{2})", url.path):
            raise ConfigRefused(
                f"database {self.database!r}: in a URL each % must be followed by two hexadecimal digits; "
                "a % of the name itself is written %25"
            )
        try:
            path = unquote(url.path[1:], errors="strict")
        except UnicodeDecodeError:
            raise ConfigRefused(f"database {self.database!r}: the bytes that follow % must be UTF-8") from None
        return _file(path, self.database)

    def check(self) -> None:
        """Refuse settings that are wrong or unsafe.

        Raises:
            ConfigRefused: A setting is.
        """
        _ = self.database_path
        for name, address in (("listen", self.listen), ("http-listen", self.http_listen)):
            if (path := unix_path(address)) is not None:
                if (rule := broken_path_rule(path)) is not None:
                    raise ConfigRefused(f"{name} unix:PATH {rule}, got {address!r}")
            elif address or name == "listen":
                host = _parse_host(name, address)
                if not self.is_insecure and not _is_loopback(host):
                    raise ConfigRefused(
                        f"{name} {address} can be reached from other machines, without TLS and tokens: "
                        "listen on 127.0.0.1, or say --insecure"
                    )
        if self.queue_max < 1:
            raise ConfigRefused(f"queue-max must be at least 1, got {self.queue_max}")
        if not 0 <= self.grace_seconds <= 3_600:
            raise ConfigRefused(f"grace-seconds must be from 0 to 3600, got {self.grace_seconds}")


def _file(path: str, database: str) -> Path:
    if not path.strip() or path.startswith(":") or not path.isprintable():
        # SQLite would keep ":memory:" in memory only, and lose the ledger on closing.
        raise ConfigRefused(f"database {database!r} must name a file")
    if path != path.strip():
        raise ConfigRefused(f"database {database!r} must not begin or end with a space")
    if path.endswith(("/", "/.", "/..")) or path in (".", ".."):
        raise ConfigRefused(f"database {database!r} must name a file, not a folder")
    if path.endswith(_ENDS_OF_SQLITE):
        raise ConfigRefused(
            f"database {database!r} must not end with {', '.join(_ENDS_OF_SQLITE)}: SQLite gives these names to files "
            "of its own next to a database"
        )
    if scheme := re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", path):
        # Such as file:ledger.db, which SQLite's own tools read as a URI. The rest may hold a password.
        raise ConfigRefused(
            f"database {scheme[0]}… must be a path, sqlite:///RELATIVE/PATH or sqlite:////ABSOLUTE/PATH; "
            f"a file whose name begins with {scheme[0]} is written ./{scheme[0]}…"
        )
    return Path(path)


def _parse_host(name: str, address: str) -> str:
    host, separator, port = address.rpartition(":")
    if not separator or not host or not _is_port(port):
        raise ConfigRefused(f"{name} must be HOST:PORT with a port from 0 to 65535, or unix:PATH, got {address!r}")
    return host.removeprefix("[").removesuffix("]")


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and int(text) <= 65_535


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # A host name may resolve to any address.
