"""Rerankings billed by tokens, such as Voyage's and Jina's. Cohere bills searches; see `cohere.py`."""

from budgetd.usage import embeddings, openai_chat
from budgetd.usage.dialect import Dialect, Look, need_nothing
from budgetd.usage.fields import get


def _is_it(look: Look) -> bool:
    if {"total_tokens", "prompt_tokens", "search_units"}.isdisjoint(look.usage):
        return False
    found = look.get("results") or look.get("data")
    return _is_ranked(found) if isinstance(found, list | tuple) and found else look.is_of("rerank")


def _is_ranked(found: object) -> bool:
    return isinstance(found, list | tuple) and bool(found) and get(found[0], "relevance_score") is not None


def _provider(look: Look) -> str:
    """Return "voyage" if the ranking is in `data`; others have it in `results`."""
    return "voyage" if _is_ranked(look.get("data")) else ""


DIALECT = Dialect(
    name="rerank",
    is_it=_is_it,
    parts={**openai_chat.PARTS, "search_units": "queries"},
    harmless=openai_chat.HARMLESS,
    unpriced=openai_chat.UNPRICED,
    settle=embeddings.settle,
    needs=need_nothing,
    provider=_provider,
)
