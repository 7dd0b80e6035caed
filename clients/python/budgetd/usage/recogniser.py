"""Chooses the dialect of an answer: the first in `ORDER` that recognises it.

Forms that cannot be confused with others come first; OpenAI's forms, which many others extend, come last.
"""

from functools import lru_cache

from budgetd.usage import (
    ai_sdk,
    anthropic,
    bedrock,
    codex,
    cohere,
    deepseek,
    embeddings,
    gemini,
    gemini_embeddings,
    images,
    langchain,
    mistral,
    openai_chat,
    openai_responses,
    openrouter,
    perplexity,
    pydantic_ai,
    realtime,
    rerank,
    speech,
    titan,
    transcription,
    video,
    voyage,
    xai,
)
from budgetd.usage.dialect import COST_PARTS, Dialect, Look, need_nothing
from budgetd.usage.tools import SEARCH_MODELS

#: All dialects. Each comes before those that would also recognise its answers but miss a part of them.
ORDER: tuple[Dialect, ...] = tuple(
    module.DIALECT
    for module in (
        gemini,
        gemini_embeddings,
        ai_sdk,
        bedrock,
        titan,
        cohere,
        voyage,
        rerank,
        embeddings,
        video,
        transcription,
        speech,
        images,
        anthropic,
        deepseek,
        xai,
        perplexity,
        mistral,
        openrouter,
        openai_chat,
        langchain,
        realtime,
        pydantic_ai,
        codex,
        openai_responses,
    )
)
#: Forms of libraries and programs that call several providers. In other forms, the same names have another meaning.
LIBRARIES = frozenset({"ai_sdk", "codex", "langchain", "pydantic_ai"})
#: For an answer in no known form, which can be charged only if its cost is given.
UNKNOWN = Dialect(
    name="unknown", is_it=lambda _: True, parts={}, harmless=COST_PARTS, settle=lambda _: None, needs=need_nothing
)
#: The dialects of chat completions, which most answers are.
_OF_CHATS = tuple(
    dialect for dialect in ORDER if dialect.name in {"deepseek", "xai", "perplexity", "mistral", "openrouter"}
)
#: The fields of a plain chat completion. Most answers have no others and are recognised without asking every dialect.
PLAIN = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
)
#: The first name of every known path, for objects that compute their fields on access and cannot list them.
KNOWN_NAMES: tuple[str, ...] = tuple(
    sorted(
        {path.partition(".")[0] for dialect in ORDER for path in (*dialect.parts, *dialect.money, *dialect.unpriced)}
    )
)


def recognise(look: Look) -> Dialect:
    """Return the dialect of an answer. UNKNOWN if no dialect recognises it."""
    is_chat = bool(look.usage.get("completion_tokens"))
    if is_chat and look.usage.keys() <= PLAIN and not has_own_dialect(look.model, look.provider):
        return openai_chat.DIALECT
    is_chat = is_chat and look.get("choices") is not None
    for dialect in _OF_CHATS if is_chat else ORDER:
        if dialect.is_it(look):
            return dialect
    return openai_chat.DIALECT if is_chat else UNKNOWN


@lru_cache(maxsize=1_000)
def has_own_dialect(model: str, provider: str) -> bool:
    """Return True if answers of this model or provider may have counts that a plain usage does not."""
    bare = Look({}, None, {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}, model, provider)
    is_plain = not any(dialect.is_it(bare) for dialect in ORDER if dialect is not openai_chat.DIALECT)
    return not is_plain or any(word in model for word in SEARCH_MODELS)
