"""LangChain's `usage_metadata`: input and output are sums of all kinds of tokens, as its classes document."""

from budgetd.usage import openai_responses
from budgetd.usage.dialect import COST_PARTS, Dialect, Look
from budgetd.usage.fields import fields_of
from budgetd.usage.openai_chat import below

_INPUT = {
    "audio": "audio_input_tokens",
    "cache_read": "cached_input_tokens",
    "cache_creation": "cache_write_tokens",
    "ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "ephemeral_5m_input_tokens": "_written_5m",
}
_OUTPUT = {"audio": "audio_output_tokens", "reasoning": "reasoning_tokens"}


def _is_it(look: Look) -> bool:
    """Look for LangChain's names in the details: OpenAI's realtime calls have the same details with other names."""
    for holder, parts in (("input_token_details", _INPUT), ("output_token_details", _OUTPUT)):
        details = look.usage.get(holder)
        if details is not None and not parts.keys().isdisjoint(fields_of(details, f"usage.{holder}") or ()):
            return openai_responses.is_counted_so(look)
    return False


DIALECT = Dialect(
    name="langchain",
    is_it=_is_it,
    parts={
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "total_tokens": "_total",
        **below(("input_token_details",), _INPUT),
        **below(("output_token_details",), _OUTPUT),
    },
    harmless=COST_PARTS,
    settle=openai_responses.settle,
)
