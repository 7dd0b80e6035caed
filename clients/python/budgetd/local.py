"""The transports of a client without a server: budgetd's own handlers in this process, over one SQLite file.

```python
with BudgetClient.over(LocalTransport("budgetd.db")) as client:
    client.update_cost(request)
```

Any number of threads and processes may use one file at the same time, servers among them. In a process, all transports
on a file share one engine, and its commits. What was acknowledged is on the disk; so there is nothing to close at the
end, and a killed process loses nothing that it was told of. A client that is forked serves the child as well.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from budgetd.calls.rpc import ResponseT, UnaryRpc
from budgetd.errors import DatabaseRefused
from budgetd.request_ids import RequestT
from budgetd.transport.status import error_of_status, no_answer_in_time

if TYPE_CHECKING:
    from budgetd_server.embedded import Answer, Embedded

DATABASE_DEFAULT = "budgetd.db"
#: A path, or `sqlite:///path`.
Database = str | os.PathLike[str] | None
#: One file, or several.
PriceFiles = str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None


class _Embedding:
    """What both transports have in common."""

    def __init__(self, database: Database = None, *, prices: PriceFiles = None) -> None:
        self._server = _embedded(database, prices)

    @property
    def path(self) -> Path:
        """The absolute path of the file."""
        return self._server.path

    def _begin(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, timeout_seconds: float) -> "Future[Answer]":
        # A copy: the caller may change the request as soon as it stops waiting, while the server still reads it.
        copy = rpc.request_class()
        copy.CopyFrom(request)
        return self._server.begin(rpc.name, copy, timeout_seconds=timeout_seconds)


class LocalTransport(_Embedding):
    """Calls to an engine in this process; for any number of threads, and for children of `fork`.

    The file is opened by the first call, and made if it does not exist; its folder has to exist. A call raises
    DatabaseRefused if the file must not be used, and Unavailable while another program has it locked.

    Args:
        database: A path, or `sqlite:///path`. None: BUDGETD_DATABASE, and if that is not set, or empty, `budgetd.db`. A
            relative path begins at the folder that is the current one now.
        prices: A price file, TOML or LiteLLM's JSON, or several, of which later ones win; each is read once in a
            process. None: those of BUDGETD_PRICES, with `:` between them (`;` on Windows). Empty: none but the shipped.

    Raises:
        ImportError: The server is not installed.
        ValueError: The database is no SQLite file, or something is wrong with a price file: each fault has a sentence.
    """

    def unary(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt; see `Transport`."""
        call = self._begin(rpc, request, timeout_seconds)
        try:
            call.exception(timeout_seconds)
        except TimeoutError:
            if call.cancel():
                raise no_answer_in_time(str(self._server.path)) from None
        except BaseException:  # Whatever interrupts the wait: nobody asks for the answer any more.
            call.cancel()
            raise
        return _response(rpc, call.result())

    def close(self) -> None:
        """Let go of the engine; calls then raise RuntimeError. Closing twice is fine.

        The last transport on a file waits for the calls in flight, and closes the file.
        """
        self._server.close().result()


class AsyncLocalTransport(_Embedding):
    """`LocalTransport`, awaited, on any event loop."""

    async def unary(
        self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float
    ) -> ResponseT:
        """Carry out one attempt; see `Transport`."""
        call = self._begin(rpc, request, timeout_seconds)
        try:
            answer = await asyncio.wait_for(asyncio.wrap_future(call), timeout_seconds)
        except TimeoutError:
            raise no_answer_in_time(str(self._server.path)) from None
        return _response(rpc, answer)

    async def close(self) -> None:
        """Let go of the engine; see `LocalTransport.close`."""
        await asyncio.wrap_future(self._server.close())


def _embedded(database: Database, prices: PriceFiles) -> "Embedded":
    try:
        from budgetd_server.config import Config  # noqa: PLC0415 - the server is only there if the extra is.
        from budgetd_server.embedded import Embedded  # noqa: PLC0415 - the same.
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "budgetd_server":
            raise
        raise ImportError(
            'budgetd without a server needs more than its client: type `pip install "budgetd[local]"`, '
            "or in a checkout of its repository `pip install ./clients/python ./server`",
            name=error.name,
        ) from error
    if database is None:
        database = os.environ.get("BUDGETD_DATABASE") or DATABASE_DEFAULT
    path = Config(database=database).database_path if isinstance(database, str) else Path(database)
    # Path.resolve raises if links lead in a circle; the first call says so better.
    return Embedded(Path(os.path.realpath(path)), _price_files(prices))


def _price_files(prices: PriceFiles) -> list[Path]:
    if prices is None:
        prices = [path for path in os.environ.get("BUDGETD_PRICES", "").split(os.pathsep) if path]
    elif isinstance(prices, str | os.PathLike):
        prices = [prices]
    return [Path(path).resolve() for path in prices]


def _response(rpc: UnaryRpc[RequestT, ResponseT], answer: "Answer") -> ResponseT:
    if isinstance(answer, rpc.response_class):
        return answer
    if isinstance(answer, Exception):
        raise DatabaseRefused(str(answer), code=grpc.StatusCode.FAILED_PRECONDITION) from answer
    error = error_of_status(answer)
    assert error is not None, "the statuses of our own server are ours"
    raise error
