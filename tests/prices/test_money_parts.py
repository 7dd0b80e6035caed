"""Parts and terms of a call by the shipped prices: each is priced, or refused by name, to a value derived by hand."""

import pytest

from budgetd_server.domain.errors import UnpricedUsage
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Parts, Usage
from budgetd_server.prices import load_prices

SONNET, OPUS = "claude-sonnet-4-5", "claude-opus-4-6"
THOUSAND = Usage(1000, 1000)
FLEX, PRIORITY = CallTerms(service_tier="flex"), CallTerms(service_tier="priority")
BATCH = CallTerms(is_batch=True)


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_prices()


def of(input_tokens: int = 0, output_tokens: int = 0, cached: int = 0, written: int = 0, **parts: int) -> Usage:
    reasoning = parts.pop("reasoning", 0)
    return Usage(input_tokens, output_tokens, cached, written, reasoning, Parts(**parts))


PRICED = {
    "parts: iterations of a compaction, added up": (OPUS, of(203_000, 4500), STANDARD_TERMS, 1_127_500_000),
    "parts: audio made": ("gpt-audio", of(17, 592, audio_output_tokens=482), STANDARD_TERMS, 31_990_500),
    "parts: audio in and out": (
        "gpt-4o-audio-preview-2025-06-03",
        of(1010, 550, audio_input_tokens=1000, audio_output_tokens=500),
        STANDARD_TERMS,
        10 * 2_500 + 1000 * 40_000 + 50 * 10_000 + 500 * 80_000,
    ),
    "parts: a voice session with audio and a cache": (
        "gpt-realtime",
        of(200, 100, 100, audio_input_tokens=150, audio_output_tokens=80),
        STANDARD_TERMS,
        8_680_000,
    ),
    "parts: audio that was all cached, of a model without a price for a cache": (
        "gpt-audio",
        of(1000, 500, 1000, audio_input_tokens=1000, audio_output_tokens=400),
        STANDARD_TERMS,
        1000 * 32_000 + 400 * 64_000 + 100 * 10_000,
    ),
    "parts: audio that was all cached, of one that has a price for cached audio": (
        "gemini/gemini-2.5-flash",
        of(1000, 100, 1000, audio_input_tokens=1000),
        STANDARD_TERMS,
        1000 * 100 + 100 * 2_500,
    ),
    "parts: an image made by a chat": (
        "gemini/gemini-2.5-flash-image",
        of(10, 1300, image_output_tokens=1290),
        STANDARD_TERMS,
        38_728_000,
    ),
    "parts: an image made": ("gpt-image-1", of(150, 8000, image_output_tokens=8000), STANDARD_TERMS, 320_750_000),
    "parts: an image put in": ("gpt-image-1", of(1150, 0, image_input_tokens=1000), STANDARD_TERMS, 10_750_000),
    "parts: sources and thoughts of deep research": (
        "perplexity/sonar-deep-research",
        of(108 + 7299, 73_248, reasoning=73_248, citation_tokens=7299),
        STANDARD_TERMS,
        234_558_000,
    ),
    "parts: a cheaper tier": ("gpt-5", THOUSAND, FLEX, 5_625_000),
    "parts: a dearer tier": ("gpt-5", THOUSAND, PRIORITY, 22_500_000),
    "parts: a dearer tier by its other name": ("gpt-5", THOUSAND, CallTerms(service_tier="fast"), 22_500_000),
    "parts: the usual tier": ("gpt-5", THOUSAND, CallTerms(service_tier="default"), 11_250_000),
    "parts: a tier left to the provider": ("gpt-5", THOUSAND, CallTerms(service_tier="auto"), 11_250_000),
    "parts: a cache that is kept for an hour": (
        SONNET,
        of(2000, 10, written=1000, cache_write_1h_tokens=1000),
        STANDARD_TERMS,
        9_150_000,
    ),
    "parts: two searches": (SONNET, of(1000, 1000, web_searches=2), STANDARD_TERMS, 38_000_000),
    "parts: a place": (OPUS, THOUSAND, CallTerms(inference_geo="us"), 33_000_000),
    "parts: any place": (OPUS, THOUSAND, CallTerms(inference_geo="global"), 30_000_000),
    "parts: a batch": (SONNET, THOUSAND, BATCH, 9_000_000),
    "parts: searches cost the same in a batch and in a place": (
        OPUS,
        of(1000, 1000, web_searches=2),
        CallTerms(is_batch=True, inference_geo="us"),
        15_000_000 * 11 // 10 + 20_000_000,
    ),
    "parts: many searches of one prompt": (
        "gemini/gemini-2.5-flash",
        of(1000, 1000, web_searches=5),
        STANDARD_TERMS,
        2_800_000 + 35_000_000,
    ),
    "counts: seconds heard": ("whisper-1", of(audio_input_milliseconds=61_500), STANDARD_TERMS, 6_150_000),
    "counts: seconds heard that tokens pay for": (
        "gpt-4o-transcribe",
        of(1000, 100, audio_input_tokens=1000, audio_input_milliseconds=61_500),
        STANDARD_TERMS,
        1000 * 2_500 + 100 * 10_000,
    ),
    "counts: characters spoken": ("tts-1", of(characters=5000), STANDARD_TERMS, 75_000_000),
    "counts: queries ranked": ("rerank-v3.5", of(queries=3), STANDARD_TERMS, 6_000_000),
    "counts: queries, with any tokens": ("rerank-v3.5", of(900, queries=3), STANDARD_TERMS, 6_000_000),
    "counts: pages read": ("mistral/mistral-ocr-latest", of(pages=7), STANDARD_TERMS, 28_000_000),
    "counts: pages read in a batch": ("mistral/mistral-ocr-latest", of(pages=7), BATCH, 14_000_000),
    "counts: an image by its pixels": (
        "high/1024-x-1024/gpt-image-1",
        of(output_images=2),
        STANDARD_TERMS,
        334_000_000,
    ),
    "counts: an image that tokens pay for": (
        "gpt-image-1",
        of(150, 8000, image_output_tokens=8000, output_images=1),
        STANDARD_TERMS,
        320_750_000,
    ),
    "counts: images put in": (
        "amazon.nova-2-multimodal-embeddings-v1:0",
        of(input_images=3),
        STANDARD_TERMS,
        180_000,
    ),
    "counts: images put in, not their tokens too": (
        "amazon.nova-2-multimodal-embeddings-v1:0",
        of(1300, input_images=3, image_input_tokens=1290),
        STANDARD_TERMS,
        180_000 + 1_350,
    ),
}


