"""Amazon Bedrock's Converse: the input excludes cached and written tokens, and the total may exclude them, too.

For OpenAI's models, whose own input includes the cache, Converse passes the input on unchanged, and may add the cache
to the total a second time.
"""

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading, whole
from budgetd.usage.errors import UsageValueError
from budgetd.usage.fields import get
from budgetd.usage.totals import settle_lives


def _is_it(look: Look) -> bool:
    return not {"inputTokens", "outputTokens"}.isdisjoint(look.usage)


def _settle(reading: Reading) -> None:
    _settle_lives(reading)
    cache = reading.of("cached_input_tokens") + reading.of("cache_write_tokens")
    is_inside = "openai." in reading.look.model and reading.of("input_tokens") >= cache
    least = reading.of("input_tokens") + reading.of("output_tokens")
    reading.add("input_tokens", 0 if is_inside else cache)
    total = reading.of("_total")
    if "_total" in reading.counts and total not in {least, least + cache}:
        raise reading.refuse("_total", f"must be {least + cache}, the sum of input, cache and output")


def _settle_lives(reading: Reading) -> None:
    """Check the list of written tokens by lifetime: the items must add up to all written tokens."""
    lives = reading.look.usage.get("cacheDetails")
    written: dict[str, int] = {}
    for index, life in enumerate(lives if isinstance(lives, list | tuple) else ()):
        path = f"cacheDetails.{index}.inputTokens"
        count, ttl = whole(reading.leaves.get(path, 0), f"usage.{path}"), get(life, "ttl")
        if count:
            written[f"usage.{path}"] = count
        if count and ttl not in ("5m", "1h"):
            raise UsageValueError(f"usage.cacheDetails.{index}.ttl", "must be 5m or 1h, which have prices", ttl)
        if ttl == "1h":
            reading.add("cache_write_1h_tokens", count)
            reading.paths["cache_write_1h_tokens"] = f"usage.{path}"
    settle_lives(reading, written)


DIALECT = Dialect(
    name="bedrock_converse",
    is_it=_is_it,
    parts={
        "inputTokens": "input_tokens",
        "outputTokens": "output_tokens",
        "totalTokens": "_total",
        "cacheReadInputTokens": "cached_input_tokens",
        "cacheReadInputTokenCount": "cached_input_tokens",
        "cacheWriteInputTokens": "cache_write_tokens",
        "cacheWriteInputTokenCount": "cache_write_tokens",
    },
    harmless={"cacheDetails.*": "repeats the written tokens by how long they are kept", **COST_PARTS},
    settle=_settle,
)
