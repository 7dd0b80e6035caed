"""Answers with a usage where, or under names that, only one provider, gateway or library has: kind C."""

from tests.usage.cases import Case, of

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
)
