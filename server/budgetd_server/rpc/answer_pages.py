"""The size limit of answers: a page ends before it, so that every answer can be delivered."""

from typing import Generic, TypeVar

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

#: Leaves a margin below the 4 MiB that a message may have.
ANSWER_BYTES_MAX = 3 * 1024 * 1024
#: Bytes of a message in the list of an answer in addition to its own.
_FRAME_BYTES = 8


class AnswerPage(Generic[M]):
    """The messages of one page."""

    def __init__(self) -> None:
        self.messages: list[M] = []
        self._bytes = 0

    def add(self, message: M) -> bool:
        """Add a message. Returns False, without adding it, if the page is full. The first message always fits."""
        size = message.ByteSize() + _FRAME_BYTES
        if self.messages and self._bytes + size > ANSWER_BYTES_MAX:
            return False
        self.messages.append(message)
        self._bytes += size
        return True
