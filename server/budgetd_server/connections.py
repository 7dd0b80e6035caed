"""Close connections that a library owns: gRPC and uvicorn name the peer of a call, but cannot close its connection.

Two cases need this. When a server stops, gRPC cancels its calls, and clients do not retry cancelled calls; if the
connection ends first, they get UNAVAILABLE and retry. And a peer that reads nothing keeps its answers in memory until
its connection ends. So the sockets are found by their addresses among the descriptors of this process, and shut down;
the library then closes them, as it does when a peer disconnects. A listener is replaced by one that no client knows.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: Where Linux and macOS list the descriptors of the current process.
_DESCRIPTORS = Path("/dev/fd")


class Ends(NamedTuple):
    """The two ends of a socket of this process."""

    #: The local port, or the path of a Unix socket.
    local: int | str
    #: The remote address in the form of `peer_name`; empty for a listener.
    peer: str


def end_connections(is_meant: Callable[[Ends], bool]) -> int:
    """Shut down the stream sockets of this process that match. Returns how many matched."""
    ended = 0
    for descriptor, each in _sockets():
        ends = _ends_of(each)
        if is_meant(ends):
            # Fails if the peer has just disconnected; then there is nothing to do.
            with contextlib.suppress(OSError):
                if ends.peer:
                    each.shutdown(socket.SHUT_RDWR)
                else:
                    _replace_listener(descriptor)
                ended += 1
    return ended


def peer_name(peer: str) -> str:
    """Convert gRPC's name of a peer, such as `ipv6:%5B::1%5D:40000`, to the form that `Ends.peer` has.

    Peers of a Unix socket have no addresses: all of them are `unix`.
    """
    family, _, address = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return "unix"
    host, _, port = address.replace("%5B", "").replace("%5D", "").rpartition(":")
    return host_and_port(host.strip("[]"), port)


def host_and_port(host: str, port: int | str) -> str:
    """Return the name of a TCP peer in the form that `Ends.peer` has."""
    return f"{host.removeprefix('::ffff:')} {port}"


def _ends_of(each: socket.socket) -> Ends:
    local: Any = each.getsockname()
    try:
        peer: Any = each.getpeername()
    except OSError:
        return Ends(local[1] if isinstance(local, tuple) else str(local), "")
    if isinstance(local, tuple):
        return Ends(local[1], host_and_port(peer[0], peer[1]))
    return Ends(str(local), "unix")


def _replace_listener(descriptor: int) -> None:
    """Replace a listener by one on a port that no client knows; its owner closes it later.

    gRPC would log an error if the listener that it accepts from were shut down.
    """
    with socket.create_server(("127.0.0.1", 0)) as unknown:
        unknown.settimeout(0)
        os.dup2(unknown.fileno(), descriptor, inheritable=False)


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """Yield each stream socket's descriptor and a duplicate of it: the owner may close the original at any moment."""
    for entry in _DESCRIPTORS.iterdir():
        try:
            descriptor = os.dup(int(entry.name))
        except OSError:
            continue  # It has been closed since.
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            continue
        with socket.socket(fileno=descriptor) as duplicate:
            if duplicate.type == socket.SOCK_STREAM:
                yield int(entry.name), duplicate
