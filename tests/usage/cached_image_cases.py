"""Answers of calls that read images from a cache, or from an explicit one, and the counts that are in them."""

from tests.usage.cases import Case, of

_SPLIT = {
    "text_tokens": 300,
    "image_tokens": 700,
    "cached_tokens": 700,
    "cached_tokens_details": {"text_tokens": 0, "image_tokens": 700},
}
_COUNTS = {
    "input_tokens": 1_000,
    "cached_input_tokens": 700,
    "image_input_tokens": 700,
    "cached_image_input_tokens": 700,
}
CACHED_IMAGES = (
    Case(
        "A4 an explicit cache",
        "openai_chat",
        of(
            "dashscope/qwen3.7-max",
            {
                "prompt_tokens": 2_000,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 1_889, "cache_type": "ephemeral"},
            },
        ),
        {
            "input_tokens": 2_000,
            "output_tokens": 10,
            "cached_input_tokens": 1_889,
            "explicit_cached_input_tokens": 1_889,
        },
    ),
    Case(
        "A4 cached images of a realtime session",
        "realtime",
        of("gpt-realtime", {"input_token_details": _SPLIT, "input_tokens": 1_000, "output_tokens": 10}),
        {**_COUNTS, "output_tokens": 10},
    ),
    Case(
        "A4 cached images of which an image was made",
        "images",
        of("gpt-image-2", {"input_tokens_details": _SPLIT, "input_tokens": 1_000, "output_tokens": 1_000}),
        {**_COUNTS, "output_tokens": 1_000, "image_output_tokens": 1_000},
    ),
    Case(
        "A4 cached images of a chat",
        "openai_chat",
        of("gpt-realtime-2", {"prompt_tokens_details": _SPLIT, "prompt_tokens": 1_000, "completion_tokens": 10}),
        {**_COUNTS, "output_tokens": 10},
    ),
    Case(
        "A4 cached images, where only the cache is split",
        "realtime",
        of(
            "gpt-realtime",
            {
                "input_tokens": 1_000,
                "output_tokens": 10,
                "input_token_details": {"cached_tokens": 700, "cached_tokens_details": {"image_tokens": 700}},
            },
        ),
        {**_COUNTS, "output_tokens": 10},
    ),
    Case(
        "A4 images in addition to the cached ones, as LiteLLM had Google's",
        "openai_chat",
        of(
            "gemini/gemini-2.5-flash",
            {
                "prompt_tokens": 1_000,
                "completion_tokens": 10,
                "prompt_tokens_details": {"cached_tokens": 700, "text_tokens": 200, "image_tokens": 100},
            },
        ),
        {"input_tokens": 1_000, "cached_input_tokens": 700, "image_input_tokens": 100, "output_tokens": 10},
    ),
    Case(
        "A4 cached images, by Google",
        "gemini",
        {
            "modelVersion": "gemini-2.5-flash",
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 1_000,
                "candidatesTokenCount": 10,
                "totalTokenCount": 1_010,
                "cachedContentTokenCount": 700,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 200},
                    {"modality": "IMAGE", "tokenCount": 800},
                ],
                "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 700}],
            },
        },
        {
            "input_tokens": 1_000,
            "output_tokens": 10,
            "cached_input_tokens": 700,
            "image_input_tokens": 800,
            "cached_image_input_tokens": 700,
        },
    ),
)
