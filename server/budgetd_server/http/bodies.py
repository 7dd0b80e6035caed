"""Reads untrusted JSON bodies, with limits on size, on time, and on the memory of all bodies together."""

import asyncio
import json
import math
import reprlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from budgetd_server.domain.errors import SHOWN_CHARACTERS_MAX, short_repr

MIB = 1 << 20
#: The largest body: some 50,000 users with their markers.
BODY_BYTES_MAX = 32 * MIB
#: The limit of all bodies together that are being read or processed.
BODIES_BYTES_MAX = 128 * MIB
#: How long a body may take to arrive.
BODY_SECONDS_MAX = 30.0
#: How long a call waits for memory for its body.
ROOM_SECONDS_MAX = 10.0
#: Objects and arrays in a body: five per user, and some more. Millions of empty ones would take seconds to parse.
CONTAINERS_MAX = 400_000
#: Calls that are being served or wait for memory; more are refused.
CALLS_MAX = 256
#: Whole numbers of at least this many digits are read as infinite, as they would be as floats.
DIGITS_MAX = 400


_SHALLOW = reprlib.Repr()
_SHALLOW.maxlevel, _SHALLOW.maxdict, _SHALLOW.maxlist = 2, 2, 2


class BadBody(Exception):
    """A body is refused; `status` is the HTTP status code, the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Bodies:
    """Admits bodies in order of arrival, as long as there is memory for them."""

    def __init__(self, *, bytes_max: int = BODIES_BYTES_MAX, calls_max: int = CALLS_MAX) -> None:
        self._bytes_max, self._calls_max = bytes_max, calls_max
        self._bytes_taken = self._calls = 0
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[Any]:
        """Read the body of a request as JSON; its memory reservation is released on exit.

        Raises:
            BadBody: The body is refused.
        """
        length = _length(request)
        if self._calls >= self._calls_max:
            raise BadBody(429, f"more than {self._calls_max} calls at the same time: try again in a moment")
        self._calls += 1
        try:
            try:
                async with asyncio.timeout(ROOM_SECONDS_MAX):
                    await self._take(length)
            except TimeoutError:
                raise BadBody(503, "there is no room for more bodies: try again in a moment") from None
            try:
                yield parse_json(await _received(request, length))
            finally:
                self._bytes_taken -= length
                self._freed.set()
        finally:
            self._calls -= 1

    async def _take(self, length: int) -> None:
        async with self._turn:  # First come, first served, so that smaller bodies cannot starve a large one.
            while self._bytes_taken and self._bytes_taken + length > self._bytes_max:
                self._freed.clear()
                await self._freed.wait()
            self._bytes_taken += length


def parse_json(body: bytes) -> Any:
    """Parse a JSON text.

    Raises:
        BadBody: It is not JSON, is nested too deeply, or has too many objects and arrays.
    """
    if body.count(b"{") + body.count(b"[") > CONTAINERS_MAX:
        raise BadBody(413, f"the body must have at most {CONTAINERS_MAX:,} objects and arrays")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # Python writes NaN and Infinity, which are not JSON, and numbers may be too large for a float. Such a value
        # must only make its own record invalid, not the whole body.
        return _parsed_loosely(body)


def _parsed_loosely(body: bytes) -> Any:
    try:
        return json.loads(body, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise BadBody(400, f"the body is not JSON: {error}") from None


def _whole(digits: str) -> int | float:
    """Parse a whole number; one that is too long for any amount becomes infinity."""
    return int(digits) if len(digits) < DIGITS_MAX else math.inf


def quote_value(value: object) -> str:
    """Quote a value of a body for an answer: bounded in length and depth, and valid Unicode."""
    if not isinstance(value, dict | list):
        return short_repr(value[: 2 * SHOWN_CHARACTERS_MAX] if isinstance(value, str) else value)
    return _SHALLOW.repr(value)


def _length(request: Request) -> int:
    encoding = request.headers.get("content-encoding", "identity")
    if encoding.lower() != "identity":
        raise BadBody(415, f"content-encoding must be identity, got {encoding[:40]!r}")
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal() and len(text) < 20):
        raise BadBody(411, "content-length must be the size of the body")
    length = int(text)
    if length > BODY_BYTES_MAX:
        raise BadBody(413, f"the body must be at most {BODY_BYTES_MAX} bytes, got {length}")
    return length


async def _received(request: Request, length: int) -> bytes:
    chunks, size = [], 0
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                size += len(chunk)
                if size > length:
                    raise BadBody(400, f"the body is longer than its content-length of {length}")
                chunks.append(chunk)
    except TimeoutError:
        raise BadBody(408, f"the body must come within {BODY_SECONDS_MAX:.0f} seconds") from None
    except ClientDisconnect:
        raise BadBody(400, "the caller has disconnected") from None
    return b"".join(chunks)
