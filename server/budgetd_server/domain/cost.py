"""Compute what a call costs by a model's price: integer arithmetic, and one rounding per call.

A price is a whole number of nano-USD per million tokens (1e-15 USD per token), as every published price is; for other
units, per million images, seconds, pages and so on. So a cost is a sum of products of integers, divided once: no float,
and no decimal context that could change it.

A plain call (text, in a usual tier, not in a batch) takes the fast path, `cost_nano_usd`. All others go through
`whole_cost_nano_usd`: each part of the usage has its own price, or is included in the price of another part, or is
refused with its name. Nothing is silently left out.
"""

from collections.abc import Iterator, Sequence
from enum import Enum
from fractions import Fraction

from budgetd_server.domain.errors import UnpricedUsage
from budgetd_server.domain.model_price import MTOK, ModelPrice, Rates, Schedule
from budgetd_server.domain.usage import CallTerms, Parts, Usage

#: Tiers and regions without a price of their own. "auto" in a request does not say which tier served the call.
USUAL_TIERS = frozenset({"", "auto", "default", "standard", "standard_only", "on_demand"})
USUAL_PLACES = frozenset({"", "global", "not_available"})
_MILLISECONDS = 1000


class Rounding(Enum):
    """How a cost becomes a whole number of nano-USD."""

    HALF_EVEN = "half_even"  # For real usage: equal to the bill on average.
    UP = "up"  # For holds and projections: never too little.


_UP = Rounding.UP  # Looking a member up through its class takes longer than the rounding.


