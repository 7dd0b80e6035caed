"""Speech: the characters of the spoken text, or the tokens of the audio."""

from collections.abc import Mapping
from functools import partial

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look
from budgetd.usage.fields import get

_KEYS = {"characters", "input_characters", "character_count", "billable_character_count"}


def _is_it(look: Look) -> bool:
    return (
        not _KEYS.isdisjoint(look.usage)
        or bool(_outside(look))
        or look.get("type") == "speech.audio.done"
        or (openai_responses.is_counted_so(look) and look.is_of("-tts"))
    )


def _outside(look: Look) -> Mapping[str, object]:
    """Return the characters that Azure and MiniMax count."""
    found = {
        "RequestCharacters": look.get("RequestCharacters"),
        "extra_info.usage_characters": get(look.get("extra_info"), "usage_characters"),
    }
    return {path: characters for path, characters in found.items() if characters is not None}


DIALECT = Dialect(
    name="speech",
    is_it=_is_it,
    parts={
        **openai_responses.PARTS,
        **dict.fromkeys(sorted(_KEYS), "characters"),
        "RequestCharacters": "characters",
        "extra_info.usage_characters": "characters",
    },
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=partial(openai_responses.settle_output_of, "audio_output_tokens"),
    outside=_outside,
)
