"""Anthropic's messages: the input excludes cached and written tokens; iterations are summed."""

from collections.abc import Mapping

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading
from budgetd.usage.iterations import add_iterations
from budgetd.usage.tools import models_of_agent
from budgetd.usage.totals import settle_writes

_KEYS = {"cache_read_input_tokens", "cache_creation_input_tokens", "cache_creation", "iterations", "server_tool_use"}


def _is_it(look: Look) -> bool:
    if look.usage.keys().isdisjoint({"input_tokens", "output_tokens"}) or "prompt_tokens" in look.usage:
        return False
    return look.get("type") == "message" or not _KEYS.isdisjoint(look.usage)


def _other_models(look: Look) -> Mapping[str, object]:
    """Count the models of a Claude agents result if there are several: the price of one does not fit the others."""
    models = models_of_agent(look)
    return {"modelUsage": len(models)} if len(models) > 1 else {}


def _settle(reading: Reading) -> None:
    settle_writes(reading)
    reading.add("input_tokens", reading.of("cached_input_tokens") + reading.of("cache_write_tokens"))
    add_iterations(reading)
    total, parts = reading.of("_total"), reading.of("input_tokens") + reading.of("output_tokens")
    cache = reading.of("cached_input_tokens") + reading.of("cache_write_tokens")
    if "_total" in reading.counts and total not in {parts, parts - cache}:
        raise reading.refuse("_total", f"must be {parts}, the sum of input, cache and output")


DIALECT = Dialect(
    name="anthropic",
    is_it=_is_it,
    parts={
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "total_tokens": "_total",
        "cache_read_input_tokens": "cached_input_tokens",
        "cache_creation_input_tokens": "cache_write_tokens",
        "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
        "cache_creation.ephemeral_5m_input_tokens": "_written_5m",
        "output_tokens_details.thinking_tokens": "reasoning_tokens",
        "server_tool_use.web_search_requests": "web_searches",
    },
    harmless={
        "iterations.*": "is summed up, see `iterations.py`",
        "server_tool_use.web_fetch_requests": "costs nothing but its tokens",
        "server_tool_use.tool_search_requests": "costs nothing but its tokens",
        **COST_PARTS,
    },
    unpriced={
        "iterations": "runs that cannot be sent as requests of their own, and are priced as one",
        "modelUsage": "a result of Claude's agents that used several models",
    },
    settle=_settle,
    outside=_other_models,
)
