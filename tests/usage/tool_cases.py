"""What tools brought to a model of Google's, and caches that OpenAI's models on Bedrock have inside of their input."""

from typing import Any

from tests.usage.cases import Case, of


def _gemini(usage: dict[str, Any], *, ground: dict[str, Any] | None = None) -> dict[str, Any]:
    candidate = {"finishReason": "STOP"} if ground is None else {"finishReason": "STOP", "groundingMetadata": ground}
    return {"modelVersion": "gemini-2.5-flash", "candidates": [candidate], "usageMetadata": usage}


def _audio(tokens: int) -> list[dict[str, Any]]:
    return [{"modality": "AUDIO", "tokenCount": tokens}]


_TOOL = {"promptTokenCount": 100, "candidatesTokenCount": 10, "toolUsePromptTokenCount": 1_000}
_CHAT = {
    "prompt_tokens": 27,
    "completion_tokens": 76,
    "total_tokens": 10_412,
    "prompt_tokens_details": {"tool_use_tokens": 10_309},
}
_SEARCHED = {"tool_use_tokens": 10_309, "web_search_requests": 1}
_NATIVE = {
    "promptTokenCount": 27,
    "candidatesTokenCount": 76,
    "toolUsePromptTokenCount": 10_309,
    "totalTokenCount": 10_412,
}

TOOLS = (
    Case(
        "A audio that a tool brought, without a total",
        "gemini",
        _gemini({**_TOOL, "toolUsePromptTokensDetails": _audio(1_000)}),
        {"input_tokens": 1_100, "output_tokens": 10, "audio_input_tokens": 1_000},
    ),
    Case(
        "A audio of the prompt and of a tool, by Google",
        "gemini",
        _gemini(
            {
                **_TOOL,
                "totalTokenCount": 1_110,
                "promptTokensDetails": _audio(60),
                "toolUsePromptTokensDetails": [*_audio(600), {"modality": "IMAGE", "tokenCount": 400}],
            }
        ),
        {"input_tokens": 1_100, "output_tokens": 10, "audio_input_tokens": 660, "image_input_tokens": 400},
    ),
    Case(
        "A audio of a tool that the prompt and its details include",
        "gemini",
        _gemini(
            {
                "promptTokenCount": 1_100,
                "candidatesTokenCount": 10,
                "toolUsePromptTokenCount": 1_000,
                "totalTokenCount": 1_110,
                "promptTokensDetails": [*_audio(1_000), {"modality": "TEXT", "tokenCount": 100}],
                "toolUsePromptTokensDetails": _audio(1_000),
            }
        ),
        {"input_tokens": 1_100, "output_tokens": 10, "audio_input_tokens": 1_000},
    ),
    Case(
        "A images of a tool in an interaction",
        "gemini",
        of(
            "gemini-2.5-flash",
            {
                "total_input_tokens": 10,
                "total_output_tokens": 20,
                "total_tool_use_tokens": 50,
                "total_tokens": 80,
                "tool_use_tokens_by_modality": [{"modality": "image", "tokens": 50}],
            },
        ),
        {"input_tokens": 60, "output_tokens": 20, "image_input_tokens": 50},
    ),
    Case(
        "B tool results outside the prompt, by LiteLLM",
        "openai_chat",
        of("gemini/gemini-2.5-flash", _CHAT),
        {"input_tokens": 10_336, "output_tokens": 76},
    ),
    Case(
        "B tool results outside the prompt, by Google",
        "gemini",
        _gemini(_NATIVE),
        {"input_tokens": 10_336, "output_tokens": 76},
    ),
    Case(
        "B what a search found is not billed, by LiteLLM",
        "openai_chat",
        of("gemini/gemini-2.5-flash", {**_CHAT, "prompt_tokens_details": _SEARCHED}),
        {"input_tokens": 27, "output_tokens": 76, "web_searches": 1},
    ),
    Case(
        "B what a search found is not billed, by Google",
        "gemini",
        _gemini(_NATIVE, ground={"webSearchQueries": ["a"]}),
        {"input_tokens": 27, "output_tokens": 76, "web_searches": 1},
    ),
    Case(
        "B the pages that a tool read are billed, although the answer rests on them",
        "gemini",
        _gemini(_NATIVE, ground={"groundingChunks": [{"web": {"uri": "https://example.com"}}]}),
        {"input_tokens": 10_336, "output_tokens": 76},
    ),
)


def _converse(model: str, total: int, **counts: int) -> dict[str, Any]:
    return of(model, {"totalTokens": total, **counts})


_WRITTEN = {"inputTokens": 4_995, "outputTokens": 19, "cacheWriteInputTokens": 4_993}
_SOL = "bedrock_mantle/openai.gpt-5.6-sol"

CACHES = (
    Case(
        "B a cache that the input has and the total adds again",
        "bedrock_converse",
        _converse(_SOL, 10_007, **_WRITTEN),
        {"input_tokens": 4_995, "output_tokens": 19, "cache_write_tokens": 4_993},
    ),
    Case(
        "B a cache that was read and written, in the input and added again",
        "bedrock_converse",
        _converse(
            _SOL,
            24_900,
            inputTokens=12_401,
            outputTokens=100,
            cacheReadInputTokens=8_367,
            cacheWriteInputTokens=4_032,
        ),
        {"input_tokens": 12_401, "output_tokens": 100, "cached_input_tokens": 8_367, "cache_write_tokens": 4_032},
    ),
    Case(
        "B a cache that both input and total have once",
        "bedrock_converse",
        _converse(_SOL, 5_014, **_WRITTEN),
        {"input_tokens": 4_995, "output_tokens": 19, "cache_write_tokens": 4_993},
    ),
    Case(
        "B a cache outside the input of OpenAI's model, since it exceeds it",
        "bedrock_converse",
        _converse(_SOL, 5_014, **{**_WRITTEN, "inputTokens": 2}),
        {"input_tokens": 4_995, "output_tokens": 19, "cache_write_tokens": 4_993},
    ),
    Case(
        "B a cache outside the larger input of another maker's model",
        "bedrock_converse",
        _converse("us.anthropic.claude-sonnet-4-5-20250929-v1:0", 10_007, **_WRITTEN),
        {"input_tokens": 9_988, "output_tokens": 19, "cache_write_tokens": 4_993},
    ),
)
