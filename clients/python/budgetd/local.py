"""The transports of a client without a server: budgetd's own handlers in this process, over one SQLite file.

```python
with BudgetClient.over(LocalTransport("budgetd.db")) as client:
    client.update_cost(request)
```

Any number of threads and processes, including servers, may use one file at the same time. All transports of a process
on one file share an engine, and its commits. What was acknowledged is on the disk: nothing has to be closed at the end,
and a killed process loses nothing that was acknowledged. A client also works in the children of `fork`.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import grpc

from budgetd.calls.rpc import ResponseT, UnaryRpc
from budgetd.errors import DatabaseRefused
from budgetd.request_ids import RequestT
from budgetd.transport.status import error_of_status, no_answer_in_time
from budgetd.values import short_repr

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
    """Calls an engine in this process. Any number of threads, and children of `fork`, may share one.

    The first call opens the file, and makes it if it does not exist; its folder must exist. A call raises
    DatabaseRefused if the file must not be used, and Unavailable while another program has it locked. After both the
    outcome of a change is unknown: send the same request again under the same request id.

    Args:
        database: A path, or `sqlite:///path`. None: BUDGETD_DATABASE, and if that is not set, or empty, `budgetd.db`. A
            relative path is taken from the folder that is current when the transport is made.
        prices: A price file, TOML or LiteLLM's JSON, or several, of which later ones win; each is read once in a
            process. None: those of BUDGETD_PRICES, separated by `:` (`;` on Windows). Empty: only the shipped prices.

    Raises:
        ImportError: The server is not installed.
        ValueError: The database is not an SQLite file, or a price file has faults: the message lists each.
    """

    def unary(self, rpc: UnaryRpc[RequestT, ResponseT], request: RequestT, *, timeout_seconds: float) -> ResponseT:
        """Carry out one attempt; see `Transport`."""
        call = self._begin(rpc, request, timeout_seconds)
        try:
            call.exception(timeout_seconds)
        except TimeoutError:
            if call.cancel():
                raise no_answer_in_time(str(self._server.path)) from None
        except BaseException:  # The wait was interrupted, so the answer is not needed.
            call.cancel()
            raise
        return _response(rpc, call.result())

    def close(self) -> None:
        """Release the engine. Calls then raise RuntimeError. Idempotent.

        The last transport on a file waits for the calls in flight, and closes the file.
        """
        self._server.close().result()


class AsyncLocalTransport(_Embedding):
    """`LocalTransport` with coroutine methods, on any event loop."""

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
        """Release the engine; see `LocalTransport.close`."""
        await asyncio.wrap_future(self._server.close())


def _embedded(database: Database, prices: PriceFiles) -> "Embedded":
    try:
        from budgetd_server.config import Config  # noqa: PLC0415 - the server is installed only with the extra.
        from budgetd_server.embedded import Embedded  # noqa: PLC0415 - the same.
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "budgetd_server":
            raise
        raise ImportError(
            'budgetd without a server needs the distribution budgetd-server: type `pip install "budgetd[local]"`, '
            "or in a checkout of its repository `pip install ./clients/python ./server`",
            name=error.name,
        ) from error
    if database is None:
        database = os.environ.get("BUDGETD_DATABASE") or DATABASE_DEFAULT
    path = Config(database=database).database_path if isinstance(database, str) else Path(database)
    # Path.resolve would raise if links form a circle; the first call reports that more clearly.
    return Embedded(Path(os.path.realpath(path)), _price_files(prices))


def _price_files(prices: PriceFiles) -> list[Path]:
    if prices is None:
        prices = [path for path in os.environ.get("BUDGETD_PRICES", "").split(os.pathsep) if path]
    elif isinstance(prices, str | os.PathLike):
        prices = [prices]
    try:
        if not isinstance(prices, Mapping | bytes):
            return [Path(path).resolve() for path in prices]
    except TypeError:
        pass
    raise TypeError(f"prices must be the path of a price file, or a list of paths, got {short_repr(prices)}")


def _response(rpc: UnaryRpc[RequestT, ResponseT], answer: "Answer") -> ResponseT:
    if isinstance(answer, rpc.response_class):
        return answer
    if isinstance(answer, Exception):
        raise DatabaseRefused(str(answer), code=grpc.StatusCode.FAILED_PRECONDITION) from answer
    error = error_of_status(answer)
    assert error is not None, "the embedded server returns only statuses of budgetd"
    raise error
