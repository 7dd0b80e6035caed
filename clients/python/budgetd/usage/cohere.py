"""Cohere's billed units of chats, embeddings and rerankings, which may differ from what the model read."""

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading


def _is_it(look: Look) -> bool:
    return not {"billed_units", "tokens"}.isdisjoint(look.usage)


def _needs(look: Look) -> tuple[str, ...]:
    """Require input and output of chats only: other answers have one of them, or searches, images and the like."""
    is_other = any(look.get(name) is not None for name in ("embeddings", "results", "classifications"))
    if is_other or look.is_of("embed", "rerank"):
        return ()
    is_billed = look.usage.get("billed_units") is not None
    return ("input_tokens", "output_tokens") if is_billed else ("_seen_input", "_seen_output")


def _settle(reading: Reading) -> None:
    total = reading.of("_total")
    if reading.look.usage.get("billed_units") is None:
        # Without billed units, the tokens that the model saw are the best estimate.
        reading.add("input_tokens", reading.of("_seen_input"))
        reading.add("output_tokens", reading.of("_seen_output"))
    reading.add("input_tokens", reading.of("image_input_tokens"))
    whole = reading.of("input_tokens") + reading.of("output_tokens")
    if total and reading.of("queries"):
        reading.unread.append(reading.paths["_total"].removeprefix("usage."))  # Billed by the search.
    elif total and not whole:
        reading.add("input_tokens", total)
    elif "_total" in reading.counts and total != whole:
        raise reading.refuse("_total", f"must be {whole}, the sum of input and output")


DIALECT = Dialect(
    name="cohere",
    is_it=_is_it,
    parts={
        "billed_units.input_tokens": "input_tokens",
        "billed_units.output_tokens": "output_tokens",
        "billed_units.image_tokens": "image_input_tokens",
        "billed_units.images": "input_images",
        "billed_units.search_units": "queries",
        "billed_units.total_tokens": "_total",
        "tokens.input_tokens": "_seen_input",
        "tokens.output_tokens": "_seen_output",
    },
    harmless={
        "cached_tokens": "is billed as input",
        "api_version.*": "is a version",
        **COST_PARTS,
    },
    settle=_settle,
    needs=_needs,
)
