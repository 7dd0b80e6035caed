"""Unix sockets to listen on: their addresses and their files."""

import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: The smallest limit of all supported systems, without the terminating zero byte.
PATH_BYTES_MAX = 103
#: Only the user who can read the ledger may call its server: sockets get mode 0600.
_UMASK = 0o177
#: How long a listener may take to accept a test connection.
_LOOK_SECONDS = 1.0
#: How long another server may take to start listening in the same folder.
_LOCK_SECONDS = 5.0
_LOCK_POLL_SECONDS = 0.005


def unix_path(address: str) -> str | None:
    """Return the path in `unix:PATH` or `unix:///PATH`. Returns None for any other address."""
    scheme, separator, path = address.partition(":")
    if scheme != "unix" or not separator:
        return None
    return path.removeprefix("//")


def broken_path_rule(path: str) -> str | None:
    """Return the rule that the path of a socket breaks, or None if it is valid."""
    if not path or not path.isprintable() or path.endswith("/"):
        return "must name a socket"
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        return f"must be at most {PATH_BYTES_MAX} bytes long"
    return None


@contextmanager
def place_for_socket(address: str) -> Iterator[None]:
    """Prepare a Unix socket's address for listening: remove a stale socket, and hold the folder's lock meanwhile.

    The socket has mode 0600 from the first moment. If two servers start on one address at the same time, the second
    waits until the first listens, and is refused. Does nothing for other addresses.

    Raises:
        OSError: The path exists and is not a socket, or another program listens on it.
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
    """Remove the file of a socket that no program listens on any more, if it still exists."""
    with suppress(OSError), _folder_locked(Path(path).parent):
        if stat.S_ISSOCK(Path(path).lstat().st_mode) and not _is_in_use(path):
            Path(path).unlink()


@contextmanager
def _folder_locked(folder: Path) -> Iterator[None]:
    """Lock a folder, so that no other server checks or replaces sockets in it meanwhile.

    gRPC removes whatever is at the path before it listens: without the lock, the second of two servers would take the
    address from the first, even without a stale socket. The lock is on the folder itself, so no lock file remains.

    Raises:
        OSError: Another program keeps the folder locked, or it cannot be opened.
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
        raise FileExistsError(f"{path} exists already and is not a socket")
    if _is_in_use(str(path)):
        raise FileExistsError(f"another program listens on {path} already")
    path.unlink()


def _is_in_use(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as looking:
        looking.settimeout(_LOOK_SECONDS)
        try:
            looking.connect(path)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True  # Its queue is full, or it belongs to another user: in any case it is not stale.
        return True
