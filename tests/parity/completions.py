"""Completions as LiteLLM makes them, of models whose tokens cost whole nano-dollars, so that sums can be compared."""

from dataclasses import dataclass
from typing import Any

from tests.parity.theirs import litellm

#: Models, and whether their answers may have cached and reasoning tokens.
CHAT_MODELS = {
    "gpt-3.5-turbo": (False, False),
    "gpt-4o": (True, False),
    "gpt-4o-mini": (True, False),
    "gpt-4.1-nano": (True, False),
    "o3": (True, True),
    "gpt-5-mini": (True, True),
    "claude-sonnet-4-5": (True, False),
    "gemini/gemini-2.5-flash": (True, True),
}
#: Models whose texts both count in the same encoding.
TEXT_MODELS = ("gpt-3.5-turbo", "gpt-4o", "gpt-4o-mini", "gpt-4.1-nano", "gemini/gemini-2.5-flash")
#: LiteLLM knows neither its price nor its provider.
UNKNOWN_MODEL = "no-such-model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The usage that a completion reports."""

    prompt: int
    completion: int
    #: The part of `prompt` that was read from a cache. None: not reported.
    cached: int | None = None
    #: The part of `completion` that was spent on reasoning. None: not reported.
    reasoning: int | None = None


def completion(model: str, tokens: Tokens) -> Any:
    """A ModelResponse as `litellm.completion` returns it, with LiteLLM's own cost among its hidden parameters."""
    given = response(model, tokens)
    return litellm.completion(model=model, messages=[{"role": "user", "content": "Hello"}], mock_response=given)


def response(model: str, tokens: Tokens) -> Any:
    """A ModelResponse that was made by hand, without a cost."""
    details: dict[str, Any] = {}
    if tokens.cached is not None:
        details["prompt_tokens_details"] = {"cached_tokens": tokens.cached}
    if tokens.reasoning is not None:
        details["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    usage = litellm.Usage(
        prompt_tokens=tokens.prompt,
        completion_tokens=tokens.completion,
        total_tokens=tokens.prompt + tokens.completion,
        **details,
    )
    return litellm.ModelResponse(model=model, usage=usage)
