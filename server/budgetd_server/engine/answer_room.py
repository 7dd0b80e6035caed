"""Room for answers that are on their way: bounded for each connection and in all, and so is the time they may take.

An answer stays in memory until its reader has let it in, and a reader may never do so. So whoever asks for a big answer
waits until there is room for it, before it is made; and a connection that leaves one unread for too long is cut off.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

from budgetd_server.domain.errors import AnswersUnread

MIB = 1 << 20
#: Answers that are on their way to one connection, in bytes. The first one may be larger.
CONNECTION_BYTES_MAX = 12 * MIB
#: Answers that are on their way to all connections, in bytes.
ANSWERS_BYTES_MAX = 128 * MIB
#: Smaller answers are not counted; the number of calls on a connection bounds them.
COUNTED_BYTES_MIN = 4 * 1024
#: How long a call waits for room.
ROOM_SECONDS_MAX = 10.0
#: How long an answer may be on its way before its connection is cut off.
UNREAD_SECONDS_MAX = 30.0


class _Waiting(NamedTuple):
    peer: str
    size: int
    granted: "asyncio.Future[Held]"


class Held:
    """Room that one answer has; it is given back by `release`, once the answer has gone or will not be sent."""

    def __init__(self, room: "AnswerRoom", peer: str, size: int) -> None:
        self._room, self._peer, self._size = room, peer, size
        self._timer: asyncio.TimerHandle | None = None

    def send(self, size: int) -> None:
        """The answer is made, has so many bytes, and leaves now; unread for too long, it ends its connection."""
        self._room.give_back(self._peer, self._size - size)
        self._size = size
        self._timer = asyncio.get_running_loop().call_later(UNREAD_SECONDS_MAX, self._cut_off)

    def release(self) -> None:
        """Give the room back; twice is fine."""
        if self._timer is not None:
            self._timer.cancel()
        self._room.give_back(self._peer, self._size)
        self._size = 0

    def _cut_off(self) -> None:
        self._room.cut_off(self._peer)


class AnswerRoom:
    """The room of one server.

    Args:
        cut_off: Ends the connection of a peer.
    """

    def __init__(self, cut_off: Callable[[str], None]) -> None:
        self.cut_off = cut_off
        self._bytes_of = Counter[str]()
        self._bytes = 0
        self._waiting: deque[_Waiting] = deque()

    async def wait(self, peer: str, size: int) -> Held:
        """Room for an answer that is still to be made, as soon as there is any.

        Raises:
            AnswersUnread: There was none in time.
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
                waiting.granted.result().release()  # It was granted while the caller was leaving.
            if isinstance(error, TimeoutError):
                raise self._refusal(peer) from None
            raise

    def take(self, peer: str, size: int) -> Held:
        """Room for an answer that is made already.

        Raises:
            AnswersUnread: There is none now. Waiting would not help: the answer is in memory.
        """
        if not self._fits(peer, size):
            raise self._refusal(peer)
        return self._taken(peer, size)

    def give_back(self, peer: str, size: int) -> None:
        """Let others have room; called by what holds it."""
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
