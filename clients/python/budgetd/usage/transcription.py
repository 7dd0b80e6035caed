"""Transcriptions: tokens, or the length of the audio in seconds, in any of its places in the answer."""

from collections.abc import Mapping

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look
from budgetd.usage.fields import get

_LENGTH = "audio_transcription_duration"


def _is_it(look: Look) -> bool:
    kind = look.usage.get("type")
    if kind == "duration" or kind == "tokens" or "seconds" in look.usage:  # noqa: PLR1714 - It may be unhashable.
        return True
    return look.get("text") is not None and bool(_outside(look))


def _outside(look: Look) -> Mapping[str, object]:
    if look.usage.get("seconds"):
        return {}
    hidden = get(look.hidden, _LENGTH)
    if hidden is not None:
        return {_LENGTH: hidden}
    duration = look.get("duration")
    return {} if duration is None else {"duration": duration}


DIALECT = Dialect(
    name="transcription",
    is_it=_is_it,
    parts={
        **openai_responses.PARTS,
        "seconds": "audio_input_seconds",
        "duration": "audio_input_seconds",
        _LENGTH: "audio_input_seconds",
    },
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=openai_responses.settle,
    outside=_outside,
)
