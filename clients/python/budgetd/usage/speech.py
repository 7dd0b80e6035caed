"""Speech: characters of the text that was spoken, or tokens of the audio that was made."""

from collections.abc import Mapping
from functools import partial

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look

_KEYS = {"characters", "input_characters", "character_count", "billable_character_count"}


def _is_it(look: Look) -> bool:
    return (
        not _KEYS.isdisjoint(look.usage)
        or look.get("RequestCharacters") is not None
        or look.get("type") == "speech.audio.done"
        or (openai_responses.is_counted_so(look) and look.is_of("-tts"))
    )


def _beside(look: Look) -> Mapping[str, object]:
    characters = look.get("RequestCharacters")
    return {} if characters is None else {"RequestCharacters": characters}


DIALECT = Dialect(
    name="speech",
    is_it=_is_it,
    parts={
        **openai_responses.PARTS,
        **dict.fromkeys(sorted(_KEYS), "characters"),
        "RequestCharacters": "characters",
    },
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=partial(openai_responses.settle_output_of, "audio_output_tokens"),
    beside=_beside,
)
