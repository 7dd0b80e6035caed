"""Perplexity's chat completions: cited sources, searches and, in deep research, reasoning outside the completion.

If no cost is given, the charge is what LiteLLM calculates; what Perplexity bills in addition is reported as unread.
"""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look, Reading
from budgetd.usage.totals import refuse_excess

#: The models with a fee per request that depends on the context size, and the model with a fee per search.
_WITH_FEE = frozenset({"sonar", "sonar-pro", "sonar-reasoning", "sonar-reasoning-pro"})
_DEEP_RESEARCH = "sonar-deep-research"


def _is_it(look: Look) -> bool:
    keys = {"citation_tokens", "num_search_queries", "search_context_size"}
    return openai_chat.is_chat(look) and (look.is_of("perplexity", "sonar") or not keys.isdisjoint(look.usage))


def _settle(reading: Reading) -> None:
    _report_fees(reading)
    prompt, completion = reading.of("input_tokens"), reading.of("output_tokens")
    citations, reasoning = reading.of("citation_tokens"), reading.of("reasoning_tokens")
    total = reading.of("_total")
    excess = total - prompt - completion
    if "_total" in reading.counts and excess not in {0, citations, reasoning, citations + reasoning}:
        if excess < 0:
            raise reading.refuse("_total", f"must be at least {prompt + completion}, the sum of input and output")
        refuse_excess(reading, excess)
    reading.counts.pop("_total", None)
    reading.add("input_tokens", citations)
    # Deep research counts its reasoning outside the completion; the total may include it.
    is_apart = excess > 0 and excess in {reasoning, citations + reasoning}
    reading.counts["output_tokens"] = completion + reasoning if is_apart else max(completion, reasoning)
    if (
        completion
        and not is_apart
        and (reasoning > completion or (reasoning and _is_own(reading.look, _DEEP_RESEARCH)))
    ):
        # Perplexity bills completion and reasoning. LiteLLM bills only the completion above the reasoning.
        reading.leave_unpriced("completion_tokens")
    openai_chat.settle(reading)


def _report_fees(reading: Reading) -> None:
    """Report as unread the fees for searches that are not charged, even if the answer lacks what they depend on."""
    size = "search_context_size"
    if reading.of("web_searches"):
        if reading.leaves.get(size) == "low":
            # Searches are charged at the fee of a small context.
            reading.unread = [path for path in reading.unread if path != size]
    elif reading.leaves.keys().isdisjoint({size, *openai_chat.SEARCHES}):
        if _is_own(reading.look, _DEEP_RESEARCH):
            reading.leave_unpriced("num_search_queries")
        elif _is_own(reading.look, *_WITH_FEE):
            reading.leave_unpriced(size)


def _is_own(look: Look, *names: str) -> bool:
    """Return True for these models if Perplexity serves them: other providers have their own prices."""
    provider, _, name = look.model.rpartition("/")
    return name in names and provider in {"", "perplexity"} and look.provider in {"", "perplexity"}


DIALECT = replace(openai_chat.DIALECT, name="perplexity", is_it=_is_it, settle=_settle)
