"""Extracts the text of chat messages, whose tokens the server counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from budgetd.usage.fields import get
from budgetd.values import short_repr

#: Providers' types of parts that are texts. Google's parts have no type.
_TEXTS = ("text", "input_text", "output_text", None)


def text_of(messages: Sequence[Mapping[str, Any]]) -> str:
    """Return the contents of all messages, joined.

    Raises:
        KeyError: A message has no content.
        TypeError: A content is neither a text nor a list of parts.
        ValueError: A part is not a text.
    """
    return "".join(_text(message["content"], f"messages[{index}]['content']") for index, message in enumerate(messages))


def _text(content: object, place: str) -> str:
    if isinstance(content, str):
        return content
    if not isinstance(content, list | tuple):
        raise TypeError(f"{place} must be a text or a list of parts, got {short_repr(content)}")
    return "".join(_text_of_part(part, f"{place}[{index}]") for index, part in enumerate(content))


def _text_of_part(part: object, place: str) -> str:
    text = part if isinstance(part, str) else get(part, "text")
    if isinstance(text, str) and (isinstance(part, str) or get(part, "type") in _TEXTS):
        return text
    rule = "must be a part of type 'text' with a text: the cost of anything else cannot be projected"
    raise ValueError(f"{place} {rule}, got {short_repr(part)}")
