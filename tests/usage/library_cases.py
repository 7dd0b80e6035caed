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
)
