"""OpenRouter's chat completions: a dollar amount beside the tokens, and another if the caller's own key was used."""

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Dialect, Look


def _is_it(look: Look) -> bool:
    keys = {"cost_details", "is_byok"}
    return openai_chat.is_chat(look) and (look.provider == "openrouter" or not keys.isdisjoint(look.usage))


DIALECT = Dialect(
    name="openrouter",
    is_it=_is_it,
    parts=openai_chat.PARTS,
    harmless=openai_chat.HARMLESS,
    money=openai_chat.MONEY,
    settle=openai_chat.settle,
)
