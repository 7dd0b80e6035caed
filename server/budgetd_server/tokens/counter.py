"""Counts tokens of texts and messages by LiteLLM's rules, without the network."""

from collections.abc import Iterable
from typing import NamedTuple

from budgetd_server.tokens.encodings import Encodings, choose_encoding

#: What a chat costs beyond its text: three tokens frame each message, and three begin the answer.
TOKENS_PER_MESSAGE = 3
TOKENS_PER_ANSWER = 3

#: LiteLLM encodes a text in pieces of this many characters, so no token spans two pieces. This matters for parity, and
#: keeps the time linear in the length of a text.
_PIECE_CHARACTERS = 1024


class TokenCount(NamedTuple):
    """A number of tokens, and whether the encoding that counted them is known to be the model's own.

    If `is_exact` is false, the count comes from another encoding, or is the text's length in UTF-8, an upper bound,
    because the vocabulary is missing.
    """

    tokens: int
    is_exact: bool


class TokenCounter:
    """Counts tokens in the calling thread.

    A thousand characters take about 60 µs; the first text in an encoding waits 0.3 s until that is loaded.
    Thread-safe. Async code uses `AsyncTokenCounter`.
    """

    def __init__(self, encodings: Encodings | None = None) -> None:
        self._encodings = encodings or Encodings()

    def preload(self) -> None:
        """Load the encodings now instead of on first use. Raises VocabularyDamagedError."""
        for name in ("cl100k_base", "o200k_base"):
            self._encodings.get(name)

    def is_ready(self, model: str) -> bool:
        """Whether a text for the model can be counted without loading anything first."""
        return self._encodings.is_loaded(choose_encoding(model).name)

    def count_chat_text(self, model: str, text: str) -> TokenCount:
        """Count the tokens of a text as a chat of one message from "user": seven more than the text has.

        BudgetManager's update_cost counts its input and output texts this way.
        """
        return self.count_messages(model, (("user", text),))

    def count_contents(self, model: str, contents: Iterable[str]) -> TokenCount:
        """Count the tokens of messages' contents, joined without separators, as BudgetManager's projected_cost does."""
        return self._count(model, ("".join(contents),), extra_tokens=0)

    def count_messages(self, model: str, messages: Iterable[tuple[str, str]]) -> TokenCount:
        """Count the tokens of a chat as providers bill it, framing included; holds are based on this.

        Args:
            model: The name as sent.
            messages: (role, content) of each. Without messages, only the beginning of the answer counts.
        """
        texts = [text for message in messages for text in message]
        extra_tokens = len(texts) // 2 * TOKENS_PER_MESSAGE + TOKENS_PER_ANSWER
        return self._count(model, texts, extra_tokens=extra_tokens)

    def _count(self, model: str, texts: Iterable[str], *, extra_tokens: int) -> TokenCount:
        name, is_own = choose_encoding(model)
        encoding = self._encodings.get(name)
        if encoding is None:
            # A byte-level encoding never produces more tokens than there are bytes.
            bound = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts)
            return TokenCount(bound + extra_tokens, is_exact=False)
        # encode_ordinary counts a text that contains "<|endoftext|>", where plain encode would raise.
        tokens = sum(
            len(encoding.encode_ordinary(text[start : start + _PIECE_CHARACTERS]))
            for text in texts
            for start in range(0, len(text), _PIECE_CHARACTERS)
        )
        return TokenCount(tokens + extra_tokens, is_own)
