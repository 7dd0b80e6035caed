"""Answers as providers and gateways send them, and the neutral counts that are in them, derived by hand.

Each is named after the kind of mistake that was made with it once: A parts, B totals, C dialects.
"""

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, NamedTuple


class Case(NamedTuple):
    """An answer, and what it is to be read as."""

    name: str
    dialect: str
    answer: dict[str, Any]
    #: The fields of Usage that are not zero.
    usage: dict[str, Any]
    #: The other fields of an Answer that are not as usual.
    terms: Mapping[str, Any] = MappingProxyType({})


U = {"prompt_tokens": 1_000, "completion_tokens": 1_000, "total_tokens": 2_000}
_U = {"input_tokens": 1_000, "output_tokens": 1_000}
_RUNS = [{"input_tokens": 180_000, "output_tokens": 3_500}, {"input_tokens": 23_000, "output_tokens": 1_000}]


def of(model: str, usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An answer of a model with a usage."""
    return {"model": model, "usage": usage, **more}


def message(model: str, usage: dict[str, Any]) -> dict[str, Any]:
    """An Anthropic message."""
    return of(model, usage, id="msg_1", type="message", role="assistant", content=[], stop_reason="end_turn")


def as_object(value: Any) -> Any:
    """Dictionaries as objects, all the way down."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_object(each) for key, each in value.items()})
    if isinstance(value, list):
        return [as_object(each) for each in value]
    return value


PARTS = (
    Case(
        "A1 runs that compact the context are billed with the message",
        "anthropic",
        message(
            "claude-opus-4-6",
            {
                "input_tokens": 23_000,
                "output_tokens": 1_000,
                "iterations": [
                    {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500},
                    {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000},
                ],
            },
        ),
        {"input_tokens": 203_000, "output_tokens": 4_500, "requests": _RUNS},
    ),
    Case(
        "A1 runs that another model took over are not billed",
        "anthropic",
        message(
            "claude-opus-4-6",
            {
                "input_tokens": 10,
                "output_tokens": 20,
                "iterations": [
                    {"type": "message", "input_tokens": 10, "output_tokens": 1},
                    {
                        "type": "fallback_message",
                        "input_tokens": 10,
                        "output_tokens": 20,
                        "cache_read_input_tokens": 5,
                        "cache_creation_input_tokens": 7,
                        "cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 3},
                    },
                ],
            },
        ),
        {
            "input_tokens": 22,
            "output_tokens": 20,
            "cached_input_tokens": 5,
            "cache_write_tokens": 7,
            "cache_write_1h_tokens": 4,
        },
    ),
    Case(
        "A2 audio that was made",
        "openai_chat",
        of(
            "gpt-audio",
            {
                "prompt_tokens": 17,
                "completion_tokens": 592,
                "total_tokens": 609,
                "completion_tokens_details": {"text_tokens": 110, "audio_tokens": 482},
            },
        ),
        {"input_tokens": 17, "output_tokens": 592, "audio_output_tokens": 482},
    ),
    Case(
        "A3 audio that was sent and made",
        "openai_chat",
        of(
            "gpt-4o-audio-preview-2025-06-03",
            {
                "prompt_tokens": 1_010,
                "completion_tokens": 550,
                "prompt_tokens_details": {"text_tokens": 10, "audio_tokens": 1_000},
                "completion_tokens_details": {"text_tokens": 50, "audio_tokens": 500},
            },
        ),
        {"input_tokens": 1_010, "output_tokens": 550, "audio_input_tokens": 1_000, "audio_output_tokens": 500},
    ),
    Case(
        "A4 details in the singular",
        "realtime",
        of(
            "gpt-realtime",
            {
                "input_tokens": 200,
                "output_tokens": 100,
                "total_tokens": 300,
                "input_token_details": {"text_tokens": 50, "audio_tokens": 150, "cached_tokens": 100},
                "output_token_details": {"text_tokens": 20, "audio_tokens": 80},
            },
        ),
        {
            "input_tokens": 200,
            "output_tokens": 100,
            "cached_input_tokens": 100,
            "audio_input_tokens": 150,
            "audio_output_tokens": 80,
        },
    ),
    Case(
        "A4 cached audio",
        "realtime",
        of(
            "gpt-realtime",
            {
                "input_tokens": 200,
                "output_tokens": 0,
                "input_token_details": {
                    "audio_tokens": 150,
                    "cached_tokens": 100,
                    "cached_tokens_details": {"audio_tokens": 60, "text_tokens": 40},
                },
            },
        ),
        {
            "input_tokens": 200,
            "cached_input_tokens": 100,
            "audio_input_tokens": 150,
            "cached_audio_input_tokens": 60,
        },
    ),
    Case(
        "A5 images that a chat made",
        "openai_chat",
        of(
            "gemini/gemini-2.5-flash-image",
            {
                "prompt_tokens": 10,
                "completion_tokens": 1_300,
                "completion_tokens_details": {"image_tokens": 1_290, "text_tokens": 10},
            },
        ),
        {"input_tokens": 10, "output_tokens": 1_300, "image_output_tokens": 1_290},
    ),
    Case(
        "A6 images alone, without details of the output",
        "images",
        of(
            "gpt-image-1",
            {
                "input_tokens": 150,
                "output_tokens": 8_000,
                "total_tokens": 8_150,
                "input_tokens_details": {"text_tokens": 150, "image_tokens": 0},
            },
            created=1,
            data=[{"b64_json": "aGk="}, {"b64_json": "aGk="}],
        ),
        {"input_tokens": 150, "output_tokens": 8_000, "image_output_tokens": 8_000, "output_images": 2},
    ),
    Case(
        "A7 images that were sent",
        "images",
        of(
            "gpt-image-1",
            {
                "input_tokens": 1_150,
                "output_tokens": 0,
                "input_tokens_details": {"text_tokens": 150, "image_tokens": 1_000},
            },
        ),
        {"input_tokens": 1_150, "image_input_tokens": 1_000},
    ),
    Case(
        "A8 deep research: sources and reasoning are apart",
        "perplexity",
        of(
            "perplexity/sonar-deep-research",
            {
                "prompt_tokens": 108,
                "completion_tokens": 3_256,
                "total_tokens": 3_364,
                "citation_tokens": 7_299,
                "num_search_queries": 74,
                "reasoning_tokens": 73_248,
            },
        ),
        {
            "input_tokens": 7_407,
            "output_tokens": 73_248,
            "reasoning_tokens": 73_248,
            "citation_tokens": 7_299,
        },
        {"unread_fields": ("num_search_queries", "completion_tokens")},
    ),
    Case("A9 the tier of the answer", "openai_chat", of("gpt-5", U, service_tier="flex"), _U, {"service_tier": "flex"}),
    Case(
        "A9 the tier of the usage",
        "openai_chat",
        of("gpt-5", {**U, "service_tier": "priority"}),
        _U,
        {"service_tier": "priority"},
    ),
    Case("A9 the usual tier", "openai_chat", of("gpt-5", U, service_tier="default"), _U),
    Case(
        "A10 what is kept for an hour, by Anthropic",
        "anthropic",
        message(
            "claude-sonnet-4-5",
            {
                "input_tokens": 1_000,
                "output_tokens": 10,
                "cache_creation_input_tokens": 1_000,
                "cache_creation": {"ephemeral_1h_input_tokens": 1_000, "ephemeral_5m_input_tokens": 0},
            },
        ),
        {
            "input_tokens": 2_000,
            "output_tokens": 10,
            "cache_write_tokens": 1_000,
            "cache_write_1h_tokens": 1_000,
        },
    ),
    Case(
        "A10 what is kept for an hour, by LiteLLM",
        "openai_chat",
        of(
            "claude-sonnet-4-5",
            {
                "prompt_tokens": 2_000,
                "completion_tokens": 10,
                "total_tokens": 2_010,
                "prompt_tokens_details": {
                    "cache_creation_tokens": 1_000,
                    "cache_creation_token_details": {"ephemeral_1h_input_tokens": 1_000},
                },
                "cache_creation_input_tokens": 1_000,
            },
        ),
        {
            "input_tokens": 2_000,
            "output_tokens": 10,
            "cache_write_tokens": 1_000,
            "cache_write_1h_tokens": 1_000,
        },
    ),
    Case(
        "A11 searches",
        "openai_chat",
        of("claude-sonnet-4-5", {**U, "server_tool_use": {"web_search_requests": 2}}),
        {**_U, "web_searches": 2},
    ),
    Case(
        "A12 where it ran",
        "openai_chat",
        of("claude-opus-4-6", {**U, "inference_geo": "us"}),
        _U,
        {"inference_geo": "us"},
    ),
    Case("A12 anywhere", "openai_chat", of("claude-opus-4-6", {**U, "inference_geo": "not_available"}), _U),
    Case(
        "A13 a batch that is called a tier",
        "anthropic",
        message("claude-sonnet-4-5", {"input_tokens": 1_000, "output_tokens": 1_000, "service_tier": "batch"}),
        _U,
        {"is_batch": True},
    ),
)

TOTALS = (
    Case(
        "B1 reasoning outside the completion",
        "xai",
        of(
            "xai/grok-4.20",
            {
                "prompt_tokens": 10_120,
                "completion_tokens": 3_000,
                "total_tokens": 15_929,
                "prompt_tokens_details": {"cached_tokens": 128},
                "completion_tokens_details": {"reasoning_tokens": 2_809},
            },
        ),
        {
            "input_tokens": 10_120,
            "output_tokens": 5_809,
            "cached_input_tokens": 128,
            "reasoning_tokens": 2_809,
        },
    ),
    Case(
        "B1 reasoning that LiteLLM has added already",
        "xai",
        of(
            "grok-4.20",
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "total_tokens": 150,
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
        ),
        {"input_tokens": 100, "output_tokens": 50, "reasoning_tokens": 40},
    ),
    Case(
        "B2 thoughts that only the total shows",
        "openai_chat",
        of("gemini/gemini-2.5-flash", {"prompt_tokens": 20, "completion_tokens": 198, "total_tokens": 623}),
        {"input_tokens": 20, "output_tokens": 603, "reasoning_tokens": 405},
    ),
    Case(
        "B3 zeros next to real counts",
        "openai_chat",
        of(
            "gpt-4o",
            {
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_tokens": 1_079,
                "input_tokens": 23,
                "output_tokens": 1_056,
            },
        ),
        {"input_tokens": 23, "output_tokens": 1_056},
    ),
    Case(
        "B4 a total alone",
        "voyage",
        of("voyage-multimodal-3", {"prompt_tokens": 0, "total_tokens": 3_576}),
        {"input_tokens": 3_576},
    ),
    Case(
        "B5 a cache outside the prompt, by Google",
        "openai_chat",
        of(
            "gemini-2.5-flash",
            {"prompt_tokens": 5, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 13_710}},
        ),
        {"input_tokens": 13_715, "output_tokens": 20, "cached_input_tokens": 13_710},
    ),
    Case(
        "B6 a cache outside the prompt, by Anthropic",
        "openai_chat",
        of("claude-sonnet-4-5", {"prompt_tokens": 31, "completion_tokens": 467, "cache_creation_input_tokens": 1_253}),
        {"input_tokens": 1_284, "output_tokens": 467, "cache_write_tokens": 1_253},
    ),
    Case(
        "B6 a small cache outside the prompt, shown by the total",
        "openai_chat",
        of(
            "claude-sonnet-4-5",
            {"prompt_tokens": 500, "completion_tokens": 10, "total_tokens": 610, "cache_read_input_tokens": 100},
        ),
        {"input_tokens": 600, "output_tokens": 10, "cached_input_tokens": 100},
    ),
    Case(
        "B7 the last piece of a stream",
        "openai_chat",
        of("gpt-4o", U, object="chat.completion.chunk", choices=[{"finish_reason": "stop"}]),
        _U,
    ),
    Case(
        "B7 the piece of a stream that has nothing but the usage",
        "openai_chat",
        of("gpt-4o", U, object="chat.completion.chunk", choices=[]),
        _U,
    ),
)
