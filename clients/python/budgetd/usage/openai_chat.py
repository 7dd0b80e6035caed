"""OpenAI's chat completions: also the form that LiteLLM gives to all answers, and that most gateways send.

The input includes cached, written, audio and image tokens; the output includes reasoning, audio and image tokens. Some
providers count differently under the same names, which their totals show: the completion of xAI and Google excludes
reasoning, which Google may include only in the total; the prompt of Anthropic and Google may exclude cached tokens.
"""

from collections.abc import Mapping

from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading
from budgetd.usage.iterations import add_iterations
from budgetd.usage.tools import SEARCH_MODELS, cites_pages
from budgetd.usage.totals import (
    add_cache_outside,
    add_reasoning_outside,
    check_total,
    refuse_excess,
    settle_other_names,
    settle_reads_and_writes,
    settle_writes,
)

_CACHE = {
    "cached_tokens": "cached_input_tokens",
    "cache_read_input_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_creation_tokens": "cache_write_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation_token_details.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "cache_creation_token_details.ephemeral_5m_input_tokens": "_written_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "_written_5m",
}
#: Below the details of the input, whatever those are called.
INPUT_DETAILS = {
    **_CACHE,
    "cached_read_tokens": "_cached_read",
    "cached_write_tokens": "_cached_write",
    "cached_tokens_details.audio_tokens": "cached_audio_input_tokens",
    "cached_tokens_details.image_tokens": "cached_image_input_tokens",
    "text_tokens": "_text_input",
    "audio_tokens": "audio_input_tokens",
    "image_tokens": "image_input_tokens",
    "video_tokens": "_video_input",
    "web_search_requests": "web_searches",
    "tool_use_tokens": "_tool_use",
    "character_count": "characters",
    "image_count": "input_images",
    "audio_length_seconds": "audio_input_seconds",
    "query_count": "queries",
}
#: Below the details of the output.
OUTPUT_DETAILS = {
    "text_tokens": "_text_output",
    "audio_tokens": "audio_output_tokens",
    "image_tokens": "image_output_tokens",
    "video_tokens": "_video_output",
    "reasoning_tokens": "reasoning_tokens",
    "thinking_tokens": "reasoning_tokens",
}
#: Counts that each of OpenAI's forms may have next to its input and output.
SHARED_COUNTS = {
    **_CACHE,
    "num_cached_tokens": "cached_input_tokens",
    "reasoning_tokens": "reasoning_tokens",
    "citation_tokens": "citation_tokens",
    "server_tool_use.web_search_requests": "web_searches",
    "server_side_tool_usage_details.web_search_calls": "web_searches",
}


#: The names of the details of the input, and of the output. Some providers, such as DashScope, mix them.
INPUT_HOLDERS = ("prompt_tokens_details", "prompt_token_details", "input_tokens_details", "input_token_details")
OUTPUT_HOLDERS = (
    "completion_tokens_details",
    "completion_token_details",
    "output_tokens_details",
    "output_token_details",
)


def below(holders: tuple[str, ...], parts: Mapping[str, str]) -> dict[str, str]:
    """Return the parts below each of several holders, such as "prompt_tokens_details"."""
    return {f"{holder}.{name}": part for holder in holders for name, part in parts.items()}


PARTS: dict[str, str] = {
    "prompt_tokens": "input_tokens",
    "completion_tokens": "output_tokens",
    "total_tokens": "_total",
    "input_tokens": "_other_input",
    "output_tokens": "_other_output",
    **SHARED_COUNTS,
    **below(INPUT_HOLDERS, INPUT_DETAILS),
    **below(OUTPUT_HOLDERS, OUTPUT_DETAILS),
    "choices.message.annotations.url_citation": "web_searches",
}
_INSIDE_CACHE = "is inside the cached tokens, and has no price of its own"
_INSIDE_OUTPUT = "is inside the output, and billed as such"
_SEARCHES = "searches, which have a price, in LiteLLM as here, only if they are in `web_search_requests`"
_TIMING = "is a time that was taken"
_MEASURED = "is a time or a speed that SambaNova has measured"
HARMLESS: dict[str, str] = {
    **below(INPUT_HOLDERS, {"cached_tokens_details.text_tokens": _INSIDE_CACHE}),
    "completion_tokens_details.accepted_prediction_tokens": _INSIDE_OUTPUT,
    "completion_tokens_details.rejected_prediction_tokens": _INSIDE_OUTPUT,
    "iterations.*": "is summed up, see `iterations.py`",
    "server_tool_use.web_fetch_requests": "costs nothing but its tokens",
    "server_tool_use.tool_search_requests": "costs nothing but its tokens",
    "queue_time": _TIMING,
    "prompt_time": _TIMING,
    "completion_time": _TIMING,
    "total_time": _TIMING,
    **dict.fromkeys(
        (
            "acceptance_rate",
            "batch_size_used",
            "completion_tokens_after_first_per_sec",
            "completion_tokens_after_first_per_sec_first_ten",
            "completion_tokens_per_sec",
            "end_time",
            "model_execution_time",
            "start_time",
            "throughput_after_first_token",
            "time_to_first_token",
            "total_latency",
            "total_tokens_per_sec",
        ),
        _MEASURED,
    ),
    **COST_PARTS,
}
#: Where Perplexity counts its searches.
SEARCHES = ("num_search_queries", "search_queries")
MAPS = "google_maps_grounding_requests"
#: In addition to what is harmless in all of OpenAI's forms.
UNPRICED: dict[str, str] = {
    "iterations": "runs that cannot be sent as requests of their own, and are priced as one",
    "num_search_queries": _SEARCHES,
    "search_queries": _SEARCHES,
    "search_context_size": "Perplexity's fee for a request depends on it",
    "num_sources_used": "sources of xAI's live search",
    "num_server_side_tools_used": "calls of xAI's tools",
    "server_side_tool_usage_details.*": "calls of xAI's tools other than web searches",
    **below(
        INPUT_HOLDERS,
        {
            MAPS: "grounding with Google Maps",
            "cache_type": "a kind of cache with its own price",
        },
    ),
}


