"""Mistral's answers: chat completions with the length of the audio, agents with connectors, and pages of documents."""

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Dialect, Look, Reading


def _is_it(look: Look) -> bool:
    keys = {"prompt_audio_seconds", "connector_tokens", "connectors", "pages_processed"}
    return not keys.isdisjoint(look.usage) or (
        openai_chat.is_chat(look) and look.is_of("mistral", "ministral", "codestral", "voxtral", "magistral", "pixtral")
    )


def _settle(reading: Reading) -> None:
    # The model reads what a connector returns. The prompt does not count that input unless the total shows it.
    total, connector = reading.of("_total"), reading.of("_connector")
    if not total or total != reading.of("input_tokens") + reading.of("output_tokens"):
        reading.add("input_tokens", connector)
    if connector > reading.of("input_tokens"):
        raise reading.refuse("_connector", f"must not exceed the input, {reading.of('input_tokens')}")
    _add_audio_outside(reading)
    openai_chat.settle(reading)


def _add_audio_outside(reading: Reading) -> None:
    """Add audio tokens to the input: the prompt excludes them, and the total includes them."""
    excess = reading.of("_total") - reading.of("input_tokens") - reading.of("output_tokens")
    if excess > 0 and reading.of("audio_input_seconds") and reading.of("audio_input_tokens") in {0, excess}:
        reading.add("input_tokens", excess)
        reading.counts["audio_input_tokens"] = excess
        reading.paths.setdefault("audio_input_tokens", reading.paths["_total"])


DIALECT = Dialect(
    name="mistral",
    is_it=_is_it,
    parts={
        **openai_chat.PARTS,
        "prompt_audio_seconds": "audio_input_seconds",
        "connector_tokens": "_connector",
        "connectors.web_search": "web_searches",
        "pages_processed": "pages",
    },
    harmless={**openai_chat.HARMLESS, "doc_size_bytes": "is a size; documents are billed by the page"},
    unpriced=openai_chat.UNPRICED,
    settle=_settle,
)
