"""Tiers and places under every name that providers have for them."""

from typing import Any

from tests.usage.cases import Case, message, of

_COUNTS = {"promptTokenCount": 1_000, "candidatesTokenCount": 1_000, "totalTokenCount": 2_000}
_U = {"input_tokens": 1_000, "output_tokens": 1_000}
_FLEX, _PRIORITY = {"service_tier": "flex"}, {"service_tier": "priority"}


def _gemini(**tier: Any) -> dict[str, Any]:
    return {
        "modelVersion": "gemini-2.5-flash",
        "candidates": [{"finishReason": "STOP"}],
        "usageMetadata": {**_COUNTS, **tier},
    }


TERMS = (
    Case("A9 Google's tier in camel case", "gemini", _gemini(serviceTier="flex"), _U, _FLEX),
    Case("A9 Google's tier in snake case", "gemini", _gemini(service_tier="priority"), _U, _PRIORITY),
    Case("A9 Google's tier by its full name", "gemini", _gemini(serviceTier="SERVICE_TIER_PRIORITY"), _U, _PRIORITY),
    Case("A9 Google's usual tier", "gemini", _gemini(serviceTier="standard"), _U),
    Case("A9 a tier of Google's that is not given", "gemini", _gemini(serviceTier="SERVICE_TIER_UNSPECIFIED"), _U),
    Case(
        "A9 Google's tier next to its usual traffic",
        "gemini",
        _gemini(serviceTier="flex", trafficType="ON_DEMAND"),
        _U,
        _FLEX,
    ),
    Case(
        "A9 a tier of the answer in camel case",
        "gemini",
        {**_gemini(), "serviceTier": "flex"},
        _U,
        _FLEX,
    ),
    Case(
        "A9 Bedrock's holder of a tier",
        "bedrock_converse",
        of("amazon.nova-pro-v1:0", {"inputTokens": 10, "outputTokens": 5}, serviceTier={"type": "flex"}),
        {"input_tokens": 10, "output_tokens": 5},
        _FLEX,
    ),
    Case(
        "A12 where it ran, in camel case",
        "anthropic",
        message("claude-opus-4-6", {"input_tokens": 10, "output_tokens": 5, "inferenceGeo": "us"}),
        {"input_tokens": 10, "output_tokens": 5},
        {"inference_geo": "us"},
    ),
)
