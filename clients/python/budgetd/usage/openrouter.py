"""OpenRouter's answers: tokens and a cost in dollars, and a second cost if the caller's own key was used."""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look

_KEYS = {"cost_details", "is_byok"}


def is_its_own(look: Look, identity: str) -> bool:
    """Return True for an answer of OpenRouter in any form, as LiteLLM, the usage or the identifier shows.

    Args:
        look: The answer.
        identity: The answer's identifier. Next to it, OpenRouter names the provider that served the model.
    """
    if look.provider == "openrouter" or not _KEYS.isdisjoint(look.usage):
        return True
    return identity.startswith("gen-") and isinstance(look.get("provider"), str)


def _is_it(look: Look) -> bool:
    return openai_chat.is_chat(look) and is_its_own(look, "")


DIALECT = replace(openai_chat.DIALECT, name="openrouter", is_it=_is_it)
