"""Bound the memory for answers in flight, per connection and in total, and the time that they may take.

An answer stays in memory until the client has read it, which may be never. So a call with a large answer waits for a
reservation of memory before the answer is made (back-pressure), and a connection that leaves an answer unread for too
long is ended.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from budgetd_server.domain.errors import AnswersUnread

MIB = 1 << 20
#: Bytes of answers in flight to one connection. The first answer may be larger.
CONNECTION_BYTES_MAX = 12 * MIB
#: Bytes of answers in flight to all connections.
ANSWERS_BYTES_MAX = 128 * MIB
#: Smaller answers are not counted. The number of calls on a connection bounds them.
COUNTED_BYTES_MIN = 4 * 1024
#: How long a call waits for a reservation.
ROOM_SECONDS_MAX = 10.0
#: How long an answer may be in flight before its connection is ended.
UNREAD_SECONDS_MAX = 30.0


class _Waiting(NamedTuple):
    peer: str
    size: int
    granted: "asyncio.Future[Held]"


class Held:
    """The memory reservation of one answer. `release` it once the answer has been sent or will not be sent."""

    def __init__(self, room: "AnswerRoom", peer: str, size: int) -> None:
        self._room, self._peer, self._size = room, peer, size
        self._timer: asyncio.TimerHandle | None = None

    def send(self, size: int) -> None:
        """Note that an answer of `size` bytes is sent now. If it stays unread for too long, its connection is ended."""
        self._room.give_back(self._peer, self._size - size)
        self._size = size
        self._timer = asyncio.get_running_loop().call_later(UNREAD_SECONDS_MAX, self._cut_off)

    def release(self) -> None:
        """Release the reservation. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()
        self._room.give_back(self._peer, self._size)
        self._size = 0

    def _cut_off(self) -> None:
        self._room.cut_off(self._peer)


class AnswerRoom:
    """The memory for answers of one server.

    Args:
        cut_off: Ends the connection of a peer.
    """

    def __init__(self, cut_off: Callable[[str], None]) -> None:
        self.cut_off = cut_off
        self._bytes_of = Counter[str]()
        self._bytes = 0
        self._waiting: deque[_Waiting] = deque()

    async def wait(self, peer: str, size: int) -> Held:
        """Reserve memory for an answer before it is made, as soon as there is room.

        Raises:
            AnswersUnread: There was no room in time.
        """
        if self._fits(peer, size):
            return self._taken(peer, size)
        waiting = _Waiting(peer, size, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(ROOM_SECONDS_MAX):
                return await waiting.granted
        except BaseException as error:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            else:
                waiting.granted.result().release()  # It was granted while the caller was being cancelled.
            if isinstance(error, TimeoutError):
                raise self._refusal(peer) from None
            raise

    def take(self, peer: str, size: int) -> Held:
        """Reserve memory for an answer that has been made.

        Raises:
            AnswersUnread: There is no room now. It does not wait, since the answer is in memory already.
        """
        if not self._fits(peer, size):
            raise self._refusal(peer)
        return self._taken(peer, size)

    def give_back(self, peer: str, size: int) -> None:
        """Return memory to the room and grant it to waiting calls. Called by `Held`."""
        self._bytes -= size
        self._bytes_of[peer] -= size
        if not self._bytes_of[peer]:
            del self._bytes_of[peer]
        for waiting in list(self._waiting):
            if not waiting.granted.done() and self._fits(waiting.peer, waiting.size):
                self._waiting.remove(waiting)
                waiting.granted.set_result(self._taken(waiting.peer, waiting.size))

    def _fits(self, peer: str, size: int) -> bool:
        of_peer = self._bytes_of.get(peer, 0)
        return (not of_peer or of_peer + size <= CONNECTION_BYTES_MAX) and (
            not self._bytes or self._bytes + size <= ANSWERS_BYTES_MAX
        )

    def _taken(self, peer: str, size: int) -> Held:
        self._bytes += size
        self._bytes_of[peer] += size
        return Held(self, peer, size)

    def _refusal(self, peer: str) -> AnswersUnread:
        return AnswersUnread(of_connection=self._bytes_of.get(peer, 0), in_all=self._bytes)
