"""Rules of totals: what a total must be, what it may exclude, and which counts are parts of others."""

from collections.abc import Iterator, Mapping

from budgetd.usage.dialect import Reading
from budgetd.usage.errors import UsageValueError


def check_total(reading: Reading, *, may_exclude: int = 0) -> int:
    """Compare the total with input and output.

    Args:
        reading: Input and output are as the answer has them.
        may_exclude: Tokens, such as cached ones, that this provider may leave out of its total.

    Returns:
        By how much the total exceeds both; zero if there is no total.

    Raises:
        UsageValueError: The total is less than its parts.
    """
    total, parts = reading.of("_total"), reading.of("input_tokens") + reading.of("output_tokens")
    if "_total" not in reading.counts or total == parts - may_exclude:
        return 0
    if total < parts:
        raise reading.refuse("_total", f"must be at least {parts}, the sum of input and output")
    return total - parts


def refuse_excess(reading: Reading, excess: int) -> None:
    """Refuse a total that the counts do not explain. If the cost is known, only report the total as unread."""
    if not excess:
        return
    if not reading.is_cost_known:
        parts = reading.of("input_tokens") + reading.of("output_tokens")
        raise reading.refuse("_total", f"must be {parts}, the sum of input and output: {excess} are not explained")
    reading.unread.append(reading.paths["_total"].removeprefix("usage."))


def add_reasoning_outside(reading: Reading, excess: int) -> int:
    """Add reasoning to the output if the total shows that the output excludes it. Returns the unexplained rest."""
    reasoning = reading.of("reasoning_tokens")
    if not excess or excess != reasoning:
        return excess
    reading.add("output_tokens", reasoning)
    return 0


def add_cache_outside(reading: Reading, excess: int, *, is_allowed: bool) -> int:
    """Add cached and written tokens to the input if it excludes them. Returns the unexplained rest.

    Args:
        reading: The counts so far.
        excess: By how much the total exceeds input and output.
        is_allowed: True if this provider may count its cache outside the input. Then a cache larger than the input
            shows that it does, even without a total.
    """
    cache = reading.of("cached_input_tokens") + reading.of("cache_write_tokens")
    if not cache:
        return excess
    if excess == cache:
        reading.add("input_tokens", cache)
        return 0
    if cache > reading.of("input_tokens") and is_allowed:
        reading.add("input_tokens", cache)
        return excess
    return excess


def settle_reads_and_writes(reading: Reading) -> None:
    """Use Bifrost's counts of cache reads and writes. `cached_tokens` repeats the reads, in older versions their sum.

    Raises:
        UsageValueError: They differ from the cached or written tokens under other names.
    """
    read, written = reading.of("_cached_read"), reading.of("_cached_write")
    if not read and not written:
        return
    cached = reading.of("cached_input_tokens")
    if cached in {0, read + written}:
        reading.counts["cached_input_tokens"] = read
        reading.paths.setdefault("cached_input_tokens", reading.paths.get("_cached_read", ""))
    elif read and cached != read:
        raise reading.refuse("_cached_read", f"must equal {_shown(reading, 'cached_input_tokens')}, the same count")
    if written and reading.of("cache_write_tokens") not in {0, written}:
        raise reading.refuse("_cached_write", f"must equal {_shown(reading, 'cache_write_tokens')}, the same count")
    if written:
        reading.counts["cache_write_tokens"] = written
        reading.paths.setdefault("cache_write_tokens", reading.paths["_cached_write"])


def settle_writes(reading: Reading) -> None:
    """Compare written tokens with their parts, for five minutes and for an hour. Without a whole, sum the parts.

    Without parts, or with parts of zero, all writes were for five minutes.

    Raises:
        UsageValueError: The parts do not add up to the whole.
    """
    given = [name for name in ("cache_write_1h_tokens", "_written_5m") if reading.of(name)]
    lives = {reading.paths[name]: reading.of(name) for name in given}
    # Under other names, the count for an hour is a part of the writes, and the rest was written for five minutes.
    if not reading.of("cache_write_tokens") or any("ephemeral_" in path for path in lives):
        settle_lives(reading, lives)


