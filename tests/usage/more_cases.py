"""The native form of each provider, and the same fact under another provider's name for it: kind C."""

from tests.usage.cases import Case, U, message, of

_TEXT = {"modality": "TEXT", "token_count": 4}
_AUDIO = {"modality": "AUDIO", "token_count": 6}

GOOGLE = (
    Case(
        "C2 Gemini in snake case, thoughts outside the candidates",
        "gemini",
        {
            "model_version": "gemini-2.5-flash",
            "candidates": [{"finish_reason": "STOP"}],
            "usage_metadata": {
                "prompt_token_count": 10,
                "candidates_token_count": 20,
                "thoughts_token_count": 30,
                "total_token_count": 60,
                "cached_content_token_count": 8,
                "prompt_tokens_details": [_TEXT, _AUDIO],
                "cache_tokens_details": [
                    {"modality": "AUDIO", "token_count": 5},
                    {"modality": "TEXT", "token_count": 3},
                ],
                "candidates_tokens_details": [{"modality": "IMAGE", "token_count": 15}],
            },
        },
        {
            "input_tokens": 10,
            "output_tokens": 50,
            "cached_input_tokens": 8,
            "reasoning_tokens": 30,
            "audio_input_tokens": 6,
            "cached_audio_input_tokens": 5,
            "image_output_tokens": 15,
        },
    ),
    Case(
        "C2 Gemini in camel case, with a tool's results",
        "gemini",
        {
            "modelVersion": "gemini-2.5-flash",
            "candidates": [{"finishReason": "STOP"}],
            "usageMetadata": {
                "promptTokenCount": 10,
                "candidatesTokenCount": 20,
                "toolUsePromptTokenCount": 7,
                "thoughtsTokenCount": 5,
                "totalTokenCount": 42,
                "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 10}],
                "trafficType": "ON_DEMAND_PRIORITY",
            },
        },
        {"input_tokens": 17, "output_tokens": 25, "reasoning_tokens": 5},
        {"service_tier": "priority"},
    ),
    Case(
        "C2 Gemini whose total shows thoughts that are not counted",
        "gemini",
        of("gemini-2.5-pro", {"prompt_token_count": 20, "candidates_token_count": 198, "total_token_count": 623}),
        {"input_tokens": 20, "output_tokens": 603, "reasoning_tokens": 405},
    ),
    Case(
        "C2 Gemini whose candidates include the thoughts",
        "gemini",
        of(
            "gemini-2.5-pro",
            {
                "prompt_token_count": 20,
                "candidates_token_count": 200,
                "thoughts_token_count": 50,
                "total_token_count": 220,
            },
        ),
        {"input_tokens": 20, "output_tokens": 200, "reasoning_tokens": 50},
    ),
    Case(
        "C2 Google's interactions",
        "gemini",
        of(
            "gemini-2.5-flash",
            {
                "total_input_tokens": 10,
                "total_output_tokens": 20,
                "total_thought_tokens": 5,
                "total_tokens": 35,
                "input_tokens_by_modality": [{"modality": "audio", "tokens": 6}, {"modality": "text", "tokens": 4}],
            },
        ),
        {"input_tokens": 10, "output_tokens": 25, "reasoning_tokens": 5, "audio_input_tokens": 6},
    ),
)

CHATS = (
    Case(
        "C1 DeepSeek's cache",
        "deepseek",
        of(
            "deepseek/deepseek-chat",
            {
                "prompt_tokens": 1_000,
                "completion_tokens": 10,
                "total_tokens": 1_010,
                "prompt_cache_hit_tokens": 900,
                "prompt_cache_miss_tokens": 100,
            },
        ),
        {"input_tokens": 1_000, "output_tokens": 10, "cached_input_tokens": 900},
    ),
    Case(
        "C2 Mistral: audio by its length, and what a connector brought",
        "mistral",
        of(
            "voxtral-small-latest",
            {
                "prompt_tokens": 100,
                "completion_tokens": 20,
                "total_tokens": 160,
                "prompt_audio_seconds": 12,
                "connector_tokens": 40,
                "connectors": {"web_search": 3},
            },
        ),
        {"input_tokens": 140, "output_tokens": 20, "audio_input_milliseconds": 12_000, "web_searches": 3},
    ),
    Case(
        "B Mistral: tokens of audio, which the prompt leaves out",
        "mistral",
        of(
            "voxtral-mini-latest",
            {
                "prompt_audio_seconds": 12,
                "prompt_tokens": 3,
                "completion_tokens": 41,
                "total_tokens": 419,
                "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 375},
            },
            text="Hello",
        ),
        {
            "input_tokens": 378,
            "output_tokens": 41,
            "audio_input_tokens": 375,
            "audio_input_milliseconds": 12_000,
        },
    ),
    Case(
        "C2 pages of documents",
        "mistral",
        {"model": "mistral-ocr-latest", "usage_info": {"pages_processed": 29, "doc_size_bytes": 3_002_783}},
        {"pages": 29},
    ),
    Case(
        "C2 OpenRouter",
        "openrouter",
        of(
            "deepseek/deepseek-v3",
            {
                "prompt_tokens": 194,
                "completion_tokens": 2,
                "total_tokens": 196,
                "is_byok": False,
                "prompt_tokens_details": {"cached_tokens": 50, "audio_tokens": 0},
                "cost_details": {"upstream_inference_cost": None},
            },
        ),
        {"input_tokens": 194, "output_tokens": 2, "cached_input_tokens": 50},
    ),
    Case(
        "C2 OpenAI's responses",
        "openai_responses",
        of(
            "gpt-5",
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "total_tokens": 150,
                "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 10},
                "output_tokens_details": {"reasoning_tokens": 40},
            },
            object="response",
            status="completed",
        ),
        {
            "input_tokens": 100,
            "output_tokens": 50,
            "cached_input_tokens": 30,
            "cache_write_tokens": 10,
            "reasoning_tokens": 40,
        },
    ),
    Case(
        "C2 the last event of a stream of OpenAI's responses",
        "openai_responses",
        {
            "type": "response.completed",
            "response": of("gpt-5", {"input_tokens": 100, "output_tokens": 50, "total_tokens": 150}),
        },
        {"input_tokens": 100, "output_tokens": 50},
    ),
    Case(
        "C2 Bedrock's Converse",
        "bedrock_converse",
        of(
            "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            {
                "inputTokens": 10,
                "outputTokens": 20,
                "totalTokens": 30,
                "cacheReadInputTokens": 100,
                "cacheWriteInputTokens": 50,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 40}, {"ttl": "5m", "inputTokens": 10}],
            },
            metrics={"latencyMs": 551},
            serviceTier={"type": "flex"},
        ),
        {
            "input_tokens": 160,
            "output_tokens": 20,
            "cached_input_tokens": 100,
            "cache_write_tokens": 50,
            "cache_write_1h_tokens": 40,
        },
        {"service_tier": "flex"},
    ),
    Case(
        "C2 Cohere's chats, of which the billed units count",
        "cohere",
        of(
            "command-a-03-2025",
            {"billed_units": {"input_tokens": 5.0, "output_tokens": 12.0}, "tokens": {"input_tokens": 71.0}},
        ),
        {"input_tokens": 5, "output_tokens": 12},
    ),
)

