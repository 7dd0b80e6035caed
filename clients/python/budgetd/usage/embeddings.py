"""Embeddings: only input, reported as prompt, as input, or as a total."""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look, Reading, need_nothing
from budgetd.usage.fields import get

_KEYS = {"total_tokens", "prompt_tokens", "input_tokens"}


def is_embedding(look: Look) -> bool:
    """Return True for a list of vectors, and if the model's name is that of an embedding model."""
    data = look.get("data")
    if isinstance(data, list | tuple) and data:
        return get(data[0], "embedding") is not None
    return look.is_of("embed")


def settle(reading: Reading) -> None:
    """Use the total as input if there is no other count.

    Raises:
        UsageValueError: Counts contradict each other.
    """
    total = reading.of("_total")
    if not any(reading.of(name) for name in ("input_tokens", "output_tokens", "_other_input", "_other_output")):
        reading.counts["input_tokens"], reading.paths["input_tokens"] = total, reading.paths.get("_total", "usage")
    openai_chat.settle(reading)


DIALECT = replace(
    openai_chat.DIALECT,
    name="embeddings",
    is_it=lambda look: not _KEYS.isdisjoint(look.usage) and is_embedding(look),
    settle=settle,
    needs=need_nothing,
)
