"""Image answers: the tokens of gpt-image models, and the number of images."""

from collections.abc import Mapping, Sequence
from functools import partial

from budgetd.usage import openai_chat, openai_responses
from budgetd.usage.dialect import Dialect, Look
from budgetd.usage.fields import get


def _is_it(look: Look) -> bool:
    return bool(_outside(look)) or (
        openai_responses.is_counted_so(look) and look.is_of("gpt-image", "chatgpt-image", "dall-e")
    )


def _outside(look: Look) -> Mapping[str, object]:
    """Return the number of images, by their path. Google returns nothing for an image that it filtered out."""
    data = _list(look, "data")
    if data and (get(data[0], "b64_json") is not None or get(data[0], "url") is not None):
        return {"data": len(data)}
    generated = _list(look, "generated_images") or _list(look, "generatedImages")
    if images := sum(get(each, "image") is not None for each in generated):
        return {"generated_images": images}
    images = sum(_is_image(prediction) for prediction in _list(look, "predictions"))
    return {"predictions": images} if images else {}


def _list(look: Look, name: str) -> Sequence[object]:
    items = look.get(name)
    return items if isinstance(items, list | tuple) else ()


def _is_image(prediction: object) -> bool:
    """Return True for an image of Imagen, in the form of Google's HTTP interface. Music has the same fields."""
    kind = get(prediction, "mimeType")
    return isinstance(kind, str) and kind.startswith("image/") and get(prediction, "bytesBase64Encoded") is not None


DIALECT = Dialect(
    name="images",
    is_it=_is_it,
    parts={**openai_responses.PARTS, **dict.fromkeys(("data", "generated_images", "predictions"), "output_images")},
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=partial(openai_responses.settle_output_of, "image_output_tokens"),
    outside=_outside,
)
