"""Amazon Titan's own answers, as Bedrock's InvokeModel returns them. Their counts are not in a usage."""

from collections.abc import Mapping

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading, missing_count, need_nothing, whole
from budgetd.usage.fields import get


def _outside(look: Look) -> Mapping[str, object]:
    """Return the tokens of the input and of all results. Pieces of a stream, which have parts of both, are not read."""
    tokens, results = look.get("inputTextTokenCount"), look.get("results")
    if isinstance(results, list | tuple):
        counts = (
            whole(get(result, "tokenCount") or 0, f"results[{at}].tokenCount") for at, result in enumerate(results)
        )
        return {} if tokens is None else {"inputTextTokenCount": tokens, "results.tokenCount": sum(counts)}
    is_embedding = look.get("embedding") is not None or look.get("embeddingsByType") is not None
    return {"inputTextTokenCount": tokens} if is_embedding and tokens is not None else {}


def _is_it(look: Look) -> bool:
    # An embedding of an image has the same form and does not show the image.
    return "embed-image" not in look.model and bool(_outside(look))


def _settle(reading: Reading) -> None:
    results = reading.look.get("results")
    for at, result in enumerate(results if isinstance(results, list | tuple) else ()):
        if get(result, "tokenCount") is None and not reading.is_cost_known:
            raise missing_count(f"results[{at}].tokenCount", "output_tokens")


DIALECT = Dialect(
    name="titan",
    is_it=_is_it,
    parts={"inputTextTokenCount": "input_tokens", "results.tokenCount": "output_tokens"},
    harmless=COST_PARTS,
    settle=_settle,
    needs=need_nothing,
    provider=lambda _: "bedrock",
    outside=_outside,
)
