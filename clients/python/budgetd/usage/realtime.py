"""OpenAI's realtime responses: details in the singular, and cached tokens by modality."""

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look


def _is_it(look: Look) -> bool:
    if not openai_responses.is_counted_so(look) or "type" in look.usage:
        return False
    is_named = look.get("object") == "realtime.response" or look.is_of("realtime")
    return is_named or not {"input_token_details", "output_token_details"}.isdisjoint(look.usage)


DIALECT = Dialect(
    name="realtime",
    is_it=_is_it,
    parts=openai_responses.PARTS,
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=openai_responses.settle,
)
