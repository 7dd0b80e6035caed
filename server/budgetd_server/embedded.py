"""A server inside another program: the handlers run on an event loop in a daemon thread, over one SQLite file.

All clients of a file in a process share one server, so that they share its commits. The first call creates it; it ends
with its last client, or with the interpreter. An idle server costs three sleeping threads and, once a minute, a sweep
for expired holds and ended windows.

`fork` is the hard part. SQLite keeps in memory which locks the process holds on which file. A child inherits that
memory but not the locks: it would write to the file without locks, and its parent, on closing the file, would delete
the child's write-ahead log with commits in it. New connections in the child do not help. So every file is closed
before a fork, after the calls in flight have been answered, and parent and child open it again on their next call. A
child that has inherited an open file all the same (the fork bypassed Python) refuses to use it.
"""

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeAlias, TypeVar, cast

from google.protobuf.message import Message

from budgetd_server.core import Core
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.engine.in_flight import InFlight
from budgetd_server.ledger.base import LedgerBusy, LedgerRefused
from budgetd_server.ledger.sqlite.file import open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.metrics import Metrics
from budgetd_server.prices import ReloadablePrices
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.failures import failure_status
from budgetd_server.tokens import AsyncTokenCounter, TokenCounter

#: How long a fork or the exit of the interpreter waits for calls in flight. A batch waits up to 5 seconds for its lock.
END_SECONDS_MAX = 15.0
#: Rare, to leave the program its CPU: a call on a budget needs no sweep, and each call checks the file itself.
SWEEP_SECONDS = 60.0

T = TypeVar("T")
#: The outcome of a call: its response, the google.rpc.Status of its failure, or why the file cannot be opened.
Answer: TypeAlias = Message | LedgerRefused

log = logging.getLogger(__name__)
#: The program configures the log; by default nothing is printed.
logging.getLogger("budgetd_server").addHandler(logging.NullHandler())


class Embedded:
    """One client's handle on this process's server for a file, usable by any number of threads and after `fork`.

    Args:
        path: The file, absolute and without symbolic links; the first call creates it if it does not exist.
        prices: The operator's price files, read once per process. Clients of a file with other price files have a
            server of their own, which shares the file as another process would.

    Raises:
        PriceFileError: A price file is invalid.
    """

    def __init__(self, path: Path, prices: Sequence[Path] = ()) -> None:
        self.path = path
        self._prices = tuple(prices)
        if prices:
            _load_prices(self._prices)
        self._host: _Host | None = None
        self._is_closed = False

    def begin(self, rpc: str, request: Message, *, timeout_seconds: float) -> "Future[Answer]":
        """Start a call; the request must not be changed before the call ends.

        Args:
            rpc: The name of the RPC in the contract.
            request: Its message.
            timeout_seconds: How long the caller waits. It only informs the server: the caller itself ends the wait and
                cancels the future.

        Returns:
            A future of the answer.

        Raises:
            RuntimeError: The client is closed, or the file was inherited open from another process.
        """
        while True:
            host = self._host or self._attached()
            future = host.begin(rpc, request, timeout_seconds)
            if future is not None:
                return future
            self.leave(host)  # It has ended because of a fork; the loop attaches to a new one.

    def close(self) -> "Future[None]":
        """Stop using the server, which ends with its last client. Calls in flight are answered.

        Returns:
            A future that is done when the server has ended, or at once if other clients still use it.
        """
        with _LOCK:
            host, self._host, self._is_closed = self._host, None, True
            if host is not None:
                host.users.discard(self)
            ending = _end_unused()
        if host is not None and host in ending and not host.is_current_thread():
            return host.ended
        over: Future[None] = Future()
        over.set_result(None)
        return over

    def leave(self, host: "_Host") -> None:
        """Detach from a server that has ended."""
        with _LOCK:
            if self._host is host:
                self._host = None

    def _attached(self) -> "_Host":
        with _LOCK:
            if self._is_closed:
                raise RuntimeError("the client is closed")
            if self.path in _INHERITED:
                raise RuntimeError(f"{self.path} was open when this process was forked, in a way unknown to Python")
            host = _HOSTS.get((self.path, self._prices))
            if host is None:
                host = _HOSTS[self.path, self._prices] = _Host(self.path, self._prices)
            host.users.add(self)
            self._host = host
            _end_unused()
            return host


