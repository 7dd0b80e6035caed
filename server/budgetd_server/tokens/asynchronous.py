"""Counts tokens for async code: long texts in threads of their own, and no text without a bound."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor

from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.tokens.counter import TokenCount, TokenCounter

TEXT_BYTES_MAX = 4 * 1024 * 1024
THREADS = 2

#: Shorter texts are counted where they are: that takes less time than the way to a thread and back.
_INLINE_CHARACTERS_MAX = 1024


class AsyncTokenCounter:
    """A `TokenCounter` that never holds up the event loop.

    Each method raises InvalidField, naming `field`, for a text of more than 4 MiB.

    Args:
        counter: What counts; None: one with the shipped vocabularies.
        pool: Where long texts are counted; None: two threads of its own.
    """

    def __init__(self, counter: TokenCounter | None = None, *, pool: Executor | None = None) -> None:
        self._counter = counter or TokenCounter()
        self._pool = pool or ThreadPoolExecutor(THREADS, thread_name_prefix="tokens")

    async def preload(self) -> None:
        """Load the encodings now. Raises VocabularyDamagedError."""
        await asyncio.get_running_loop().run_in_executor(self._pool, self._counter.preload)

    async def count_text(self, model: str, text: str, *, field: str) -> TokenCount:
        """See `TokenCounter.count_text`."""
        return await self._count(model, (text,), field, lambda: self._counter.count_text(model, text))

    async def count_chat_text(self, model: str, text: str, *, field: str) -> TokenCount:
        """See `TokenCounter.count_chat_text`."""
        return await self._count(model, (text,), field, lambda: self._counter.count_chat_text(model, text))

    async def count_contents(self, model: str, contents: Sequence[str], *, field: str) -> TokenCount:
        """See `TokenCounter.count_contents`; the bound is for all contents together."""
        return await self._count(model, contents, field, lambda: self._counter.count_contents(model, contents))

    async def count_messages(self, model: str, messages: Sequence[tuple[str, str]], *, field: str) -> TokenCount:
        """See `TokenCounter.count_messages`; the bound is for all messages together."""
        texts = [text for message in messages for text in message]
        return await self._count(model, texts, field, lambda: self._counter.count_messages(model, messages))

    def close(self) -> None:
        """Let the threads end; what waits for them is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _count(self, model: str, texts: Sequence[str], field: str, count: Callable[[], TokenCount]) -> TokenCount:
        characters = sum(map(len, texts))
        _check_size(texts, characters, field)
        if characters <= _INLINE_CHARACTERS_MAX and self._counter.is_ready(model):
            return count()
        return await asyncio.get_running_loop().run_in_executor(self._pool, count)


def _check_size(texts: Sequence[str], characters: int, field: str) -> None:
    if characters * 4 <= TEXT_BYTES_MAX:  # No character takes more than four bytes, so most texts need no encoding.
        return
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
    if size > TEXT_BYTES_MAX:
        raise InvalidField([FieldViolation(field, f"must be at most {TEXT_BYTES_MAX} bytes of UTF-8, got {size}")])
