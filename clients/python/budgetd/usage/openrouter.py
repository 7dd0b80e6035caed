"""OpenRouter's chat completions: tokens and a cost in dollars, and a second cost if the caller's own key was used."""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look


def _is_it(look: Look) -> bool:
    keys = {"cost_details", "is_byok"}
    return openai_chat.is_chat(look) and (look.provider == "openrouter" or not keys.isdisjoint(look.usage))


DIALECT = replace(openai_chat.DIALECT, name="openrouter", is_it=_is_it)
