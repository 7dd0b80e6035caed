"""Writes golden_litellm.json: what litellm 1.106.2 itself says that calls cost and texts count.

litellm is no dependency of this repository. Run this in a throwaway environment that has it, without the
network:

    pip install litellm==1.106.2
    python tests/prices/make_golden.py
"""

# ruff: noqa: RUF001, SIM905
# Texts in many alphabets are the point, and a list of names is read more easily as text.

import json
import os
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
os.environ["HF_HUB_OFFLINE"] = "1"

import litellm
from litellm.litellm_core_utils.llm_cost_calc import (
    utils as cost_calculation,
)
from litellm.types.utils import (
    CompletionTokensDetailsWrapper,
    PromptTokensDetailsWrapper,
    Usage,
)

WANTED = "1.106.2"
GOLDEN = Path(__file__).parent / "golden_litellm.json"

#: input, output, cached input, cache write, reasoning tokens; names of budgetd's Usage, in its order.
USAGES = {
    "a few tokens": (7, 3, 0, 0, 0),
    "input alone": (1234, 0, 0, 0, 0),
    "cached input": (1000, 777, 401, 0, 0),
    "cache read and written": (3000, 701, 1000, 500, 0),
    "reasoning": (1200, 901, 0, 0, 600),
    "at a tier's edge": (200_000, 10, 0, 0, 0),
    "a long context": (300_001, 2000, 100_000, 0, 500),
}

MODELS = """
gpt-4o gpt-4o-mini gpt-4.1 gpt-4.1-nano gpt-5 gpt-5-mini gpt-5.5 gpt-6.1-sol o3 o4-mini gpt-3.5-turbo gpt-4
openai/gpt-4o openai/gpt-5.5 azure/gpt-4o azure/gpt-5 azure_ai/Phi-3-mini-4k-instruct
text-embedding-3-small text-embedding-3-large voyage/voyage-3 gemini/gemini-embedding-001
claude-haiku-4-5 claude-sonnet-4-5 claude-opus-5-5 claude-sonnet-5-5 anthropic/claude-sonnet-4-5
anthropic.claude-sonnet-4-5-20250929-v1:0 bedrock/us.meta.llama3-3-70b-instruct-v1:0
bedrock/anthropic.claude-haiku-4-5-20251001-v1:0 bedrock/us.meta.llama4-scout-17b-instruct-v1:0
amazon.nova-pro-v1:0 vertex_ai/claude-sonnet-4-5 vertex_ai/gemini-2.5-pro
gemini/gemini-2.5-pro gemini/gemini-2.5-flash gemini/gemini-3.8-flash gemini-2.5-flash
mistral/mistral-large-latest mistral/mistral-small-latest mistral/mistral-medium-latest
mistral/codestral-latest deepseek/deepseek-chat deepseek/deepseek-r1 deepseek/deepseek-v4-pro
together_ai/meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo xai/grok-4.5 xai/grok-4.3 groq/openai/gpt-oss-120b
dashscope/qwen-flash dashscope/qwen-plus-2025-07-28 dashscope/qwen3.7-max moonshot/kimi-k3 zai/glm-4.6
cohere/command-a-03-2025 command-r-plus-08-2024 cerebras/gpt-oss-120b openrouter/openai/gpt-5
deepinfra/deepseek-ai/DeepSeek-V3 fireworks_ai/accounts/fireworks/models/deepseek-r1 perplexity/sonar-pro
perplexity/openai/gpt-5.2 tensormesh/Qwen/Qwen3.5-397B-A17B-FP8 databricks/databricks-claude-sonnet-4-5
watsonx/ibm/granite-3-8b-instruct vercel_ai_gateway/openai/gpt-4.1 sambanova/DeepSeek-R1
""".split()

TOKEN_MODELS = """
gpt-4o gpt-4o-mini gpt-4.1 gpt-5 gpt-5.5 gpt-6.1-sol o3 gpt-4 gpt-3.5-turbo gpt-35-turbo chatgpt-4o-latest
openai/gpt-5 azure/gpt-4o anthropic/claude-sonnet-4-5 claude-3-haiku-20240307 gemini/gemini-2.5-pro
mistral/mistral-large-latest deepseek/deepseek-chat text-embedding-3-small nobody/has-this-model
""".split()