def settle(reading: Reading) -> None:
    """Convert every way of counting to the neutral one.

    Raises:
        UsageValueError: Counts contradict each other, or a total is not explained.
    """
    counts = reading.counts
    if reading.unread:
        _read_kind_of_cache(reading)
        searches = reading.of("web_searches")
        is_charged = {path for path in SEARCHES if searches and reading.leaves.get(path) == searches}
        reading.unread = [path for path in reading.unread if path not in is_charged]
    whole = counts.get("input_tokens", 0) + counts.get("output_tokens", 0)
    if counts.keys() <= _USUAL and counts.get("_total", whole) == whole:
        return
    settle_reads_and_writes(reading)
    settle_other_names(reading)
    settle_writes(reading)
    add_iterations(reading)
    _check_cache_misses(reading)
    cache = reading.of("cached_input_tokens") + reading.of("cache_write_tokens")
    whole = reading.of("input_tokens") + reading.of("output_tokens")
    if counts.get("_total", whole) == whole and cache <= reading.of("input_tokens"):
        return
    look = reading.look
    is_of_google = look.is_of("gemini", "vertex_ai")
    is_of_anthropic = look.is_of("claude", "anthropic", "bedrock", "amazon")
    excess = check_total(reading, may_exclude=cache if is_of_anthropic else 0)
    excess = add_cache_outside(reading, excess, is_allowed=is_of_google or is_of_anthropic)
    if excess and excess == reading.of("_tool_use"):
        # Tool results are billed, except those of Google's own search and maps.
        is_found = reading.of("web_searches") or any(path.endswith(MAPS) for path in reading.leaves)
        reading.add("input_tokens", 0 if is_found else excess)
        excess = 0
    excess = add_reasoning_outside(reading, excess)
    if excess and is_of_google and not reading.of("reasoning_tokens"):
        reading.add("output_tokens", excess)
        reading.add("reasoning_tokens", excess)
        excess = 0
    refuse_excess(reading, excess)


#: If there are only these counts, and the total is their sum, nothing has to be settled. `totals` checks the parts.
_USUAL = frozenset({"input_tokens", "output_tokens", "_total"})


def is_chat(look: Look) -> bool:
    """Return True for a usage that counts prompt and completion."""
    return "prompt_tokens" in look.usage or "completion_tokens" in look.usage


#: The models that have a price for reads from an explicit cache.
EXPLICIT_CACHES = frozenset(
    {
        "dashscope/qwen3.7-max",
        "qwen_ai_platform/qwen3.7-max",
        "qwencloud/qwen3.7-max",
        "streamlake/qwen3.8-2.4t-a95b",
        "streamlake/qwen3.8-27b",
    }
)


def _read_kind_of_cache(reading: Reading) -> None:
    """Assign all cached tokens to the kind of cache that is named. Without cached tokens, the kind changes no price."""
    cached, look = reading.of("cached_input_tokens"), reading.look
    is_priced = look.model in EXPLICIT_CACHES or f"{look.provider}/{look.model}" in EXPLICIT_CACHES
    for path in [path for path in reading.unread if path.endswith(".cache_type")]:
        kind = reading.leaves[path]
        if isinstance(kind, str) and (not cached or (is_priced and kind == "ephemeral")):
            reading.unread.remove(path)
            reading.counts["explicit_cached_input_tokens"] = cached
            reading.paths["explicit_cached_input_tokens"] = path


def _check_cache_misses(reading: Reading) -> None:
    """Check DeepSeek's sum: cache hits and cache misses together are the input."""
    missed = reading.of("_cache_missed")
    whole = reading.of("cached_input_tokens") + missed
    if missed and whole != reading.of("input_tokens"):
        path = reading.paths.get("input_tokens", "prompt_tokens")
        rule = f"must be {path} {reading.of('input_tokens')} less what the cache had"
        raise reading.refuse("_cache_missed", rule)


def _searches(look: Look) -> Mapping[str, object]:
    """Return one search, as LiteLLM counts it, if the answer of a search model cites a page."""
    is_searching = any(word in look.model for word in SEARCH_MODELS) and cites_pages(look.get("choices"))
    return {"choices.message.annotations.url_citation": 1} if is_searching else {}


DIALECT = Dialect(
    name="openai_chat",
    is_it=is_chat,
    parts=PARTS,
    harmless=HARMLESS,
    unpriced=UNPRICED,
    settle=settle,
    outside=_searches,
)
