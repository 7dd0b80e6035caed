"""Google's embeddings: each vector has its own count of tokens; Vertex AI counts the characters of all of them, too."""

from collections.abc import Mapping, Sequence

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, whole
from budgetd.usage.fields import get


def _vectors(look: Look) -> Sequence[object]:
    """The vectors, as Google's library or Vertex AI's HTTP interface has them."""
    vectors, predictions = look.get("embeddings"), look.get("predictions")
    if isinstance(predictions, list | tuple):
        vectors = [get(prediction, "embeddings") for prediction in predictions]
    return vectors if isinstance(vectors, list | tuple) else ()


def _is_it(look: Look) -> bool:
    return any(get(vector, "statistics") is not None for vector in _vectors(look))


def _first(holder: object, *names: str) -> tuple[str, object]:
    """The first of some fields that is there, with its name."""
    return next(((name, value) for name in names if (value := get(holder, name)) is not None), (names[0], None))


def _beside(look: Look) -> Mapping[str, object]:
    tokens = 0
    for index, vector in enumerate(_vectors(look)):
        name, count = _first(get(vector, "statistics"), "token_count", "tokenCount")
        tokens += 0 if count is None else whole(count, f"embeddings[{index}].statistics.{name}")
    if tokens:
        return {"embeddings.statistics.token_count": tokens}
    # Tokens are the price, and characters where there are none.
    _, characters = _first(look.get("metadata"), "billable_character_count", "billableCharacterCount")
    return {} if characters is None else {"metadata.billable_character_count": characters}


DIALECT = Dialect(
    name="gemini_embeddings",
    is_it=_is_it,
    parts={
        "embeddings.statistics.token_count": "input_tokens",
        "metadata.billable_character_count": "characters",
    },
    harmless=COST_PARTS,
    settle=lambda _: None,
    beside=_beside,
)