OTHERS = (
    Case(
        "A9 Anthropic's speed next to its usual tier",
        "anthropic",
        message(
            "claude-opus-4-8",
            {"input_tokens": 1_000, "output_tokens": 1_000, "service_tier": "standard", "speed": "fast"},
        ),
        {"input_tokens": 1_000, "output_tokens": 1_000},
        {"service_tier": "fast"},
    ),
    Case(
        "A9 the usual tier of the answer next to another of its usage",
        "openai_chat",
        of("gpt-5", {**U, "service_tier": "priority"}, service_tier="auto"),
        {"input_tokens": 1_000, "output_tokens": 1_000},
        {"service_tier": "priority"},
    ),
    Case(
        "C2 Cohere's rerankings, billed by the search",
        "cohere",
        {"model": "rerank-v3.5", "results": [{"relevance_score": 0.9}], "meta": {"billed_units": {"search_units": 3}}},
        {"queries": 3},
    ),
    Case(
        "C2 Voyage's embeddings",
        "voyage",
        of("voyage-3-large", {"total_tokens": 12}, object="list", data=[{"embedding": [0.1]}]),
        {"input_tokens": 12},
    ),
    Case(
        "C2 Voyage's images, inside the total",
        "voyage",
        of("voyage-multimodal-3", {"text_tokens": 5, "image_pixels": 2_000_000, "total_tokens": 3_576}),
        {"input_tokens": 3_576},
    ),
    Case(
        "C2 rerankings by tokens",
        "rerank",
        of("jina-reranker-v2", {"total_tokens": 26}, results=[{"relevance_score": 0.9}]),
        {"input_tokens": 26},
    ),
    Case(
        "C2 OpenAI's embeddings",
        "embeddings",
        of("text-embedding-3-small", {"prompt_tokens": 8, "total_tokens": 8}, data=[{"embedding": [0.1]}]),
        {"input_tokens": 8},
    ),
    Case(
        "C2 whisper, by its length in the usage",
        "transcription",
        of("whisper-1", {"type": "duration", "seconds": 61.5}, text="hello"),
        {"audio_input_milliseconds": 61_500},
    ),
    Case(
        "C2 whisper, by its length next to the text",
        "transcription",
        {"model": "whisper-1", "text": "hello", "duration": "3.1415"},
        {"audio_input_milliseconds": 3_142},
    ),
    Case(
        "C2 transcriptions by tokens",
        "transcription",
        of(
            "gpt-4o-transcribe",
            {
                "type": "tokens",
                "input_tokens": 14,
                "output_tokens": 45,
                "total_tokens": 59,
                "input_token_details": {"text_tokens": 4, "audio_tokens": 10},
            },
            text="hello",
        ),
        {"input_tokens": 14, "output_tokens": 45, "audio_input_tokens": 10},
    ),
    Case(
        "C2 speech by the character",
        "speech",
        {"model": "polly", "RequestCharacters": 42, "AudioStream": b""},
        {"characters": 42},
    ),
    Case("C2 speech by the character, in a usage", "speech", of("tts-1", {"characters": 42}), {"characters": 42}),
    Case(
        "C2 speech by tokens",
        "speech",
        of("gpt-4o-mini-tts", {"input_tokens": 14, "output_tokens": 101, "total_tokens": 115}),
        {"input_tokens": 14, "output_tokens": 101, "audio_output_tokens": 101},
    ),
    Case(
        "C2 images by their number",
        "images",
        {"model": "dall-e-3", "created": 1, "data": [{"url": "https://example.com/a"}]},
        {"output_images": 1},
    ),
    Case(
        "C2 videos by their length",
        "video",
        {"model": "sora-2", "object": "video", "seconds": "8"},
        {"video_milliseconds": 8_000},
    ),
    Case(
        "C2 videos by their length in a usage, as LiteLLM has it",
        "video",
        of("sora-2", {"duration_seconds": 8.0, "video_resolution": "720p"}, object="video", seconds="8"),
        {"video_milliseconds": 8_000},
    ),
)
