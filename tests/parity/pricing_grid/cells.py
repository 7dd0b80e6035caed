"""The grid of usages that every model of a price file is tried with, as far as the model has prices for them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from budgetd_server.domain.usage import NO_PARTS, STANDARD_TERMS, CallTerms, Parts, Usage
from budgetd_server.prices.schedules import HALF_PRICE_BATCHES

#: A Sunday noon and a Monday 02:00, UTC: inside and outside of every off-peak window of the file.
QUIET_AT_US = 1_795_348_800 * 10**6
BUSY_AT_US = QUIET_AT_US + 14 * 3600 * 10**6
TOKEN_MODES = frozenset({None, "chat", "responses", "completion", "realtime"})
_THRESHOLD = re.compile(r"input_cost_per_token_above_([0-9]+)(k?)_tokens.*")
_TIERS = ("balanced", "flex", "priority", "ultrafast")
_TOKEN_PRICES = ("input_cost_per_token", "output_cost_per_token", "input_cost_per_audio_token", "tiered_pricing")


class Cell(NamedTuple):
    """One call of one model."""

    #: What it is an example of; rows of the table are counted by it.
    kind: str
    usage: Usage
    terms: CallTerms = STANDARD_TERMS
    at_us: int = BUSY_AT_US


def cells(name: str, entry: Mapping[str, Any]) -> Iterator[Cell]:
    """Every call that a model is tried with."""
    mode = entry.get("mode")
    has_tokens = any(entry.get(key) for key in _TOKEN_PRICES)
    if mode in TOKEN_MODES and has_tokens and "embedding" not in name:
        yield from _of_tokens(entry)
        if _is_priced(entry, "input") and _is_priced(entry, "output"):
            yield from _of_terms(entry)
    elif mode == "embedding" or "embedding" in name:
        yield from _of_embedding(entry)
    elif has_tokens and mode in ("image_generation", "image_edit"):
        yield from _of_image_tokens(entry)
    yield from _of_counts(entry)


def _of_tokens(entry: Mapping[str, Any]) -> Iterator[Cell]:
    yield Cell("text", Usage(1234, 777))
    if not (_is_priced(entry, "input") and _is_priced(entry, "output")):
        return  # Every other call would differ for the same reason.
    yield Cell("a few tokens", Usage(7, 3))
    yield Cell("input alone", Usage(1234))
    yield Cell("output alone", Usage(0, 777))
    yield Cell("text, long", Usage(120_000, 3000))
    yield Cell("cached", Usage(5000, 300, cached_input_tokens=2048))
    yield Cell("written for 5 minutes", Usage(5000, 300, cache_write_tokens=1500))
    yield Cell("written for an hour", _with(Usage(5000, 300, cache_write_tokens=1500), cache_write_1h_tokens=1500))
    yield Cell("read and written", _with(Usage(9000, 10, 4000, 3000), cache_write_1h_tokens=1000))
    yield Cell("reasoning", Usage(1200, 901, reasoning_tokens=600))
    yield Cell("audio in", _with(Usage(1100, 50), audio_input_tokens=1000))
    yield Cell("audio out", _with(Usage(100, 600), audio_output_tokens=500))
    yield Cell("audio cached", _with(Usage(200, 100, 100), audio_input_tokens=150, cached_audio_input_tokens=60))
    yield Cell("audio, all cached", _with(Usage(1100, 100, 1050), audio_input_tokens=1000))
    yield Cell("images, all cached", _with(Usage(1300, 20, 1300), image_input_tokens=1290))
    yield Cell("image cached", _with(Usage(1500, 20, 700), image_input_tokens=1290, cached_image_input_tokens=600))
    yield Cell("image in", _with(Usage(1500, 20), image_input_tokens=1290))
    yield Cell("read, written and thought", _with(Usage(9000, 900, 4000, 3000, 600), cache_write_1h_tokens=1000))
    yield Cell("audio and image in", _with(Usage(3000, 50), audio_input_tokens=1000, image_input_tokens=1290))
    yield Cell("image out", _with(Usage(10, 1300), image_output_tokens=1290))
    for above in thresholds(entry):
        yield Cell("at a threshold", Usage(above, 10))
        yield Cell("above a threshold", Usage(above + 1, 2000))
        yield Cell("above, cached and written", Usage(above + 5000, 2000, 10_000, 3000))
        yield Cell("above, reasoning", Usage(above + 5000, 2000, reasoning_tokens=500))
        yield Cell("above, audio", _with(Usage(above + 5000, 20), audio_input_tokens=9000))
    if entry.get("off_peak_pricing"):
        yield Cell("off-peak", Usage(5000, 300, 2048), at_us=QUIET_AT_US)


def _of_terms(entry: Mapping[str, Any]) -> Iterator[Cell]:  # noqa: C901, PLR0912 - a list, with a condition each.
    for tier in _TIERS:
        if not entry.get(f"input_cost_per_token_{tier}"):
            continue
        terms = CallTerms(service_tier=tier)
        yield Cell(tier, Usage(1234, 777), terms)
        yield Cell(f"{tier}, cached and written", Usage(9000, 10, 4000, 3000), terms)
        yield Cell(f"{tier}, reasoning", Usage(1200, 901, reasoning_tokens=600), terms)
        yield Cell(f"{tier}, audio", _with(Usage(1100, 50), audio_input_tokens=1000), terms)
        for above in thresholds(entry):
            yield Cell(f"{tier}, above a threshold", Usage(above + 5000, 2000, 10_000), terms)
    is_sold_in_batches = entry.get("mode") != "realtime" and entry.get("litellm_provider") in HALF_PRICE_BATCHES
    if entry.get("input_cost_per_token_batches") or is_sold_in_batches:
        terms = CallTerms(is_batch=True)
        yield Cell("batch", Usage(1234, 777), terms)
        if entry.get("cache_read_input_token_cost"):
            yield Cell("batch, cached", Usage(5000, 300, 2048), terms)
        if entry.get("cache_creation_input_token_cost"):
            yield Cell("batch, written", Usage(5000, 300, cache_write_tokens=1500), terms)
        yield Cell("batch, reasoning", Usage(1200, 901, reasoning_tokens=600), terms)
        for above in thresholds(entry):
            yield Cell("batch, above a threshold", Usage(above + 5000, 2000), terms)
    if entry.get("search_context_cost_per_query"):
        yield Cell("one search", _with(Usage(1000, 1000), web_searches=1))
        yield Cell("three searches", _with(Usage(1000, 1000), web_searches=3))
    if entry.get("citation_cost_per_token"):
        yield Cell("citations", _with(Usage(108 + 7299, 73_248, reasoning_tokens=73_248), citation_tokens=7299))
    for place, key in (("us", "_us"), ("eu", "_eu"), ("fedramp", "fedramp"), ("us-east5", "endpoint")):
        if any(key in name and "uplift" in name for name in entry) or place in (
            entry.get("provider_specific_entry") or {}
        ):
            yield Cell(f"in {place}", Usage(9000, 1000, 4000, 3000), CallTerms(inference_geo=place))
    if "fast" in (entry.get("provider_specific_entry") or {}):
        yield Cell("fast", Usage(9000, 1000, 4000, 3000), CallTerms(service_tier="fast"))


def _of_embedding(entry: Mapping[str, Any]) -> Iterator[Cell]:
    if entry.get("input_cost_per_token"):
        yield Cell("embedding", Usage(1234))
        if entry.get("input_cost_per_token_batches"):
            yield Cell("embedding, batch", Usage(1234), CallTerms(is_batch=True))
        if entry.get("input_cost_per_audio_token"):
            yield Cell("embedding of audio", _with(Usage(1100), audio_input_tokens=1000))
        if entry.get("input_cost_per_image_token"):
            yield Cell("embedding of an image", _with(Usage(1300), image_input_tokens=1290))
    if entry.get("input_cost_per_image"):
        yield Cell("embedding of images", _with(Usage(), input_images=3))
    if entry.get("input_cost_per_audio_per_second"):
        yield Cell("embedding of seconds of audio", _with(Usage(), audio_input_milliseconds=12_340))
    if entry.get("input_cost_per_video_per_second"):
        yield Cell("embedding of seconds of video", _with(Usage(), video_milliseconds=12_340))
    if entry.get("input_cost_per_character"):
        yield Cell("embedding of characters", _with(Usage(), characters=5000))
    if entry.get("input_cost_per_query"):
        yield Cell("embedding by the request", _with(Usage(), queries=3))


def _of_image_tokens(entry: Mapping[str, Any]) -> Iterator[Cell]:
    if entry.get("output_cost_per_image_token") or entry.get("output_cost_per_token"):
        yield Cell("image by tokens", _with(Usage(150, 8000), image_output_tokens=8000))
        yield Cell(
            "image of an image by tokens", _with(Usage(1150, 8000), image_input_tokens=1000, image_output_tokens=8000)
        )


def _of_counts(entry: Mapping[str, Any]) -> Iterator[Cell]:  # noqa: C901, PLR0912 - a list, with a condition each.
    mode = entry.get("mode")
    if mode in ("image_generation", "image_edit") and any("_per_image" in key or "_per_pixel" in key for key in entry):
        yield Cell("images", _with(Usage(), output_images=2))
    if mode == "audio_transcription":
        if entry.get("input_cost_per_second") or entry.get("output_cost_per_second"):
            yield Cell("seconds heard", _with(Usage(), audio_input_milliseconds=61_500))
        if entry.get("input_cost_per_token"):
            yield Cell("audio heard by tokens", _with(Usage(1100, 200), audio_input_tokens=1000))
    if mode == "audio_speech":
        if entry.get("input_cost_per_character"):
            yield Cell("characters spoken", _with(Usage(), characters=5000))
        elif entry.get("input_cost_per_token"):
            yield Cell("speech by tokens", _with(Usage(100, 1000), audio_output_tokens=1000))
    if mode == "rerank":
        if entry.get("input_cost_per_query"):
            yield Cell("queries ranked", _with(Usage(), queries=3))
        elif entry.get("input_cost_per_token"):
            yield Cell("ranked by tokens", Usage(3576))
    if mode == "search" and entry.get("input_cost_per_query"):
        yield Cell("queries searched", _with(Usage(), queries=3))
    if mode == "ocr" and entry.get("ocr_cost_per_page"):
        yield Cell("pages read", _with(Usage(), pages=7))
    if mode == "video_generation":
        yield Cell("seconds of video", _with(Usage(), video_milliseconds=8000))


def _is_priced(entry: Mapping[str, Any], side: str) -> bool:
    key = f"{side}_cost_per_token"
    return bool(entry.get(key) or any(tier.get(key) for tier in entry.get("tiered_pricing") or ()))


def thresholds(entry: Mapping[str, Any]) -> list[int]:
    """Every length of the input from which on other prices hold, by rising length."""
    found = {
        int(match[1]) * (1000 if match[2] else 1)
        for key, price in entry.items()
        if price and (match := _THRESHOLD.fullmatch(key))
    }
    found |= {int(float(tier["range"][0])) for tier in entry.get("tiered_pricing") or () if "range" in tier}
    return sorted(found - {0})


def _with(usage: Usage, **parts: int) -> Usage:
    assert usage.parts is NO_PARTS
    return usage._replace(parts=Parts(**parts))
