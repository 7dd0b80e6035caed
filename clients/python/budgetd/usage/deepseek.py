"""DeepSeek's chat completions: the input is split into cache hits and cache misses."""

from dataclasses import replace

from budgetd.usage import openai_chat

DIALECT = replace(
    openai_chat.DIALECT,
    name="deepseek",
    is_it=lambda look: openai_chat.is_chat(look) and "prompt_cache_hit_tokens" in look.usage,
    parts={
        **openai_chat.PARTS,
        "prompt_cache_hit_tokens": "cached_input_tokens",
        "prompt_cache_miss_tokens": "_cache_missed",
    },
    provider=lambda _: "deepseek",
)
