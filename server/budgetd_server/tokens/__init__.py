"""Counts tokens of texts offline, with shipped vocabularies. The only package that imports tiktoken."""

from budgetd_server.tokens.asynchronous import TEXT_BYTES_MAX, AsyncTokenCounter
from budgetd_server.tokens.counter import TokenCount, TokenCounter
from budgetd_server.tokens.encodings import VocabularyDamagedError

__all__ = [
    "TEXT_BYTES_MAX",
    "AsyncTokenCounter",
    "TokenCount",
    "TokenCounter",
    "VocabularyDamagedError",
]
