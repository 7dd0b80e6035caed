"""Answers over HTTP, sent with back-pressure and within the memory limits of all answers."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from budgetd_server.connections import host_and_port
from budgetd_server.engine.answer_room import COUNTED_BYTES_MIN, AnswerRoom, Held

#: How much is written to the connection at a time. It buffers at most twice as much.
CHUNK_BYTES = 64 * 1024


class JsonAnswer(Response):
    """A JSON body with its memory reservation, which is released once the whole body has been written."""

    media_type = "application/json"

    def __init__(self, content: bytes, status: int, *, held: Held | None = None) -> None:
        super().__init__(content, status, headers={"retry-after": "1"} if status in (429, 503) else None)
        self._content, self._held = content, held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the body in parts, each when the connection can take more."""
        if self._held is None:
            await super().__call__(scope, receive, send)
            return
        try:
            self._held.send(len(self._content))
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            view = memoryview(self._content)
            for begin in range(0, len(view), CHUNK_BYTES):
                part = bytes(view[begin : begin + CHUNK_BYTES])
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._held.release()


def held_for(room: AnswerRoom, request: Request, size: int) -> Held | None:
    """Reserve memory for an answer. Returns None if it is too small to count.

    Raises:
        AnswersUnread: Unread answers already take all of it.
    """
    if size < COUNTED_BYTES_MIN:
        return None
    client = request.client
    return room.take(host_and_port(client.host, client.port) if client else "unix", size)
