"""Answers with a usage where, or under names that, only one provider, gateway or library has: kind C."""

from tests.usage.cases import Case, of

_IMAGE = {"image": {"image_bytes": "aW1hZ2U=", "mime_type": "image/png"}}
_PREDICTION = {"bytesBase64Encoded": "aW1hZ2U=", "mimeType": "image/png"}

PROVIDERS = (
    Case(
        "C12 DashScope's own form, which has the names of two others",
        "openai_responses",
        of(
            "dashscope/qwen3-coder-flash",
            {
                "input_tokens": 3_019,
                "output_tokens": 104,
                "total_tokens": 3_123,
                "prompt_tokens_details": {"cached_tokens": 2_048},
                "completion_tokens_details": {"reasoning_tokens": 60},
            },
        ),
        {"input_tokens": 3_019, "output_tokens": 104, "cached_input_tokens": 2_048, "reasoning_tokens": 60},
    ),
    Case(
        "C10 the last piece of a stream of Groq's",
        "openai_chat",
        {
            "object": "chat.completion.chunk",
            "model": "groq/openai/gpt-oss-120b",
            "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}],
            "x_groq": {
                "id": "req_1",
                "usage": {
                    "queue_time": 0.1,
                    "prompt_tokens": 4_641,
                    "completion_tokens": 59,
                    "total_tokens": 4_700,
                    "prompt_tokens_details": {"cached_tokens": 4_608},
                },
            },
        },
        {"input_tokens": 4_641, "output_tokens": 59, "cached_input_tokens": 4_608},
    ),
    Case(
        "C11 the last piece of a stream of Moonshot's",
        "openai_chat",
        {
            "object": "chat.completion.chunk",
            "model": "moonshot/kimi-k2.5",
            "choices": [
                {
                    "index": 0,
                    "delta": {},
                    "finish_reason": "stop",
                    "usage": {"prompt_tokens": 19, "completion_tokens": 13, "total_tokens": 32, "cached_tokens": 10},
                }
            ],
        },
        {"input_tokens": 19, "output_tokens": 13, "cached_input_tokens": 10},
    ),
    Case(
        "C13 an embedding of Amazon Titan's",
        "titan",
        {"model": "amazon.titan-embed-text-v2:0", "embedding": [0.1], "inputTextTokenCount": 8},
        {"input_tokens": 8},
    ),
    Case(
        "C13 an embedding of Amazon Titan's by its type",
        "titan",
        {"model": "amazon.titan-embed-text-v2:0", "embeddingsByType": {"binary": [1]}, "inputTextTokenCount": 8},
        {"input_tokens": 8},
    ),
    Case(
        "C13 a text of Amazon Titan's",
        "titan",
        {
            "model": "amazon.titan-text-express-v1",
            "inputTextTokenCount": 8,
            "results": [{"tokenCount": 20, "outputText": "a"}, {"tokenCount": 3, "outputText": "b"}],
        },
        {"input_tokens": 8, "output_tokens": 23},
    ),
    Case(
        "C13 images of Imagen's, without one that was filtered out",
        "images",
        {
            "model": "gemini/imagen-3.0-generate-001",
            "generated_images": [_IMAGE, _IMAGE, {"image": None, "rai_filtered_reason": "blocked"}],
        },
        {"output_images": 2},
    ),
    Case(
        "C13 images of Imagen's in camel case",
        "images",
        {"model": "gemini/imagen-3.0-generate-001", "generatedImages": [_IMAGE]},
        {"output_images": 1},
    ),
    Case(
        "C13 images of Imagen's, as Google's HTTP interface has them",
        "images",
        {"model": "gemini/imagen-3.0-generate-001", "predictions": [_PREDICTION, _PREDICTION]},
        {"output_images": 2},
    ),
    Case(
        "C13 speech of MiniMax's",
        "speech",
        {
            "model": "minimax/speech-02-hd",
            "data": {"audio": "00"},
            "extra_info": {"audio_length": 9_900, "usage_characters": 26},
        },
        {"characters": 26},
    ),
)

_CACHED = {"input_tokens": 3_000, "output_tokens": 100, "cached_input_tokens": 1_000, "cache_write_tokens": 1_500}
_TOTAL = {"input_tokens": 3_000, "output_tokens": 100, "total_tokens": 3_100}

