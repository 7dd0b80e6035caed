"""Unix sockets to listen on: their addresses, and the file that each of them is."""

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: What the shortest of the systems that we know allows, without the byte that ends it.
PATH_BYTES_MAX = 103
#: Whoever may not read a ledger may not call its server.
_UMASK = 0o177
#: How long whoever listens may take to show that it does.
_LOOK_SECONDS = 1.0
#: How long another server may take to begin to listen in the same folder.
_LOCK_SECONDS = 5.0
_LOCK_POLL_SECONDS = 0.005


def unix_path(address: str) -> str | None:
    """The path in `unix:PATH` or `unix:///PATH`; None: the address is another one."""
    scheme, separator, path = address.partition(":")
    if scheme != "unix" or not separator:
        return None
    return path.removeprefix("//")


def broken_path_rule(path: str) -> str | None:
    """What is wrong with the path of a socket; None: nothing."""
    if not path or not path.isprintable() or path.endswith("/"):
        return "must name a socket"
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        return f"must be at most {PATH_BYTES_MAX} bytes long"
    return None


@contextmanager
def place_for_socket(address: str) -> Iterator[None]:
    """Within it, a Unix socket is made at its address, which is cleared of one that nobody listens on any more.

    Its mode is 0600 from the first moment. Of servers that start at once on one address the second waits until the
    first listens, and is refused. Other addresses need no place.

    Raises:
        OSError: Something is there that is no socket, or somebody listens on it.
    """
    path = unix_path(address)
    if path is None:
        yield
        return
    with _folder_locked(Path(path).parent):
        _clear(Path(path))
        before = os.umask(_UMASK)
        try:
            yield
        finally:
            os.umask(before)


def remove_socket(path: str) -> None:
    """Remove the file of a socket that was listened on; it may be gone."""
    with suppress(OSError), _folder_locked(Path(path).parent):
        if stat.S_ISSOCK(Path(path).lstat().st_mode) and not _is_in_use(path):
            Path(path).unlink()


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Keep other servers from looking at the sockets of a folder, and from replacing them, meanwhile.

    gRPC itself removes what is at the path before it listens: even without a socket that is left over, the second of
    two servers would take the address from the first. The lock is on the folder itself, so no file is left behind.

    Raises:
        OSError: Somebody else keeps it locked, or the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, folder: Path) -> None:
    import fcntl  # noqa: PLC0415 - absent on Windows, where this module is imported, too.

    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise BlockingIOError(errno.EWOULDBLOCK, f"another program keeps {folder} locked") from None
            time.sleep(_LOCK_POLL_SECONDS)
        else:
            return


def _clear(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} is there already, and no socket")
    if _is_in_use(str(path)):
        raise FileExistsError(f"somebody listens on {path} already")
    path.unlink()


def _is_in_use(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as looking:
        looking.settimeout(_LOOK_SECONDS)
        try:
            looking.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # Its queue is full, or it is not ours: whatever it is, it is not left over.
        return True
