"""Counts the known models that each pattern of new limits matches, so that typing errors are noticed."""

import asyncio
from collections.abc import Sequence

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.domain.commands import LimitDraft
from budgetd_server.domain.pricing import Prices

#: Examples are given only up to this many patterns, to keep the answer short.
PATTERNS_WITH_EXAMPLES_MAX = 256


async def pattern_matches(prices: Prices, drafts: Sequence[LimitDraft]) -> list[pb.PatternMatches]:
    """Return every pattern of the limits, in order, with what it matches."""
    patterns = [(draft.limit.limit_id, pattern) for draft in drafts for pattern in draft.limit.models]
    if not patterns:
        return []
    # In a thread: the first lookup builds an index, and a request may have 2,048 patterns.
    return await asyncio.to_thread(_matched, prices, patterns)


def _matched(prices: Prices, patterns: Sequence[tuple[str, str]]) -> list[pb.PatternMatches]:
    messages = []
    for limit_id, pattern in patterns:
        found = prices.matching(pattern)
        message = pb.PatternMatches(limit_id=limit_id, pattern=pattern, matched_count=found.matched_count)
        if len(patterns) <= PATTERNS_WITH_EXAMPLES_MAX:
            message.example_models.extend(found.examples)
        messages.append(message)
    return messages
