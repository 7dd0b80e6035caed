"""Answers that hold an image or audio, with a usage that does not say how much of the output it is."""

from typing import Any

from tests.usage.cases import Case, of

SOUND = {"id": "audio_1", "data": "UklGRg==", "expires_at": 1_735_689_600, "transcript": "Good morning."}
PICTURE = {"type": "image_url", "index": 0, "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
_U = {"prompt_tokens": 100, "completion_tokens": 1_000, "total_tokens": 1_100}
_GOOGLE = {"promptTokenCount": 100, "candidatesTokenCount": 1_290, "totalTokenCount": 1_390}
_SPOKEN = {"input_tokens": 100, "output_tokens": 1_000, "audio_output_tokens": 1_000}
_DRAWN = {"input_tokens": 100, "output_tokens": 1_290, "image_output_tokens": 1_290}
_BLOCKS = {"input_tokens": 100, "output_tokens": 1_290, "total_tokens": 1_390}


def said(model: str, message: dict[str, Any], **details: int) -> dict[str, Any]:
    """A chat completion of 1,000 tokens with a message."""
    usage = {**_U, "completion_tokens_details": details} if details else _U
    return of(model, usage, choices=[{"finish_reason": "stop", "message": {"role": "assistant", **message}}])


def drawn(model: str, *parts: dict[str, Any], **usage: Any) -> dict[str, Any]:
    """An answer of Gemini with parts and 1,290 tokens."""
    candidate = {"finishReason": "STOP", "content": {"role": "model", "parts": list(parts)}}
    return {"modelVersion": model, "candidates": [candidate], "usageMetadata": {**_GOOGLE, **usage}}


def blob(mime: str = "image/png") -> dict[str, Any]:
    """A part of Gemini's that is no text."""
    return {"inlineData": {"mimeType": mime, "data": "iVBORw0KGgo="}}


MEDIA = (
    Case("A5 an image without details, by Google", "gemini", drawn("gemini-2.5-flash-image", blob()), _DRAWN),
    Case(
        "A5 an image without details, in snake case",
        "gemini",
        {
            "model_version": "gemini-3-pro-image",
            "candidates": [
                {
                    "finish_reason": "STOP",
                    "content": {
                        "parts": [
                            {"text": "First a sketch", "thought": True, "inline_data": None},
                            {"thought": True, "inline_data": {"mime_type": "image/png", "data": b"1"}},
                            {"text": None, "thought": None, "inline_data": {"mime_type": "image/png", "data": b"2"}},
                        ]
                    },
                }
            ],
            "usage_metadata": {
                "prompt_token_count": 100,
                "candidates_token_count": 1_120,
                "thoughts_token_count": 300,
                "total_token_count": 1_520,
            },
        },
        {"input_tokens": 100, "output_tokens": 1_420, "reasoning_tokens": 300, "image_output_tokens": 1_120},
    ),
    Case(
        "A5 an image next to text that alone is counted",
        "gemini",
        drawn(
            "gemini-2.5-flash-image",
            {"text": "Here it is"},
            blob(),
            candidatesTokensDetails=[{"modality": "TEXT", "tokenCount": 10}],
        ),
        {**_DRAWN, "image_output_tokens": 1_280},
    ),
    Case(
        "A5 an image next to text, both counted",
        "gemini",
        drawn(
            "gemini-2.5-flash-image",
            {"text": "Here it is"},
            blob(),
            candidatesTokensDetails=[{"modality": "IMAGE", "tokenCount": 1_280}],
        ),
        {**_DRAWN, "image_output_tokens": 1_280},
    ),
    Case(
        "A5 an image that code has drawn",
        "gemini",
        drawn("gemini-2.5-flash", {"executableCode": {"code": "plot()"}}, blob(), {"text": "Here it is"}),
        {"input_tokens": 100, "output_tokens": 1_290},
    ),
    Case(
        "A2 audio without details, by Google",
        "gemini",
        drawn("gemini-2.5-flash-preview-tts", blob("audio/L16")),
        {
            "input_tokens": 100,
            "output_tokens": 1_290,
            "audio_output_tokens": 1_290,
        },
    ),
    Case("A2 audio without details", "openai_chat", said("gpt-audio", {"content": None, "audio": SOUND}), _SPOKEN),
    Case(
        "A2 audio with details of zeros",
        "openai_chat",
        said("gpt-audio", {"content": None, "audio": SOUND}, audio_tokens=0, text_tokens=0),
        _SPOKEN,
    ),
    Case(
        "A5 images of a chat without details",
        "openai_chat",
        said("gemini-2.5-flash-image", {"content": "", "images": [PICTURE]}, reasoning_tokens=100),
        {"input_tokens": 100, "output_tokens": 1_000, "reasoning_tokens": 100, "image_output_tokens": 900},
    ),
    Case(
        "A5 an image as the content of a chat",
        "openai_chat",
        said("gemini-2.5-flash-image", {"content": "data:image/png;base64,iVBORw0KGgo="}),
        {"input_tokens": 100, "output_tokens": 1_000, "image_output_tokens": 1_000},
    ),
    Case(
        "A2 audio of a voice session without details",
        "realtime",
        of(
            "gpt-realtime",
            _BLOCKS,
            object="realtime.response",
            output=[{"type": "message", "content": [{"type": "output_audio", "transcript": "Good morning."}]}],
        ),
        {"input_tokens": 100, "output_tokens": 1_290, "audio_output_tokens": 1_290},
    ),
    Case(
        "A5 an image of an interaction",
        "gemini",
        of(
            "gemini-2.5-flash-image",
            {"total_input_tokens": 100, "total_output_tokens": 1_290, "total_tokens": 1_390},
            outputs=[{"type": "image", "mime_type": "image/png", "data": "iVBORw0KGgo="}],
        ),
        _DRAWN,
    ),
    Case(
        "A5 an image through Bedrock",
        "bedrock_converse",
        of(
            "amazon.nova-2-omni-v1:0",
            {"inputTokens": 100, "outputTokens": 1_290, "totalTokens": 1_390},
            output={"message": {"role": "assistant", "content": [{"image": {"format": "png", "source": {}}}]}},
        ),
        _DRAWN,
    ),
    Case(
        "A5 a file of an image, by Vercel's AI SDK",
        "ai_sdk",
        of(
            "gemini-2.5-flash-image",
            {
                "inputTokens": 100,
                "outputTokens": 1_290,
                "totalTokens": 1_390,
                "inputTokenDetails": {"noCacheTokens": 100},
            },
            text="",
            files=[{"mediaType": "image/png", "base64": "iVBORw0KGgo="}],
        ),
        _DRAWN,
    ),
    Case(
        "A5 a file of an image, by Pydantic AI",
        "pydantic_ai",
        of(
            "gemini-2.5-flash-image",
            {"input_tokens": 100, "output_tokens": 1_290, "cache_read_tokens": 0},
            parts=[{"part_kind": "file", "content": {"data": b"1", "media_type": "image/png"}}],
        ),
        _DRAWN,
    ),
)
