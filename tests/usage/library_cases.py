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
