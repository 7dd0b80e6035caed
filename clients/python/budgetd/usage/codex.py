"""Codex's usage of a turn: the input includes cached tokens, the output includes reasoning, as in Codex's own sums."""

from budgetd.usage import openai_responses
from budgetd.usage.dialect import COST_PARTS, Dialect, Look


def _is_it(look: Look) -> bool:
    keys = {"cached_input_tokens", "reasoning_output_tokens"}
    return openai_responses.is_counted_so(look) and not keys.isdisjoint(look.usage)


DIALECT = Dialect(
    name="codex",
    is_it=_is_it,
    parts={
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "total_tokens": "_total",
        "cached_input_tokens": "cached_input_tokens",
        "reasoning_output_tokens": "reasoning_tokens",
    },
    harmless=COST_PARTS,
    settle=openai_responses.settle,
)