@pytest.mark.parametrize("case", PRICED)
def test_a_part_that_has_a_price_is_priced(shipped: Catalogue, case: str) -> None:
    model, usage, terms, cost_nano_usd = PRICED[case]

    assert shipped.price(model, usage, at_us=0, terms=terms).cost_nano_usd == cost_nano_usd


REFUSED = {
    "a tier that the model is not sold in": ("claude-sonnet-4-5", THOUSAND, PRIORITY, "service_tier"),
    "an unknown tier": ("gpt-5", THOUSAND, CallTerms(service_tier="ludicrous"), "service_tier"),
    "a tier in a batch": ("gpt-5", THOUSAND, CallTerms(service_tier="flex", is_batch=True), "service_tier"),
    "a batch without a price and without a rule": ("deepseek/deepseek-chat", THOUSAND, BATCH, "is_batch"),
    "a place that has no price": (OPUS, THOUSAND, CallTerms(inference_geo="eu"), "inference_geo"),
    "a place that is a speed": (OPUS, THOUSAND, CallTerms(inference_geo="fast"), "inference_geo"),
    "searches": ("deepseek/deepseek-chat", of(10, 10, web_searches=1), STANDARD_TERMS, "web_searches"),
    "images put in": ("gpt-5", of(10, 10, input_images=1), STANDARD_TERMS, "input_images"),
    "images made": ("gpt-5", of(10, 10, output_images=1), STANDARD_TERMS, "output_images"),
    "seconds heard": ("gpt-5", of(10, 10, audio_input_milliseconds=1), STANDARD_TERMS, "audio_input_milliseconds"),
    "seconds spoken": ("gpt-5", of(10, 10, audio_output_milliseconds=1), STANDARD_TERMS, "audio_output_milliseconds"),
    "video": ("gpt-5", of(10, 10, video_milliseconds=1), STANDARD_TERMS, "video_milliseconds"),
    "characters": ("gpt-5", of(10, 10, characters=1), STANDARD_TERMS, "characters"),
    "queries": ("gpt-5", of(10, 10, queries=1), STANDARD_TERMS, "queries"),
    "pages": ("gpt-5", of(10, 10, pages=1), STANDARD_TERMS, "pages"),
    "output of an embedding": ("text-embedding-3-small", of(10, 10, queries=0), BATCH, "output_tokens"),
    "an image whose size is not given": (
        "fal_ai/fal-ai/nano-banana-2",
        of(output_images=1),
        STANDARD_TERMS,
        "output_images",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_part_that_has_no_price_is_refused_by_name(shipped: Catalogue, case: str) -> None:
    model, usage, terms, field = REFUSED[case]

    with pytest.raises(UnpricedUsage) as refusal:
        shipped.price(model, usage, at_us=0, terms=terms)

    assert refusal.value.metadata["field"] == field
    assert refusal.value.metadata["price_version"] == shipped.version


def test_a_quiet_hour_is_cheaper_where_the_model_has_one(shipped: Catalogue) -> None:
    sunday_us, monday_2_us = 1_795_348_800 * 10**6, (1_795_348_800 + 14 * 3600) * 10**6

    costs = [
        shipped.price("deepseek/deepseek-v4-pro", THOUSAND, at_us=at).cost_nano_usd for at in (sunday_us, monday_2_us)
    ]

    assert costs == [660_000 + 1_980_000, 2 * (660_000 + 1_980_000)]
