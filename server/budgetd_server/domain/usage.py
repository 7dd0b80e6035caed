"""What one model call used, in tokens, and the rules that such counts obey."""

from typing import NamedTuple

from budgetd_server.domain.errors import FieldViolation

#: The largest count of tokens in one field of one call, so that no cost can pass a 64-bit integer unseen.
COUNT_MAX = 10**12


class Usage(NamedTuple):
    """The tokens of one call. Every count is zero or more; zero means none.

    `input_tokens` INCLUDES the cached and the cache-write tokens, and `output_tokens` INCLUDES the reasoning
    tokens. Callers whose provider counts them apart add them up first.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    #: Input tokens that the provider read from its cache.
    cached_input_tokens: int = 0
    #: Input tokens that the provider wrote to its cache.
    cache_write_tokens: int = 0
    #: Output tokens that the model spent on thinking.
    reasoning_tokens: int = 0

    @property
    def tokens(self) -> int:
        """What a limit in tokens counts: input and output together."""
        return self.input_tokens + self.output_tokens


NO_USAGE = Usage()


def usage_violations(usage: Usage, field: str) -> list[FieldViolation]:
    """Every rule that a usage breaks; an empty list for a valid one.

    Args:
        usage: The counts as sent, in tokens.
        field: The path of the usage in its request, such as "usage"; it begins each violation's path.
    """
    input_tokens, output_tokens, cached, written, reasoning = usage
    # One chain of comparisons answers nearly every call: this is on the way of each charge. Given the parts
    # are not negative and the sums hold, the parts need no upper bound of their own.
    if (
        0 <= reasoning <= output_tokens <= COUNT_MAX
        and cached >= 0 <= written
        and cached + written <= input_tokens <= COUNT_MAX
    ):
        return []
    return _violations(usage, field)


def _violations(usage: Usage, field: str) -> list[FieldViolation]:
    violations = [
        FieldViolation(f"{field}.{name}", f"must be from 0 to 10^12 tokens, got {count}")
        for name, count in zip(usage._fields, usage, strict=True)
        if not 0 <= count <= COUNT_MAX
    ]
    if violations:  # How counts relate says nothing while one of them is no count.
        return violations
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens
    if cached + written > usage.input_tokens:
        # The field named is the one that is too big by itself, else the first of the two.
        name = "cache_write_tokens" if written > usage.input_tokens >= cached else "cached_input_tokens"
        violations.append(
            FieldViolation(
                f"{field}.{name}",
                f"cached_input_tokens {cached} and cache_write_tokens {written} together must not exceed "
                f"input_tokens {usage.input_tokens}, which includes both",
            )
        )
    if usage.reasoning_tokens > usage.output_tokens:
        violations.append(
            FieldViolation(
                f"{field}.reasoning_tokens",
                f"must not exceed output_tokens {usage.output_tokens}, which includes it, got {usage.reasoning_tokens}",
            )
        )
    return violations
