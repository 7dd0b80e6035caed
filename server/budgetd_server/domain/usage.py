"""What one model call used, in tokens, and the rules that such counts obey."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

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
    #: Part of both `image_input_tokens` and `Usage.cached_input_tokens`.
    cached_image_input_tokens: int = 0
    #: Part of `Usage.cached_input_tokens`, read from a cache that the caller had asked for.
    explicit_cached_input_tokens: int = 0
    image_input_tokens: int = 0
    image_output_tokens: int = 0
    #: Part of `Usage.cache_write_tokens`: written to be kept for an hour. The rest is kept for five minutes.
    cache_write_1h_tokens: int = 0
    #: Input tokens of sources that the provider cites.
    citation_tokens: int = 0
    #: From here on not tokens.
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
    """How a call was served, as far as that changes its price. Empty or False: not given, so as usual."""

    #: The provider of the model, by its name in price tables, such as "groq".
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


class BadCount(NamedTuple):
    """A count that breaks a rule."""

    #: The name of the field of `Usage` or `Parts`.
    name: str
    #: A sentence with the value and the rule.
    description: str
    #: Which of the requests that a usage sums up has it; None: the usage itself.
    position: int | None = None


def usage_violations(usage: Usage) -> list[BadCount]:
    """Return every rule that a usage breaks. Empty for a valid usage."""
    input_tokens, output_tokens, cached, written, reasoning, parts = usage
    # A fast path for nearly every call, since every charge is checked here. If the smaller counts are not
    # negative and do not exceed the larger ones, they need no upper bound of their own.
    if (
        parts is NO_PARTS
        and 0 <= reasoning <= output_tokens <= COUNT_MAX
        and cached >= 0 <= written
        and cached + written <= input_tokens <= COUNT_MAX
    ):
        return []
    return _violations(usage)


def total_of(usages: Sequence[Usage]) -> Usage:
    """Return the sum of each count. All are zero if there are no usages."""
    if not usages:
        return NO_USAGE
    parts = Parts(*map(sum, zip(*(usage.parts for usage in usages), strict=True)))
    counts = map(sum, zip(*(usage[:-1] for usage in usages), strict=True))
    return Usage._make((*counts, parts if any(parts) else NO_PARTS))


def requests_violations(usage: Usage, requests: Sequence[Usage], called: str) -> list[BadCount]:
    """Return every rule that the requests of a usage break. Empty for valid requests.

    Args:
        usage: A valid usage.
        requests: The requests that it sums up; at least one.
        called: What the sender calls these requests, for the sentences.
    """
    violations = [
        violation._replace(position=index)
        for index, request in enumerate(requests)
        for violation in usage_violations(request)
    ]
    if violations:  # A sum says nothing while one of its counts is no count.
        return violations
    counts, sums = _counts(usage), _counts(total_of(requests))
    return [
        BadCount(name, f"must be {sums[name]}, the sum of {called}, got {count}")
        for name, count in counts.items()
        if count != sums[name]
    ]


def _counts(usage: Usage) -> dict[str, int]:
    return {**dict(zip(usage._fields[:-1], usage[:-1], strict=True)), **usage.parts._asdict()}


def _violations(usage: Usage) -> list[BadCount]:
    violations = [
        BadCount(name, f"must be from 0 to 10^12, got {count}")
        for name, count in _counts(usage).items()
        if not 0 <= count <= COUNT_MAX
    ]
    if violations:  # How counts relate says nothing while one of them is no count.
        return violations
    for names, whole in _PARTS_OF_WHOLES:
        violations += _too_large(usage, names, whole)
    return violations


#: Counts that are parts of another one and do not overlap, and that other one.
_PARTS_OF_WHOLES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("cached_input_tokens", "cache_write_tokens"), "input_tokens"),
    (("reasoning_tokens",), "output_tokens"),
    (("audio_input_tokens", "image_input_tokens", "citation_tokens"), "input_tokens"),
    (("audio_output_tokens", "image_output_tokens"), "output_tokens"),
    (("cached_audio_input_tokens",), "audio_input_tokens"),
    (("cached_image_input_tokens",), "image_input_tokens"),
    (("cached_audio_input_tokens", "cached_image_input_tokens"), "cached_input_tokens"),
    (("explicit_cached_input_tokens",), "cached_input_tokens"),
    (("cache_write_1h_tokens",), "cache_write_tokens"),
)


def _too_large(usage: Usage, names: tuple[str, ...], whole: str) -> Iterator[BadCount]:
    """Yield each part that exceeds its whole; if only their sum does, the largest part."""
    most = _count(usage, whole)
    counts = {name: count for name in names if (count := _count(usage, name))}
    if sum(counts.values()) <= most:
        return
    alone = [name for name, count in counts.items() if count > most]
    for name in alone:
        rule = f"must not exceed {whole} {most}, which includes it, got {counts[name]}"
        yield BadCount(name, rule)
    if not alone:
        *others, last = (f"{name} {count}" for name, count in counts.items())
        rule = f"{', '.join(others)} and {last} together must not exceed {whole} {most}, which includes them"
        yield BadCount(max(counts, key=counts.__getitem__), rule)


def _count(usage: Usage, name: str) -> int:
    count: int = getattr(usage if name in Usage._fields else usage.parts, name)
    return count