def cost_nano_usd(price: ModelPrice, usage: Usage, rounding: Rounding = Rounding.HALF_EVEN) -> int:
    """Return the cost of a plain usage in nano-USD, exact until it is rounded once.

    Args:
        price: The price in force; its periods, service tiers and hours are not looked at.
        usage: A valid usage (see `usage_violations`); its parts are not looked at.
        rounding: Half-even for what has happened, up for what may happen.

    Raises:
        UnpricedUsage: The model has no price for some of the tokens.
    """
    input_tokens, output_tokens, cached, written, reasoning, _ = usage
    if price.has_gaps and (unpriced := price.unpriced_field(usage)):
        raise UnpricedUsage(price.model, unpriced)
    billing = price.base_billing
    for above_input_tokens, tier in price.tiers_falling:
        if input_tokens > above_input_tokens:
            billing = tier
            break
    per_million = input_tokens * billing[0] + output_tokens * billing[1]
    if cached or written or reasoning:
        per_million += cached * billing[2] + written * billing[3] + reasoning * billing[4]
    if rounding is _UP:
        return -(-per_million // MTOK)
    cost, rest = divmod(per_million, MTOK)
    return cost + (rest > MTOK // 2 or (rest == MTOK // 2 and cost & 1))


def whole_cost_nano_usd(
    price: ModelPrice, usage: Usage, terms: CallTerms, *, at_us: int, rounding: Rounding = Rounding.HALF_EVEN
) -> int:
    """Return the cost of any usage in nano-USD, with its parts and terms, exact until it is rounded once.

    Args:
        price: The price in force; its periods are not looked at.
        usage: A valid usage (see `usage_violations`).
        terms: How the call was served.
        at_us: When it was made, for prices of certain hours.
        rounding: Half-even for what has happened, up for what may happen.

    Raises:
        UnpricedUsage: A part of the usage or of the terms has no price; the error names it.
    """
    return _rounded(*_exact_cost(price, usage, terms, at_us), rounding)


def requests_cost_nano_usd(
    price: ModelPrice,
    requests: Sequence[Usage],
    terms: CallTerms,
    *,
    at_us: int,
    rounding: Rounding = Rounding.HALF_EVEN,
) -> int:
    """Return the cost of several requests in nano-USD, each priced by itself, exact until the sum is rounded once.

    Args:
        price: The price in force; its periods are not looked at.
        requests: Valid usages (see `usage_violations`). Empty: the cost is zero.
        terms: How all of them were served.
        at_us: When they were made, for prices of certain hours.
        rounding: Half-even for what has happened, up for what may happen.

    Raises:
        UnpricedUsage: A part of a request or of the terms has no price; the error names it.
    """
    exact = sum((Fraction(*_exact_cost(price, request, terms, at_us)) for request in requests), Fraction())
    return _rounded(exact.numerator, exact.denominator, rounding)


def _exact_cost(price: ModelPrice, usage: Usage, terms: CallTerms, at_us: int) -> tuple[int, int]:
    """Return the cost of any usage as a numerator in nano-USD and its denominator."""
    if price.is_free:
        return 0, 1
    schedule, numerator, denominator = _served(price, terms)
    rates = schedule.at(usage.input_tokens)
    if price.off_peak is not None and price.off_peak.is_at(at_us):
        rates = rates._replace(**price.off_peak.rates)
    counts, unpaid = _counts(price, rates, usage)
    per_thousand_million = counts * numerator
    # A model that is sold only by the piece needs no price for the tokens that its answer reports.
    if rates.prices_tokens or not counts:
        tokens = sum(_tokens(price, rates, unpaid))
        per_thousand_million += tokens * _MILLISECONDS * numerator
    denominator *= schedule.divisor
    # A search costs the same in a batch and in every region.
    per_thousand_million += _searches(price, usage.parts) * _MILLISECONDS * denominator
    return per_thousand_million, MTOK * _MILLISECONDS * denominator


def _rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    if rounding is _UP:
        return -(-numerator // denominator)
    cost, rest = divmod(numerator, denominator)
    return cost + (2 * rest > denominator or (2 * rest == denominator and cost & 1))


def _served(price: ModelPrice, terms: CallTerms) -> tuple[Schedule, int, int]:
    """Return the schedule of a call, and the numerator and denominator by which to multiply its cost."""
    tier, place = terms.service_tier.lower(), terms.inference_geo.lower()
    schedule: Schedule | None = Schedule(price.rates, price.tiers)
    if price.source == "fallback":  # The operator's one price for all unknown models, whatever the terms.
        return Schedule(price.rates), 1, 1
    numerator = denominator = 1
    if tier == "fast" and "fast" in price.multipliers:
        numerator, denominator = price.multipliers["fast"]
    elif tier not in USUAL_TIERS:
        # Price tables have one price for both names.
        schedule = None if terms.is_batch else price.service_tiers.get("priority" if tier == "fast" else tier)
        if schedule is None:
            raise UnpricedUsage(price.model, "service_tier", value=terms.service_tier)
    if terms.is_batch:
        schedule = price.batch
        if schedule is None:
            raise UnpricedUsage(price.model, "is_batch")
    if place not in USUAL_PLACES:
        factor = price.multipliers.get(place) or price.multipliers.get("*")
        if factor is None or place == "fast":
            raise UnpricedUsage(price.model, "inference_geo", value=terms.inference_geo)
        numerator, denominator = numerator * factor[0], denominator * factor[1]
    assert schedule is not None
    return schedule, numerator, denominator


def _counts(price: ModelPrice, rates: Rates, usage: Usage) -> tuple[int, Usage]:
    """Return the cost of all counts other than tokens, and the usage without the tokens that they pay for.

    The cost is in nano-USD per thousand million.
    """
    parts = usage.parts
    if not any(parts[_FIRST_COUNT:]):
        return 0, usage
    cost, paid = 0, Parts()
    for name, rate, milli, tokens, own in _COUNTS:
        count = getattr(parts, name)
        if not count:
            continue
        per_million = getattr(rates, rate)
        has_tokens = bool(tokens and getattr(parts, tokens))
        is_covered = has_tokens or (
            name in price.covered_counts and (usage.output_tokens if name in _OF_OUTPUT else usage.input_tokens)
        )
        # With both prices, the provider counts the tokens. With one, that one applies, whatever else is reported.
        if own and is_covered and getattr(rates, own) is not None and rates.prices_tokens:
            continue
        if per_million is not None:
            cost += count * per_million * (1 if milli else _MILLISECONDS)
            if has_tokens:
                paid = paid._replace(**{tokens: getattr(parts, tokens)})
        elif not (is_covered and rates.prices_tokens):
            raise UnpricedUsage(price.model, name)
    return cost, _without(usage, paid, by_character=bool(parts.characters and rates.character is not None))


#: For each count of a usage: the field of `Rates`, whether the count is in thousandths of the priced unit, the field of
#: the tokens for the same content, and the rate of those tokens.
_COUNTS: tuple[tuple[str, str, bool, str, str], ...] = (
    ("input_images", "input_image", False, "image_input_tokens", "image_input"),
    ("output_images", "output_image", False, "image_output_tokens", "image_output"),
    ("audio_input_milliseconds", "audio_input_second", True, "audio_input_tokens", "audio_input"),
    ("audio_output_milliseconds", "audio_output_second", True, "audio_output_tokens", "audio_output"),
    ("video_milliseconds", "video_second", True, "", ""),
    ("characters", "character", False, "", ""),
    ("queries", "query", False, "", ""),
    ("pages", "page", False, "", ""),
)
_OF_OUTPUT = frozenset({"output_images", "audio_output_milliseconds", "video_milliseconds"})
_FIRST_COUNT = Parts._fields.index("input_images")


def _without(usage: Usage, paid: Parts, *, by_character: bool) -> Usage:
    """Return a usage without the tokens that a count has paid for."""
    input_paid = paid.audio_input_tokens + paid.image_input_tokens
    output_paid = paid.audio_output_tokens + paid.image_output_tokens
    if by_character:
        input_paid = usage.input_tokens
    if not (input_paid or output_paid):
        return usage
    left = usage.input_tokens - input_paid
    written = min(usage.cache_write_tokens, left)
    cached = min(usage.cached_input_tokens, left - written)
    parts = usage.parts._replace(**{name: 0 for name, count in paid._asdict().items() if count})
    cached_audio = min(parts.cached_audio_input_tokens, parts.audio_input_tokens, cached)
    return usage._replace(
        input_tokens=left,
        output_tokens=usage.output_tokens - output_paid,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=min(usage.reasoning_tokens, usage.output_tokens - output_paid),
        parts=parts._replace(
            cached_audio_input_tokens=cached_audio,
            explicit_cached_input_tokens=min(parts.explicit_cached_input_tokens, cached),
            cached_image_input_tokens=min(
                parts.cached_image_input_tokens, parts.image_input_tokens, cached - cached_audio
            ),
            cache_write_1h_tokens=min(parts.cache_write_1h_tokens, written),
        ),
    )


def _tokens(price: ModelPrice, rates: Rates, usage: Usage) -> Iterator[int]:
    """Yield the cost of each part of the tokens, in nano-USD per million."""
    for count, rate, name in (*_input_lines(price, rates, usage), *_output_lines(rates, usage)):
        yield _line(price, count, rate, name)


#: A part of the tokens: the count, its price, and the field to name in a refusal if there is no price.
_Line = tuple[int, int | None, str]


def _input_lines(price: ModelPrice, rates: Rates, usage: Usage) -> tuple[_Line, ...]:
    parts = usage.parts
    # Cached and written tokens have their own prices. Without a price for writing, written tokens cost as uncached.
    has_writes = rates.cache_write is not None or rates.cache_write_1h is not None
    written = usage.cache_write_tokens if has_writes else 0
    written_1h = min(parts.cache_write_1h_tokens, written)
    uncached = usage.input_tokens - usage.cached_input_tokens - written
    audio, image, cached_audio, cached_image = _audio_and_images(usage, uncached)
    citation = min(parts.citation_tokens, uncached - audio - image)
    cached_text = usage.cached_input_tokens - cached_audio - cached_image
    explicit = min(parts.explicit_cached_input_tokens, cached_text)
    whole, write = rates.input, _first(rates.cache_write, rates.input)
    cached = _first(rates.cached_input, whole)
    audio_rate, image_rate = _first(rates.audio_input, whole), _first(rates.image_input, whole)
    cached_audio_rate = _first(rates.cached_audio_input, rates.cached_input, audio_rate)
    cached_image_rate = _first(rates.cached_image_input, rates.cached_input, image_rate)
    # Perplexity charges for the cited sources of only one model, whose price has a rate for citations.
    cited = _first(rates.citation, 0 if price.provider == "perplexity" else whole)
    return (
        (uncached - audio - image - citation, whole, "input_tokens"),
        (cached_text - explicit, cached, "cached_input_tokens"),
        (explicit, _first(rates.explicit_cached_input, cached), "explicit_cached_input_tokens"),
        (cached_audio, cached_audio_rate, "cached_audio_input_tokens"),
        (cached_image, cached_image_rate, "cached_image_input_tokens"),
        (written - written_1h, write, "cache_write_tokens"),
        (written_1h, _first(rates.cache_write_1h, write), "cache_write_1h_tokens"),
        (audio, audio_rate, "audio_input_tokens"),
        (image, image_rate, "image_input_tokens"),
        (citation, cited, "citation_tokens"),
    )


def _audio_and_images(usage: Usage, uncached: int) -> tuple[int, int, int, int]:
    """Return the uncached tokens of audio and of images, then the cached ones of each.

    A usage need not say how much of either was cached. As many as fit into the uncached rest of the input count as not
    cached; the others must have been. (Tokens written to the cache are paid as such, whatever they contain.)
    """
    parts = usage.parts
    audio, image = parts.audio_input_tokens, parts.image_input_tokens
    cached_audio, cached_image = parts.cached_audio_input_tokens, parts.cached_image_input_tokens
    uncached_audio = min(audio - cached_audio, uncached)
    uncached_image = min(image - cached_image, uncached - uncached_audio)
    cached_audio = min(audio - uncached_audio, usage.cached_input_tokens - cached_image)
    cached_image = min(image - uncached_image, usage.cached_input_tokens - cached_audio)
    return uncached_audio, uncached_image, cached_audio, cached_image


def _output_lines(rates: Rates, usage: Usage) -> tuple[_Line, ...]:
    made, audio, image = rates.output, usage.parts.audio_output_tokens, usage.parts.image_output_tokens
    reasoning = min(usage.reasoning_tokens, usage.output_tokens - audio - image)
    return (
        (usage.output_tokens - audio - image - reasoning, made, "output_tokens"),
        (reasoning, _first(rates.reasoning, made), "reasoning_tokens"),
        (audio, _first(rates.audio_output, made), "audio_output_tokens"),
        (image, _first(rates.image_output, made), "image_output_tokens"),
    )


def _searches(price: ModelPrice, parts: Parts) -> int:
    searches = min(parts.web_searches, 1) if price.searches_are_one else parts.web_searches
    return _line(price, searches, price.rates.web_search, "web_searches")


def _line(price: ModelPrice, count: int, rate: int | None, name: str) -> int:
    if not count:
        return 0
    if rate is None:
        raise UnpricedUsage(price.model, name)
    return count * rate


def _first(*rates: int | None) -> int | None:
    return next((rate for rate in rates if rate is not None), None)
