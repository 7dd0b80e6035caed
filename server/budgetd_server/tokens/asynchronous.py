"""Counts tokens for async code: long texts in separate threads, and with a limit on the size of texts."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.tokens.counter import TokenCount, TokenCounter

TEXT_BYTES_MAX = 4 * 1024 * 1024
THREADS = 2

#: Shorter texts are counted on the event loop, which takes less time than handing them to a thread.
_INLINE_CHARACTERS_MAX = 1024


class AsyncTokenCounter:
    """A `TokenCounter` that never blocks the event loop.

    Each method raises InvalidField for `field` if a text has more than 4 MiB.

    Args:
        counter: The counter to use; None creates one with the shipped vocabularies.
        pool: Where long texts are counted; None creates a pool of two threads.
    """

    def __init__(self, counter: TokenCounter | None = None, *, pool: Executor | None = None) -> None:
        self._counter = counter or TokenCounter()
        self._pool = pool or ThreadPoolExecutor(THREADS, thread_name_prefix="tokens")

    async def preload(self) -> None:
        """Load the encodings now. Raises VocabularyDamagedError."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._counter.preload)

    async def count_chat_text(self, model: str, text: str, *, field: str) -> TokenCount:
        """See `TokenCounter.count_chat_text`."""
        return await self._count(model, (text,), field, lambda: self._counter.count_chat_text(model, text))

    async def count_contents(self, model: str, contents: Sequence[str], *, field: str) -> TokenCount:
        """See `TokenCounter.count_contents`; the limit is for all contents together."""
        return await self._count(model, contents, field, lambda: self._counter.count_contents(model, contents))

    async def count_messages(self, model: str, messages: Sequence[tuple[str, str]], *, field: str) -> TokenCount:
        """See `TokenCounter.count_messages`; the limit is for all messages together."""
        texts = [text for message in messages for text in message]
        return await self._count(model, texts, field, lambda: self._counter.count_messages(model, messages))

    def close(self) -> None:
        """Stop the threads without waiting for them; queued texts are dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _count(self, model: str, texts: Sequence[str], field: str, count: Callable[[], TokenCount]) -> TokenCount:
        characters = sum(map(len, texts))
        _check_size(texts, characters, field)
        if characters <= _INLINE_CHARACTERS_MAX and self._counter.is_ready(model):
            return count()
        return await asyncio.get_running_loop().run_in_executor(self._pool, count)


def _check_size(texts: Sequence[str], characters: int, field: str) -> None:
    if characters * 4 <= TEXT_BYTES_MAX:  # A character has at most four bytes, so most texts need no encoding.
        return
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > TEXT_BYTES_MAX:
        raise InvalidField([FieldViolation(field, f"must be at most {TEXT_BYTES_MAX} bytes of UTF-8, got {size}")])
