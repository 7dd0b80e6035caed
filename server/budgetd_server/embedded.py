"""A server inside another program: the handlers, on an event loop in a daemon thread, over one SQLite file.

All who use a file in a process share one server, so that they share its commits. It is made by the first call, and ends
with its last user, or with the interpreter. An idle server costs three sleeping threads and, once a minute, a look for
holds and windows that are over.

`fork` is the hard part. SQLite remembers in the process's memory which locks the process has on which file. A child
inherits that memory and not the locks: it would write to the file without any, and its parent, on closing the file,
would take the child's log away with commits in it. Connections that the child makes for itself do not help. So every
file is closed before a fork, when the calls in flight have been answered, and parent and child open it again when they
next need it. A child that has inherited an open file all the same (the fork passed Python by) refuses to use it.
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
from budgetd_server.rpc.callers import Caller
from budgetd_server.rpc.failures import failure_status
from budgetd_server.tokens import AsyncTokenCounter, TokenCounter

#: How long a fork, or the end of the interpreter, waits for calls in flight. A batch waits 5 seconds for its lock.
END_SECONDS_MAX = 15.0
#: Rarely, since the program has its own work: whoever touches a budget needs no sweep, and calls look at the file.
SWEEP_SECONDS = 60.0

T = TypeVar("T")
#: What a call comes to: its response; the status (google.rpc.Status) that tells why there is none; or why the file
#: cannot be opened.
Answer: TypeAlias = Message | LedgerRefused

log = logging.getLogger(__name__)
#: The program decides what becomes of the log; if it decides nothing, nothing is printed.
logging.getLogger("budgetd_server").addHandler(logging.NullHandler())


class Embedded:
    """A use of the server of this process on a file, for any number of threads, and for children of `fork`.

    Args:
        path: The file, absolute and without symbolic links; made by the first call if it does not exist.
        prices: The operator's price files, read once in a process. Uses of a file with other price files have a
            server of their own, which shares the file as another process would.

    Raises:
        PriceFileError: Something is wrong with a price file.
    """

    def __init__(self, path: Path, prices: Sequence[Path] = ()) -> None:
        self.path = path
        self._prices = tuple(prices)
        if prices:
            _prices_of(self._prices)
        self._host: _Host | None = None
        self._is_closed = False

    def begin(self, rpc: str, request: Message, *, timeout_seconds: float) -> "Future[Answer]":
        """Begin a call; the request must not be changed before it ends.

        Args:
            rpc: The name of the RPC in the contract.
            request: Its message.
            timeout_seconds: How long the caller waits, for the server to know: it is the caller who ends the wait, and
                cancels the future.

        Returns:
            What will hold the answer.

        Raises:
            RuntimeError: It is closed, or inherited from another process.
        """
        while True:
            host = self._host or self._attached()
            future = host.begin(rpc, request, timeout_seconds)
            if future is not None:
                return future
            self.leave(host)  # It has ended, for a fork, and another will take its place.

    def close(self) -> "Future[None]":
        """Cease to use the server; it ends when nobody uses it any more. Calls in flight are answered.

        Returns:
            Done when that is over.
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
        """Forget a server that has ended."""
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
    """One server on one file, with its thread. Only its own thread touches what is below its loop."""

    def __init__(self, path: Path, prices: tuple[Path, ...]) -> None:
        self.path = path
        self.prices = prices
        self.users: weakref.WeakSet[Embedded] = weakref.WeakSet()
        #: Done when the file is closed.
        self.ended: Future[None] = Future()
        # Reentrant: a signal, or the collection of garbage, may interrupt a thread that has it.
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
        """Begin a call; None: this server takes no more."""
        with self._lock:
            if self._is_ending:
                return None
            return asyncio.run_coroutine_threadsafe(self._answer(rpc, request, timeout_seconds), self._loop)

    def end(self) -> None:
        """Take no more calls, answer those in flight, and close the file."""
        with self._lock:
            if not self._is_ending:
                self._is_ending = True
                self._loop.call_soon_threadsafe(self._end.set)

    def is_current_thread(self) -> bool:
        """True: the server itself asks, and must not wait for its own end."""
        return threading.current_thread() is self._thread

    def join(self, timeout_seconds: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        # Connections make threads, which are daemons as the thread is that makes them.
        try:
            self._loop.run_until_complete(self._served())
        except Exception:  # Whatever it is: those who wait for `ended` would wait for ever.
            log.exception("the ledger could not be closed cleanly")
        self._loop.close()
        _LIVING.discard(self)
        self.ended.set_result(None)

    async def _served(self) -> None:
        await self._end.wait()
        await self._in_flight.none()
        if self._opening is not None:  # Those who asked for it have gone.
            await asyncio.wait([self._opening])
        if self._core is not None:
            await self._core.stop()

    async def _answer(self, rpc: str, request: Message, timeout_seconds: float) -> Answer:
        self._in_flight.began()
        try:
            core = self._core or await self._opened()
            response = await core.handlers[rpc](request, Caller(timeout_seconds))
            assert isinstance(response, Message)
        except LedgerRefused as refusal:
            return refusal
        except StoreUnavailable as error:
            trouble = None if self._core is None else self._core.ledger.trouble
            return trouble or cast(Message, failure_status(error, rpc=rpc, metrics=self._metrics))
        except Exception as error:  # noqa: BLE001 - what is no refusal is logged, all of it.
            return cast(Message, failure_status(error, rpc=rpc, metrics=self._metrics))
        else:
            return response
        finally:
            self._in_flight.ended()

    async def _opened(self) -> Core:
        """Open the file, once for all who ask; after a failure the next who asks tries again."""
        opening = self._opening
        if opening is None:
            opening = self._opening = self._loop.create_task(self._open())
            opening.add_done_callback(self._ceased_opening)
        await asyncio.wait([opening])
        return opening.result()

    async def _open(self) -> Core:
        # Nothing else runs on this loop yet, so nobody minds that this waits for the disk.
        try:
            open_file(self.path, migrates=True, checks=self.path not in _SOUND)
        except LedgerBusy as error:
            raise StoreUnavailable(str(error), metadata={"kind": "busy"}) from error
        _SOUND.add(self.path)
        prices, counter = _prices_of(self.prices), _counter()
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
        opening.exception()  # Told to those who wait; if they have all gone, asyncio would print it.


class _Worker(Executor):
    """One daemon thread. The pools of the standard library take no work once the main thread has ended; others may."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def submit(self, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """See Executor.submit; called on one thread only."""
        future: Future[T] = Future()

        def work() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(function(*args, **kwargs))
                except Exception as error:  # noqa: BLE001 - it is told to whoever waits.
                    future.set_exception(error)

        self._work.put(work)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="budgetd-tokens", daemon=True)
            self._thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - Executor's signature.
        """Wait until the thread has done what it was given, a text at most, and end it."""
        self._work.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            work()


@cache
def _prices_of(paths: tuple[Path, ...]) -> ReloadablePrices:
    """What servers of one process share, and children of `fork` have already."""
    return ReloadablePrices(paths)


@cache
def _counter() -> TokenCounter:
    return TokenCounter()


#: For what is below, held across a fork. Never taken by the threads of servers.
_LOCK = threading.RLock()
#: The servers that take calls.
_HOSTS: dict[tuple[Path, tuple[Path, ...]], _Host] = {}
#: Those and the ones that have not closed their files yet.
_LIVING: set[_Host] = set()
#: What this process must neither use nor destroy, by path.
_INHERITED: dict[Path, list[_Host]] = {}
#: The files that need not be checked again, should they be opened again after a fork.
_SOUND: set[Path] = set()


def _end_unused() -> list[_Host]:
    """Tell the servers to end whose users have closed, or are garbage."""
    unused = [host for host in list(_HOSTS.values()) if not host.users]
    for host in unused:
        _HOSTS.pop((host.path, host.prices), None)
        host.end()
    return unused


def _end_all() -> None:
    """End every server; users who call again get another."""
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
    _LOCK.acquire()  # Nobody opens a file now.
    _end_all()


def _after_fork_in_parent() -> None:
    _LOCK.release()


def _after_fork_in_child() -> None:
    global _LOCK  # noqa: PLW0603 - threads that this process lacks may wait for it.
    _LOCK = threading.RLock()
    for host in _LIVING:
        _INHERITED.setdefault(host.path, []).append(host)
        for user in list(host.users):
            user.leave(host)
    _LIVING.clear()
    _HOSTS.clear()


def _at_exit() -> None:
    # Never released: daemon threads that go on calling wait until they are no more. The main thread may still call.
    _LOCK.acquire()
    _end_all()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child)
# Threads of the program that are no daemons have ended by then, ours have not.
atexit.register(_at_exit)