PARAGRAPH = (
    "A budget is a promise about money that has not been spent yet. It says who may spend, how much, "
    "and until when; "
    "and it is only worth something if it holds on the day when everybody calls at once.\n"
)
TEXTS = {
    "nothing": "",
    "english": "hello world",
    "english, long": PARAGRAPH * 12,
    "german": "Überweisungsgebühren fallen erst an, wenn die Rechnungsprüfungsstelle dem Höchstbetrag zugestimmt hat.",
    "french": "L’été dernier, nous n’avions pas encore dépensé la moitié de ce qui était prévu.",
    "python": 4 * "def total(prices: list[int]) -> int:\n    return sum(price for price in prices if price > 0)\n\n\n",
    "json": json.dumps({"model": "gpt-4o", "usage": {"input": 1200, "output": 34}, "tags": ["a", "b"]}, indent=2),
    "chinese": "预算是对尚未花出的钱的承诺。它说明谁可以花钱、花多少,以及到什么时候为止。",
    "chinese, long": "每个月的第一天,预算重新开始计算。" * 90,
    "japanese": "予算とは、まだ使っていないお金についての約束です。誰が、いくらまで使えるかを決めます。",
    "russian": "Бюджет — это обещание о деньгах, которые ещё не потрачены.",
    "arabic": "الميزانية وعد بشأن أموال لم تنفق بعد.",
    "hindi": "बजट उस पैसे का वादा है जो अभी खर्च नहीं हुआ है।",
    "emoji": "💸🔥 over budget 👩‍👩‍👧‍👦 🇩🇪 ✅✅✅",
    "numbers": "3.14159 1000000000 2026-11-24T00:23:17Z 0xDEADBEEF 1,234,567.89 " * 5,
    "white space": "  \n\n\t\t a \r\n   b        c\n" * 8,
    "special tokens": "<|endoftext|> and <|im_start|>user<|im_sep|>",
    "one letter": "a" * 3000,
}


def main() -> None:
    """Ask litellm everything, and write it down."""
    if version("litellm") != WANTED:
        raise SystemExit(f"litellm {WANTED} is wanted, and {version('litellm')} is installed")
    litellm.suppress_debug_info = True
    # A Sunday: LiteLLM's price of some models depends on the hour, and this file must not.
    cost_calculation.current_billing_time = lambda: datetime(2026, 11, 22, 12, tzinfo=UTC)
    golden = {
        "litellm": WANTED,
        "usages": USAGES,
        "cost_nano_usd": {
            model: {name: cost_nano_usd(model, usage) for name, usage in USAGES.items()} for model in MODELS
        },
        "texts": TEXTS,
        "tokens": {model: {name: tokens(model, text) for name, text in TEXTS.items()} for model in TOKEN_MODELS},
    }
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", "utf-8")


def cost_nano_usd(model: str, counts: tuple[int, ...]) -> int:
    """What litellm says a usage costs, as the nearest whole nano-USD."""
    prompt, completion, cached, written, reasoning = counts
    usage = Usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=prompt + completion,
        prompt_tokens_details=PromptTokensDetailsWrapper(cached_tokens=cached, cache_creation_tokens=written),
        completion_tokens_details=CompletionTokensDetailsWrapper(reasoning_tokens=reasoning) if reasoning else None,
        cache_read_input_tokens=cached,
        cache_creation_input_tokens=written,
    )
    prompt_cost_usd, completion_cost_usd = litellm.cost_per_token(model=model, usage_object=usage)
    return round(float(prompt_cost_usd + completion_cost_usd) * 1e9)


def tokens(model: str, text: str) -> dict[str, int]:
    """How litellm counts a text as update_cost has it, and as projected_cost has it."""
    return {
        "chat_text": litellm.token_counter(model=model, messages=[{"role": "user", "content": text}]),
        "contents": litellm.token_counter(model=model, text=text),
    }


if __name__ == "__main__":
    main()
