"""Ending connections that a library owns: gRPC and uvicorn tell who calls, but not how to hang up.

gRPC cancels the calls of a server that stops, and clients do not retry what was cancelled; when a connection ends, they
hear UNAVAILABLE, and retry. And a peer that reads nothing keeps its answers in memory until its connection ends. So
the sockets are found among the descriptors of this process, by their addresses, and shut down; their owner then closes
them, as it does when the peer has gone. A listener is replaced by one that nobody can call.
"""

import contextlib
import os
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

#: Where Linux and macOS list the descriptors of the process that looks.
_DESCRIPTORS = Path("/dev/fd")


class Ends(NamedTuple):
    """The two ends of a socket of this process."""

    #: The port that it is bound to, or the path of a Unix socket.
    local: int | str
    #: Who is at the other end, as `peer_name` writes it; empty: nobody, it listens.
    peer: str


def end_connections(is_meant: Callable[[Ends], bool]) -> int:
    """End the stream sockets of this process that are meant; returns how many those were."""
    ended = 0
    for descriptor, each in _sockets():
        ends = _ends_of(each)
        if is_meant(ends):
            # Fails if the peer has just gone; then there is nothing to end.
            with contextlib.suppress(OSError):
                if ends.peer:
                    each.shutdown(socket.SHUT_RDWR)
                else:
                    _let_nobody_in(descriptor)
                ended += 1
    return ended


def peer_name(peer: str) -> str:
    """The peer of a call as gRPC writes it, such as `ipv6:%5B::1%5D:40000`, in the form that is compared.

    Peers of a Unix socket have no names of their own: all of them are `unix`.
    """
    family, _, address = peer.partition(":")
    if family not in ("ipv4", "ipv6"):
        return "unix"
    host, _, port = address.replace("%5B", "").replace("%5D", "").rpartition(":")
    return host_and_port(host.strip("[]"), port)


def host_and_port(host: str, port: int | str) -> str:
    """A peer over TCP, in the form that is compared."""
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


def _let_nobody_in(descriptor: int) -> None:
    """Put a listener that nobody knows of in the place of another one, whose owner goes on to close it.

    gRPC would log an error if the listener that it accepts from were shut down.
    """
    with socket.create_server(("127.0.0.1", 0)) as unknown:
        unknown.settimeout(0)
        os.dup2(unknown.fileno(), descriptor, inheritable=False)


def _sockets() -> Iterator[tuple[int, socket.socket]]:
    """Each stream socket by number, and a duplicate: whoever owns the original may close it at any moment."""
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
