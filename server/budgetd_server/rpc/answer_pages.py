"""How much an answer may hold: a page ends before it, so that every answer arrives."""

from typing import Generic, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

#: A message may have 4 MiB.
ANSWER_BYTES_MAX = 3 * 1024 * 1024
#: What a message takes in the list of an answer, beside its own bytes.
_FRAME_BYTES = 8


class AnswerPage(Generic[M]):
    """The messages of one page."""

    def __init__(self) -> None:
        self.messages: list[M] = []
        self._bytes = 0

    def add(self, message: M) -> bool:
        """Add a message; False: the page is full without it. One message fits, whatever its size."""
        size = message.ByteSize() + _FRAME_BYTES
        if self.messages and self._bytes + size > ANSWER_BYTES_MAX:
            return False
        self.messages.append(message)
        self._bytes += size
        return True
