"""Perplexity's chat completions: cited sources, searches and, in deep research, reasoning apart from completion."""

from dataclasses import replace

from budgetd.usage import openai_chat
from budgetd.usage.dialect import Look, Reading
from budgetd.usage.totals import refuse_excess


def _is_it(look: Look) -> bool:
    keys = {"citation_tokens", "num_search_queries", "search_context_size"}
    return openai_chat.is_chat(look) and (look.is_of("perplexity", "sonar") or not keys.isdisjoint(look.usage))


def _settle(reading: Reading) -> None:
    if reading.of("web_searches") and reading.leaves.get("search_context_size") == "low":
        # Searches are charged the fee of a small context.
        reading.unread = [path for path in reading.unread if path != "search_context_size"]
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
    # Deep research reasons more than it writes, and counts that apart; the total may show it, too.
    is_apart = excess and excess in {reasoning, citations + reasoning}
    reading.counts["output_tokens"] = completion + reasoning if is_apart else max(completion, reasoning)
    openai_chat.settle(reading)


DIALECT = replace(openai_chat.DIALECT, name="perplexity", is_it=_is_it, settle=_settle)
