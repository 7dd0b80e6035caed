"""Detects content in an answer. No provider makes content for free, so a usage of zeros next to it is incomplete."""

from budgetd.usage.dialect import Look
from budgetd.usage.fields import get

#: Where answers keep their output: texts, vectors, images, rankings, pages and calls of tools.
_CONTENTS = (
    "content",
    "data",
    "embedding",
    "embeddings",
    "message",
    "output",
    "outputs",
    "pages",
    "predictions",
    "results",
    "text",
)
#: Lists of choices, and where each choice keeps its output.
_CHOICES = ("choices", "candidates")
_OF_CHOICE = ("message", "content", "text")
#: Stop reasons of blocked answers, whose text is a notice and not the model's output; and Bedrock's field that says so
#: where the stop reason does not.
_BLOCKED = ("guardrail_intervened", "content_filter", "content_filtered")
_STOPS = ("stopReason", "stop_reason", "finish_reason")
_GUARDRAIL, _INTERVENED = "amazon-bedrock-guardrailAction", "INTERVENED"
#: The fields of messages, of any provider, that are content. Other fields, such as the role, are not.
_OF_MESSAGE = ("content", "parts", "tool_calls", "function_call", "reasoning_content", "audio", "images", "message")


def has_content(look: Look) -> bool:
    """Return True if the answer has a text, a vector, an image, a call of a tool or the like."""
    if any(_is_content(look.get(name)) for name in _CONTENTS):
        return True
    for name in _CHOICES:
        choices = look.get(name)
        if isinstance(choices, list | tuple):
            for choice in choices:
                if any(_is_content(get(choice, part)) for part in _OF_CHOICE):
                    return True
    return False


def is_blocked(look: Look) -> bool:
    """Return True if a guardrail or a filter stopped the answer, whose text may then be a notice instead of output."""
    if look.get(_GUARDRAIL) == _INTERVENED or any(look.get(name) in _BLOCKED for name in _STOPS):
        return True
    choices = look.get("choices")
    if not isinstance(choices, list | tuple) or not choices:
        return False
    return all(get(choice, "finish_reason") in _BLOCKED for choice in choices)


def _is_content(value: object) -> bool:
    """Return True for a text or a list that is not empty, and for a message that has one."""
    if value is None or isinstance(value, str | list | tuple):
        return bool(value)
    return any(bool(get(value, name)) for name in _OF_MESSAGE)
