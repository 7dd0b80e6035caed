"""Google's embeddings: each vector has its own count of tokens; Vertex AI also counts the characters of all vectors."""

from collections.abc import Mapping, Sequence

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, is_number, need_nothing, whole
from budgetd.usage.fields import fields_of, get, leaves_of
from budgetd.usage.gemini import in_both_cases

_STATISTICS = "embeddings.statistics"
_DETAILS = "tokens_details"
_PARTS = {
    "token_count": "input_tokens",
    f"{_DETAILS}.text.token_count": "_text_input",
    f"{_DETAILS}.audio.token_count": "audio_input_tokens",
    f"{_DETAILS}.image.token_count": "image_input_tokens",
    f"{_DETAILS}.video.token_count": "_video_input",
}
#: The paths below the statistics of a vector, in snake case and in camel case, as `parts` has them.
_PATHS = in_both_cases(
    {path: f"{_STATISTICS}.{path}" for path in _PARTS}
    # Documents are priced as text.
    | {f"{_DETAILS}.document.token_count": f"{_STATISTICS}.{_DETAILS}.text.token_count"}
)


def _vectors(look: Look) -> Sequence[object]:
    """Return the vectors, in the form of Google's library or of Vertex AI's HTTP interface."""
    vectors, predictions = look.get("embeddings"), look.get("predictions")
    if isinstance(predictions, list | tuple):
        vectors = [get(prediction, "embeddings") for prediction in predictions]
    return vectors if isinstance(vectors, list | tuple) else ()


def _outside(look: Look) -> Mapping[str, object]:
    """Sum the counts of all vectors. Characters count only if there are no tokens."""
    found: dict[str, object] = {}
    vectors = _vectors(look)
    for index, vector in enumerate(vectors):
        where = f"embeddings[{index}].statistics"
        for path, value in leaves_of(fields_of(get(vector, "statistics"), where) or {}, where).items():
            if path in _PATHS or is_number(value):
                name = _PATHS.get(path, f"{_STATISTICS}.{path}")
                found[name] = whole(found.get(name, 0), where) + whole(value, f"{where}.{path}")
    if vectors and f"{_STATISTICS}.token_count" not in found:
        metadata = look.get("metadata")
        characters = get(metadata, "billable_character_count") or get(metadata, "billableCharacterCount")
        found |= {"metadata.billable_character_count": characters} if characters else {}
    return found


DIALECT = Dialect(
    name="gemini_embeddings",
    is_it=lambda look: bool(_outside(look)),
    parts={
        **{f"{_STATISTICS}.{path}": part for path, part in _PARTS.items()},
        "metadata.billable_character_count": "characters",
    },
    harmless=COST_PARTS,
    settle=lambda _: None,
    needs=need_nothing,
    outside=_outside,
)
