"""What LiteLLM itself says that a call costs, by its own map of prices and its own calculators."""

import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from tests.parity.pricing_grid.cells import Cell
from tests.parity.theirs import litellm

calculating: Any = importlib.import_module("litellm.litellm_core_utils.llm_cost_calc.utils")
types: Any = importlib.import_module("litellm.types.utils")
reading: Any = importlib.import_module("litellm.llms.base_llm.ocr.transformation")
filming: Any = importlib.import_module("litellm.llms.openai.cost_calculation")

#: Providers whose branches are reported as one.
_BRANCHED = ("vertex_ai", "bedrock", "fireworks_ai")


def cost_usd(name: str, entry: dict[str, Any], cell: Cell) -> float:
    """A call's cost in USD. Raises whatever LiteLLM raises."""
    with warnings.catch_warnings(), _at(cell.at_us):
        warnings.simplefilter("ignore")
        return float(_ASK.get(entry.get("mode"), _of_tokens)(name, provider_of(entry), cell))


def provider_of(entry: dict[str, Any]) -> str:
    """The provider as in LiteLLM's answers, without the branch."""
    provider = str(entry["litellm_provider"])
    return next((short for short in _BRANCHED if provider.startswith(short)), provider)


@contextmanager
def _at(at_us: int) -> Iterator[None]:
    """LiteLLM's prices of certain hours are by the clock of the machine that asks."""
    given = calculating.current_billing_time
    at = datetime.fromtimestamp(at_us // 10**6, UTC)
    calculating.current_billing_time = lambda: at
    try:
        yield
    finally:
        calculating.current_billing_time = given


def _sum(given: Any) -> float:
    """A cost, or those of input and output."""
    return float(sum(given)) if isinstance(given, tuple) else float(given)


def _of_tokens(name: str, provider: str, cell: Cell) -> float:
    usage, terms = usage_of(name, provider, cell), cell.terms
    if terms.is_batch:
        return _sum(
            litellm.cost_per_token(
                model=name, custom_llm_provider=provider, usage_object=usage, call_type="retrieve_batch"
            )
        )
    response = types.ModelResponse(model=name)
    response.usage = usage
    place = terms.inference_geo
    return _sum(
        litellm.completion_cost(
            completion_response=response,
            model=name,
            custom_llm_provider=provider,
            service_tier=None if terms.service_tier in ("", "fast") else terms.service_tier,
            data_residency=place if place in ("us", "eu", "fedramp") else None,
            vertex_location=place if "-" in place else None,
        )
    )


def usage_of(name: str, provider: str, cell: Cell) -> Any:
    """The neutral usage as LiteLLM has it."""
    usage = cell.usage
    parts = usage.parts
    made = parts.audio_output_tokens or parts.image_output_tokens or usage.reasoning_tokens
    details: dict[str, Any] = {
        "cached_tokens": usage.cached_input_tokens,
        "cache_creation_tokens": usage.cache_write_tokens,
        "audio_tokens": parts.audio_input_tokens,
        "image_tokens": parts.image_input_tokens,
    }
    cached = {"audio_tokens": parts.cached_audio_input_tokens, "image_tokens": parts.cached_image_input_tokens}
    if any(cached.values()):
        details["cached_tokens_details"] = {kind: count for kind, count in cached.items() if count}
    if parts.cache_write_1h_tokens:
        details["cache_creation_token_details"] = {
            "ephemeral_1h_input_tokens": parts.cache_write_1h_tokens,
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - parts.cache_write_1h_tokens,
        }
    counted = {
        "image_count": parts.input_images,
        "audio_length_seconds": parts.audio_input_milliseconds / 1000,
        "video_length_seconds": parts.video_milliseconds / 1000,
        "character_count": parts.characters,
        "query_count": parts.queries,
    }
    details |= {key: count for key, count in counted.items() if count}
    more: dict[str, Any] = {}
    if parts.web_searches and provider in ("gemini", "vertex_ai", "perplexity") and "claude" not in name:
        details["web_search_requests"] = parts.web_searches
    elif parts.web_searches:
        more["server_tool_use"] = {"web_search_requests": parts.web_searches}
    prompt = usage.input_tokens
    if parts.citation_tokens:  # In addition to the prompt's.
        prompt -= parts.citation_tokens
    given = litellm.Usage(
        prompt_tokens=prompt,
        completion_tokens=usage.output_tokens,
        total_tokens=prompt + usage.output_tokens,
        prompt_tokens_details=details,
        completion_tokens_details={
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": parts.audio_output_tokens,
            "image_tokens": parts.image_output_tokens,
        }
        if made
        else None,
        **more,
    )
    if parts.citation_tokens:
        given.citation_tokens = parts.citation_tokens
    if parts.web_searches and provider == "xai":
        given.server_side_tool_usage_details = {"web_search_calls": parts.web_searches}
    if cell.terms.inference_geo == "us":
        given.inference_geo = "us"
    if cell.terms.service_tier == "fast":
        given.speed = "fast"
    return given


def _of_embedding(name: str, provider: str, cell: Cell) -> float:
    call = "retrieve_batch" if cell.terms.is_batch else "embedding"
    usage = usage_of(name, provider, cell)
    return _sum(litellm.cost_per_token(model=name, custom_llm_provider=provider, usage_object=usage, call_type=call))


def _of_images(name: str, provider: str, cell: Cell) -> float:
    parts = cell.usage.parts
    response = types.ImageResponse(data=[types.ImageObject(b64_json="") for _ in range(parts.output_images or 1)])
    if cell.usage.output_tokens:
        response.usage = types.ImageUsage(
            input_tokens=cell.usage.input_tokens,
            output_tokens=cell.usage.output_tokens,
            total_tokens=cell.usage.tokens,
            input_tokens_details={
                "text_tokens": cell.usage.input_tokens - parts.image_input_tokens,
                "image_tokens": parts.image_input_tokens,
            },
        )
    call = "image_edit" if litellm.model_cost[name].get("mode") == "image_edit" else "image_generation"
    return _sum(
        litellm.completion_cost(
            completion_response=response,
            model=name,
            custom_llm_provider=provider,
            call_type=call,
            n=parts.output_images or 1,
        )
    )


def _of_hearing(name: str, provider: str, cell: Cell) -> float:
    return _sum(
        litellm.cost_per_token(
            model=name,
            custom_llm_provider=provider,
            usage_object=usage_of(name, provider, cell) if cell.usage.input_tokens else None,
            call_type="transcription",
            audio_transcription_file_duration=cell.usage.parts.audio_input_milliseconds / 1000,
        )
    )


def _of_speaking(name: str, provider: str, cell: Cell) -> float:
    return _sum(
        litellm.cost_per_token(
            model=name,
            custom_llm_provider=provider,
            usage_object=usage_of(name, provider, cell),
            call_type="speech",
            prompt_characters=cell.usage.parts.characters,
        )
    )


def _of_ranking(name: str, provider: str, cell: Cell) -> float:
    units = {"search_units": cell.usage.parts.queries or None, "total_tokens": cell.usage.input_tokens or None}
    return _sum(
        litellm.cost_per_token(model=name, custom_llm_provider=provider, call_type="rerank", rerank_billed_units=units)
    )


def _of_searching(name: str, provider: str, cell: Cell) -> float:
    return _sum(
        litellm.cost_per_token(
            model=name, custom_llm_provider=provider, call_type="search", number_of_queries=cell.usage.parts.queries
        )
    )


def _of_pages(name: str, provider: str, cell: Cell) -> float:
    response = reading.OCRResponse(pages=[], model=name, usage_info={"pages_processed": cell.usage.parts.pages})
    return _sum(litellm.cost_per_token(model=name, custom_llm_provider=provider, call_type="ocr", response=response))


def _of_videos(name: str, provider: str, cell: Cell) -> float:
    return float(
        filming.video_generation_cost(
            model=name, duration_seconds=cell.usage.parts.video_milliseconds / 1000, custom_llm_provider=provider
        )
    )


_ASK: dict[str | None, Callable[[str, str, Cell], float]] = {
    "embedding": _of_embedding,
    "image_generation": _of_images,
    "image_edit": _of_images,
    "audio_transcription": _of_hearing,
    "audio_speech": _of_speaking,
    "rerank": _of_ranking,
    "search": _of_searching,
    "ocr": _of_pages,
    "video_generation": _of_videos,
}