def settle_lives(reading: Reading, lives: Mapping[str, int]) -> None:
    """Compare written tokens with their parts by path, without parts of zero, or sum the parts."""
    whole = sum(lives.values())
    if whole and not reading.of("cache_write_tokens"):
        reading.counts["cache_write_tokens"], reading.paths["cache_write_tokens"] = whole, next(iter(lives))
    elif whole and whole != reading.of("cache_write_tokens"):
        raise refuse_lives(lives, _shown(reading, "cache_write_tokens"))


def refuse_lives(lives: Mapping[str, int], written: str) -> UsageValueError:
    """Return the error for cache writes by lifetime that do not add up to all written tokens.

    Args:
        lives: The counts by lifetime, by path; at least one.
        written: Path and count of all written tokens.
    """
    (path, count), *others = lives.items()
    also = "".join(f" with {other} {more}" for other, more in others)
    rule = f"must add up{also} to {written}, and not to {sum(lives.values())}: each lifetime has its own price"
    return UsageValueError(path, rule, count)


def settle_other_names(reading: Reading) -> None:
    """Use input and output under a second name if they are missing under the first; else both must be equal.

    Raises:
        UsageValueError: They are not equal.
    """
    uncached = reading.of("input_tokens") - reading.of("cached_input_tokens") - reading.of("cache_write_tokens")
    for other, name, same in (("_other_input", "input_tokens", uncached), ("_other_output", "output_tokens", 0)):
        count = reading.of(other)
        if count and not reading.of(name):
            reading.counts[name], reading.paths[name] = count, reading.paths[other]
        elif count and count not in {reading.of(name), same}:
            rule = f"must equal {_shown(reading, name)}: two forms of usage give different numbers"
            raise reading.refuse(other, rule)


def check_parts(reading: Reading) -> None:
    """Check that no part exceeds its whole.

    Raises:
        UsageValueError: A part exceeds its whole.
    """
    counts = reading.counts
    if are_parts_inside(counts):
        return
    for names, whole in _PARTS:
        given = [name for name in names if counts.get(name)]
        parts = sum(counts[name] for name in given)
        if parts > counts.get(whole, 0):
            if reading.missing and whole in _WHOLES:
                counts[whole] = parts  # The cost is known. The whole is not, but it is at least this.
                continue
            name = max(given, key=counts.__getitem__)
            others = "" if len(given) == 1 else f" together with {', '.join(_paths(reading, given, name))}"
            raise reading.refuse(name, f"must not exceed{others} {_shown(reading, whole)}, which includes it")


def are_parts_inside(counts: Mapping[str, int]) -> bool:
    """Return True if no part exceeds its whole."""
    if counts.keys() <= _WHOLES:
        return True
    count_of = counts.get
    for names, whole in _PARTS:
        parts = 0
        for name in names:
            parts += count_of(name, 0)
        if parts > count_of(whole, 0):
            return False
    return True


_WHOLES = frozenset({"input_tokens", "output_tokens", "_total"})
#: Parts that exclude each other, and the count that includes them.
_PARTS = (
    (("cached_input_tokens", "cache_write_tokens"), "input_tokens"),
    (("audio_input_tokens", "image_input_tokens", "citation_tokens"), "input_tokens"),
    (("_text_input", "audio_input_tokens", "image_input_tokens", "_video_input"), "input_tokens"),
    (("reasoning_tokens",), "output_tokens"),
    (("audio_output_tokens", "image_output_tokens"), "output_tokens"),
    (("_text_output", "audio_output_tokens", "image_output_tokens", "_video_output"), "output_tokens"),
    (("cached_audio_input_tokens",), "audio_input_tokens"),
    (("cached_image_input_tokens",), "image_input_tokens"),
    (("cached_audio_input_tokens", "cached_image_input_tokens"), "cached_input_tokens"),
    (("explicit_cached_input_tokens",), "cached_input_tokens"),
    (("cache_write_1h_tokens",), "cache_write_tokens"),
)


def _paths(reading: Reading, names: list[str], but: str) -> Iterator[str]:
    return (reading.paths.get(name, name) for name in names if name != but)


def _shown(reading: Reading, name: str) -> str:
    return f"{reading.paths.get(name, name)} {reading.of(name)}"
