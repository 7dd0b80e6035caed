"""Voyage: only a total, and the pixels that are part of it."""

from budgetd.usage import embeddings, openai_chat
from budgetd.usage.dialect import Dialect, need_nothing

_INSIDE = "is inside the total"

DIALECT = Dialect(
    name="voyage",
    is_it=lambda look: "total_tokens" in look.usage and look.is_of("voyage"),
    parts={**openai_chat.PARTS, "text_tokens": "_text_input"},
    harmless={**openai_chat.HARMLESS, "image_pixels": _INSIDE, "video_pixels": _INSIDE},
    unpriced=openai_chat.UNPRICED,
    settle=embeddings.settle,
    needs=need_nothing,
    provider=lambda _: "voyage",
)
