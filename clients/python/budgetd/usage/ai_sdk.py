"""Vercel's AI SDK: since version 6, input and output are totals with details, as its types document.

In earlier versions the input included the cache of some providers and excluded that of others, so `cachedInputTokens`
without details is reported as unread.
"""

from budgetd.usage import openai_responses
from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading

_NAMES = {"inputTokenDetails", "outputTokenDetails", "cachedInputTokens", "reasoningTokens"}


def _is_it(look: Look) -> bool:
    """Look for names that Bedrock does not have; those of input and output are the same in both."""
    return not _NAMES.isdisjoint(look.usage)


def _settle(reading: Reading) -> None:
    has_details = any(path.startswith("inputTokenDetails.") for path in reading.leaves)
    if not has_details and reading.counts.pop("cached_input_tokens", 0):
        reading.leave_unpriced("cachedInputTokens")
    uncached, rest = reading.of("_uncached"), reading.of("input_tokens") - reading.of("cached_input_tokens")
    # Only some of its providers count what was written to a cache as cached.
    if uncached and uncached not in {rest, rest - reading.of("cache_write_tokens")}:
        raise reading.refuse("_uncached", f"must be {rest}, the input less what was read from the cache")
    openai_responses.settle(reading)


DIALECT = Dialect(
    name="ai_sdk",
    is_it=_is_it,
    parts={
        "inputTokens": "input_tokens",
        "outputTokens": "output_tokens",
        "totalTokens": "_total",
        "cachedInputTokens": "cached_input_tokens",
        "reasoningTokens": "reasoning_tokens",
        "inputTokenDetails.cacheReadTokens": "cached_input_tokens",
        "inputTokenDetails.cacheWriteTokens": "cache_write_tokens",
        "inputTokenDetails.noCacheTokens": "_uncached",
        "outputTokenDetails.reasoningTokens": "reasoning_tokens",
        "outputTokenDetails.textTokens": "_text_output",
    },
    harmless=COST_PARTS,
    settle=_settle,
)