class _Host:
    """One server on one file, with its thread. Only that thread uses the event loop and what runs on it."""

    def __init__(self, path: Path, prices: tuple[Path, ...]) -> None:
        self.path = path
        self.prices = prices
        self.users: weakref.WeakSet[Embedded] = weakref.WeakSet()
        #: Done when the file is closed.
        self.ended: Future[None] = Future()
        # Reentrant: a signal or garbage collection may interrupt a thread that holds it.
        self._lock = threading.RLock()
        self._is_ending = False
        self._loop = asyncio.new_event_loop()
        self._end = asyncio.Event()
        self._in_flight = InFlight()
        self._core: Core | None = None
        self._opening: asyncio.Task[Core] | None = None
        self._metrics = Metrics()
        self._thread = threading.Thread(target=self._run, name="budgetd-embedded", daemon=True)
        _LIVING.add(self)
        try:
            self._thread.start()
        except RuntimeError:  # No threads left.
            _LIVING.discard(self)
            self._loop.close()
            raise

    def begin(self, rpc: str, request: Message, timeout_seconds: float) -> "Future[Answer] | None":
        """Start a call. Returns None if this server accepts no more calls."""
        with self._lock:
            if self._is_ending:
                return None
            return asyncio.run_coroutine_threadsafe(self._answer(rpc, request, timeout_seconds), self._loop)

    def end(self) -> None:
        """Accept no more calls, answer those in flight, and close the file."""
        with self._lock:
            if not self._is_ending:
                self._is_ending = True
                self._loop.call_soon_threadsafe(self._end.set)

    def is_current_thread(self) -> bool:
        """Whether this is the server's own thread, which must not wait for its own end."""
        return threading.current_thread() is self._thread

    def join(self, timeout_seconds: float) -> None:
        """Wait until the server has ended."""
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        # Connections start threads; they inherit being daemons from this one.
        try:
            self._loop.run_until_complete(self._served())
        except Exception:  # Any error must reach the end of this method: otherwise `ended` would never be done.
            log.exception("the ledger could not be closed cleanly")
        self._loop.close()
        _LIVING.discard(self)
        self.ended.set_result(None)

    async def _served(self) -> None:
        await self._end.wait()
        await self._in_flight.none()
        if self._opening is not None:  # The calls that started it were cancelled.
            await asyncio.wait([self._opening])
        if self._core is not None:
            await self._core.stop()

    async def _answer(self, rpc: str, request: Message, timeout_seconds: float) -> Answer:
        self._in_flight.began()
        try:
            core = self._core or await self._opened()
            response = await core.handlers[rpc](request, RpcCaller(timeout_seconds))
            assert isinstance(response, Message)
        except LedgerRefused as refusal:
            return refusal
        except StoreUnavailable as error:
            trouble = None if self._core is None else self._core.ledger.trouble
            return trouble or cast(Message, failure_status(error, rpc=rpc, metrics=self._metrics))
        except Exception as error:  # noqa: BLE001 - anything but a refusal is logged with its traceback.
            return cast(Message, failure_status(error, rpc=rpc, metrics=self._metrics))
        else:
            return response
        finally:
            self._in_flight.ended()

    async def _opened(self) -> Core:
        """Open the file once for all concurrent calls; after a failure the next call tries again."""
        opening = self._opening
        if opening is None:
            opening = self._opening = self._loop.create_task(self._open())
            opening.add_done_callback(self._ceased_opening)
        await asyncio.wait([opening])
        return opening.result()

    async def _open(self) -> Core:
        # This blocks on the disk, which is fine: nothing else runs on this loop yet.
        try:
            open_file(self.path, migrates=True, checks=self.path not in _SOUND)
        except LedgerBusy as error:
            raise StoreUnavailable(str(error), metadata={"kind": "busy"}) from error
        _SOUND.add(self.path)
        prices, counter = _load_prices(self.prices), _counter()
        ledger = await SqliteLedger.connected(self.path)
        core = Core(
            ledger,
            prices,
            metrics=self._metrics,
            tokens=AsyncTokenCounter(counter, pool=_Worker()),
            sweep_seconds=SWEEP_SECONDS,
            watch_seconds=SWEEP_SECONDS,
        )
        core.start()
        self._core = core
        return core

    def _ceased_opening(self, opening: "asyncio.Task[Core]") -> None:
        self._opening = None
        opening.exception()  # The waiting calls get it. Without this line asyncio would print it if none is left.


class _Worker(Executor):
    """One daemon thread. Unlike the standard library's pools, it accepts work after the main thread has ended."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """See Executor.submit; called from one thread only."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*args, **kwargs))
                except Exception as error:  # noqa: BLE001 - the future passes it on.
                    future.set_exception(error)

        self._work.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="budgetd-tokens", daemon=True)
            self._thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's signature.
        """Wait until the thread has finished its work, at most one text, and end it."""
        self._work.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


@cache
def _load_prices(paths: tuple[Path, ...]) -> ReloadablePrices:
    """Load price files once per process; all its servers share them, and children of `fork` inherit them."""
    return ReloadablePrices(paths)


@cache
def _counter() -> TokenCounter:
    return TokenCounter()


#: Guards the collections below and is held across a fork. Threads of servers never take it.
_LOCK = threading.RLock()
#: The servers that accept calls.
_HOSTS: dict[tuple[Path, tuple[Path, ...]], _Host] = {}
#: These, and the servers that have not closed their files yet.
_LIVING: set[_Host] = set()
#: Servers inherited through a fork, by path: this process must neither use nor destroy them.
_INHERITED: dict[Path, list[_Host]] = {}
#: The files that need no second check when they are opened again after a fork.
_SOUND: set[Path] = set()


def _end_unused() -> list[_Host]:
    """End the servers whose clients have all been closed or garbage-collected."""
    unused = [host for host in list(_HOSTS.values()) if not host.users]
    for host in unused:
        _HOSTS.pop((host.path, host.prices), None)
        host.end()
    return unused


def _end_all() -> None:
    """End every server; clients that call again get a new one."""
    for host in list(_HOSTS.values()):
        for user in list(host.users):
            user.leave(host)
    _HOSTS.clear()
    living = list(_LIVING)
    for host in living:
        host.end()
    until = time.monotonic() + END_SECONDS_MAX
    for host in living:
        host.join(max(until - time.monotonic(), 0))


def _before_fork() -> None:
    _LOCK.acquire()  # From now on no thread opens a file.
    _end_all()


def _after_fork_in_parent() -> None:
    _LOCK.release()


def _after_fork_in_child() -> None:
    global _LOCK  # noqa: PLW0603 - threads of the parent may have held or awaited the old one.
    _LOCK = threading.RLock()
    for host in _LIVING:
        _INHERITED.setdefault(host.path, []).append(host)
        for user in list(host.users):
            user.leave(host)
    _LIVING.clear()
    _HOSTS.clear()


def _at_exit() -> None:
    # Never released: daemon threads that still call block until the process ends. The main thread may still call.
    _LOCK.acquire()
    _end_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
# By then the program's non-daemon threads have ended; ours are daemons and have not.
atexit.register(_at_exit)