LIBRARIES = (
    Case(
        "C21 Pydantic AI's usage of a request",
        "pydantic_ai",
        of(
            "claude-sonnet-4-5",
            {
                "input_tokens": 130_213,
                "cache_write_tokens": 1_253,
                "cache_write_1h_tokens": 1_000,
                "cache_read_tokens": 128_955,
                "output_tokens": 10,
                "output_reasoning_tokens": 4,
                "input_audio_tokens": 3,
                "cache_audio_read_tokens": 2,
                "output_audio_tokens": 1,
                "requests": 1,
                "tool_calls": 2,
                "details": {"cache_read_input_tokens": 128_955, "reasoning_tokens": 4},
            },
        ),
        {
            "input_tokens": 130_213,
            "output_tokens": 10,
            "cached_input_tokens": 128_955,
            "cache_write_tokens": 1_253,
            "cache_write_1h_tokens": 1_000,
            "reasoning_tokens": 4,
            "audio_input_tokens": 3,
            "cached_audio_input_tokens": 2,
            "audio_output_tokens": 1,
        },
    ),
    Case(
        "C21 LangChain's usage metadata",
        "langchain",
        {
            "model": "claude-sonnet-4-5",
            "usage_metadata": {**_TOTAL, "input_token_details": {"cache_read": 1_000, "cache_creation": 1_500}},
        },
        _CACHED,
    ),
    Case(
        "C21 LangChain's usage metadata with writes by their life, audio and reasoning",
        "langchain",
        {
            "model": "claude-sonnet-4-5",
            "usage_metadata": {
                **_TOTAL,
                "input_token_details": {
                    "audio": 7,
                    "cache_read": 1_000,
                    "cache_creation": 0,
                    "ephemeral_5m_input_tokens": 500,
                    "ephemeral_1h_input_tokens": 1_000,
                },
                "output_token_details": {"audio": 5, "reasoning": 20},
            },
        },
        {
            **_CACHED,
            "cache_write_1h_tokens": 1_000,
            "audio_input_tokens": 7,
            "audio_output_tokens": 5,
            "reasoning_tokens": 20,
        },
    ),
    Case(
        "C21 Vercel's AI SDK with details, and the usage that it was made of",
        "ai_sdk",
        of(
            "claude-sonnet-4-5",
            {
                "inputTokens": 3_000,
                "inputTokenDetails": {"noCacheTokens": 500, "cacheReadTokens": 1_000, "cacheWriteTokens": 1_500},
                "outputTokens": 100,
                "outputTokenDetails": {"textTokens": 80, "reasoningTokens": 20},
                "totalTokens": 3_100,
                "cachedInputTokens": 1_000,
                "reasoningTokens": 20,
                "raw": {
                    "input_tokens": 500,
                    "output_tokens": 100,
                    "cache_read_input_tokens": 1_000,
                    "cache_creation_input_tokens": 1_500,
                },
            },
        ),
        {**_CACHED, "reasoning_tokens": 20},
    ),
    Case(
        "C21 Vercel's AI SDK before it had details, with reasoning that only the total includes",
        "ai_sdk",
        of(
            "xai/grok-4",
            {"inputTokens": 555, "outputTokens": 190, "totalTokens": 1_802, "reasoningTokens": 1_057},
        ),
        {"input_tokens": 555, "output_tokens": 1_247, "reasoning_tokens": 1_057},
    ),
    Case(
        "C21 Codex's usage of a turn",
        "codex",
        of(
            "gpt-5",
            {
                "input_tokens": 1_000,
                "cached_input_tokens": 500,
                "output_tokens": 200,
                "reasoning_output_tokens": 50,
                "total_tokens": 1_200,
            },
            type="turn.completed",
        ),
        {"input_tokens": 1_000, "output_tokens": 200, "cached_input_tokens": 500, "reasoning_tokens": 50},
    ),
    Case(
        "C21 the usage of xAI's library",
        "xai",
        of(
            "grok-4.20",
            {
                "prompt_tokens": 1_000,
                "completion_tokens": 100,
                "reasoning_tokens": 40,
                "total_tokens": 1_140,
                "prompt_text_tokens": 70,
                "cached_prompt_text_tokens": 900,
                "prompt_image_tokens": 30,
            },
        ),
        {
            "input_tokens": 1_000,
            "output_tokens": 140,
            "cached_input_tokens": 900,
            "image_input_tokens": 30,
            "reasoning_tokens": 40,
        },
    ),
    Case(
        "C21 Bifrost's details of a prompt",
        "openai_chat",
        of(
            "claude-sonnet-4-5",
            {
                "prompt_tokens": 3_000,
                "completion_tokens": 100,
                "total_tokens": 3_100,
                "prompt_tokens_details": {
                    "cached_tokens": 1_000,
                    "cached_read_tokens": 1_000,
                    "cached_write_tokens": 1_500,
                },
            },
        ),
        _CACHED,
    ),
    Case(
        "C21 Bifrost's details of a prompt, when what is cached was the sum of both",
        "openai_responses",
        of(
            "claude-sonnet-4-5",
            {
                **_TOTAL,
                "input_tokens_details": {
                    "cached_tokens": 2_500,
                    "cached_read_tokens": 1_000,
                    "cached_write_tokens": 1_500,
                },
            },
        ),
        _CACHED,
    ),
    Case(
        "C21 Bifrost's details of a prompt that was only written",
        "openai_chat",
        of(
            "claude-opus-4-7",
            {
                "prompt_tokens": 159_223,
                "completion_tokens": 2_745,
                "total_tokens": 161_968,
                "prompt_tokens_details": {"cached_tokens": 159_217, "cached_write_tokens": 159_217},
            },
        ),
        {"input_tokens": 159_223, "output_tokens": 2_745, "cache_write_tokens": 159_217},
    ),
    Case(
        "C21 Google's details of an embedding's prompt",
        "gemini",
        {
            "model": "gemini/gemini-embedding-2",
            "usageMetadata": {
                "promptTokenCount": 9,
                "promptTokenDetails": [
                    {"modality": "TEXT", "tokenCount": 4},
                    {"modality": "IMAGE", "tokenCount": 5},
                ],
            },
        },
        {"input_tokens": 9, "image_input_tokens": 5},
    ),
)
