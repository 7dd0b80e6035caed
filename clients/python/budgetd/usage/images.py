"""Answers that are images: tokens of gpt-image models, and how many images there are."""

from collections.abc import Mapping
from functools import partial

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look
from budgetd.usage.fields import get


def _is_it(look: Look) -> bool:
    return _images(look) > 0 or (
        openai_responses.is_counted_so(look) and look.is_of("gpt-image", "chatgpt-image", "dall-e")
    )


def _images(look: Look) -> int:
    """How many images the answer has."""
    data = look.get("data")
    if not isinstance(data, list | tuple) or not data:
        return 0
    is_image = get(data[0], "b64_json") is not None or get(data[0], "url") is not None
    return len(data) if is_image else 0


def _beside(look: Look) -> Mapping[str, object]:
    images = _images(look)
    return {"data": images} if images else {}


DIALECT = Dialect(
    name="images",
    is_it=_is_it,
    parts={**openai_responses.PARTS, "data": "output_images"},
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=partial(openai_responses.settle_output_of, "image_output_tokens"),
    beside=_beside,
)
