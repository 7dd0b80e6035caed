"""What one model call used, in tokens, and the rules that such counts obey."""

from collections.abc import Iterator
from typing import NamedTuple

from budgetd_server.domain.errors import FieldViolation

#: The largest count of tokens in one field of one call, so that no cost can pass a 64-bit integer unseen.
COUNT_MAX = 10**12


class Parts(NamedTuple):
    """What a call used that may have a price of its own. Every count is zero or more; zero means none.

    Parts that are tokens are INCLUDED in `Usage.input_tokens` or `Usage.output_tokens`, as their names say.
    """

    audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    #: Part of both `audio_input_tokens` and `Usage.cached_input_tokens`.
    cached_audio_input_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    #: Part of `Usage.cache_write_tokens`: written to be kept for an hour. The rest is kept for five minutes.
    cache_write_1h_tokens: int = 0
    #: Input tokens of sources that the provider cites.
    citation_tokens: int = 0
    #: From here on no tokens.
    web_searches: int = 0
    input_images: int = 0
    output_images: int = 0
    audio_input_milliseconds: int = 0
    audio_output_milliseconds: int = 0
    video_milliseconds: int = 0
    characters: int = 0
    queries: int = 0
    pages: int = 0


NO_PARTS = Parts()


class CallTerms(NamedTuple):
    """How a call was served, as far as that changes its price. Empty or False: not told, so as usual."""

    #: Who serves the model, by LiteLLM's name, such as "groq".
    provider: str = ""
    #: The tier that served it, such as "flex" or "priority".
    service_tier: str = ""
    #: True: it was part of a batch.
    is_batch: bool = False
    #: Where it ran, such as "us".
    inference_geo: str = ""


STANDARD_TERMS = CallTerms()


class Usage(NamedTuple):
    """The tokens of one call, and what else it used. Every count is zero or more; zero means none.

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
    #: What has a price of its own for few models.
    parts: Parts = NO_PARTS

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
    input_tokens, output_tokens, cached, written, reasoning, parts = usage
    # One chain of comparisons answers nearly every call: this is on the way of each charge. Given the parts
    # are not negative and the sums hold, the parts need no upper bound of their own.
    if (
        parts is NO_PARTS
        and 0 <= reasoning <= output_tokens <= COUNT_MAX
        and cached >= 0 <= written
        and cached + written <= input_tokens <= COUNT_MAX
    ):
        return []
    return _violations(usage, field)


def _violations(usage: Usage, field: str) -> list[FieldViolation]:
    violations = [
        FieldViolation(f"{field}.{name}", f"must be from 0 to 10^12, got {count}")
        for name, count in (*zip(usage._fields[:-1], usage[:-1], strict=True), *usage.parts._asdict().items())
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
    violations += [
        FieldViolation(f"{field}.{name}", f"must not exceed {whole} {most}, which includes it, got {count}")
        for name, count, whole, most in _parts_and_wholes(usage)
        if count > most
    ]
    return violations


def _parts_and_wholes(usage: Usage) -> Iterator[tuple[str, int, str, int]]:
    """Each count that is part of another one: its name and value, the other one's name and value."""
    parts = usage.parts
    for name in ("audio_input_tokens", "image_input_tokens", "citation_tokens"):
        yield name, getattr(parts, name), "input_tokens", usage.input_tokens
    for name in ("audio_output_tokens", "image_output_tokens"):
        yield name, getattr(parts, name), "output_tokens", usage.output_tokens
    name, cached_audio = "cached_audio_input_tokens", parts.cached_audio_input_tokens
    yield name, cached_audio, "audio_input_tokens", parts.audio_input_tokens
    yield name, cached_audio, "cached_input_tokens", usage.cached_input_tokens
    yield "cache_write_1h_tokens", parts.cache_write_1h_tokens, "cache_write_tokens", usage.cache_write_tokens
    modal = parts.audio_input_tokens + parts.image_input_tokens + parts.citation_tokens
    yield "audio_input_tokens + image_input_tokens + citation_tokens", modal, "input_tokens", usage.input_tokens
    made = parts.audio_output_tokens + parts.image_output_tokens
    yield "audio_output_tokens + image_output_tokens", made, "output_tokens", usage.output_tokens
