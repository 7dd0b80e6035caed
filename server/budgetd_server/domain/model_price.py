"""The prices of a model: its rates, and what changes them (length, tier, region and hour of a call)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from budgetd_server.domain.usage import Usage

#: Rates are per this many tokens, images, seconds and so on.
MTOK = 1_000_000


class Rates(NamedTuple):
    """Prices in nano-USD per million of the priced unit. None: no price of its own.

    A part of the tokens without its own price has the price of the whole that it belongs to: input or output. Units
    other than tokens cannot be charged without their own price.
    """

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    #: None: as `input`.
    cache_write: int | None = None
    reasoning: int | None = None
    #: For tokens that are kept for an hour. None: as `cache_write`.
    cache_write_1h: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    #: None: as `cached_input`; if that is None too, as `audio_input`.
    cached_audio_input: int | None = None
    #: None: as `cached_input`; if that is None too, as `image_input`.
    cached_image_input: int | None = None
    #: None: as `cached_input`.
    explicit_cached_input: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    citation: int | None = None
    #: From here on not tokens, but searches, images, seconds, characters, queries and pages.
    web_search: int | None = None
    input_image: int | None = None
    output_image: int | None = None
    audio_input_second: int | None = None
    audio_output_second: int | None = None
    video_second: int | None = None
    character: int | None = None
    query: int | None = None
    page: int | None = None

    @property
    def prices_tokens(self) -> bool:
        """False if no kind of token has a price."""
        return any(rate is not None for rate in self[:TOKEN_RATES])


#: How many fields of `Rates` are prices of tokens; they come first.
TOKEN_RATES = 14
NO_RATES = Rates()


class Tier(NamedTuple):
    """The rates for a whole request with more than `above_input_tokens` input tokens."""

    above_input_tokens: int
    rates: Rates


class Schedule(NamedTuple):
    """The rates of a call, by the length of its input."""

    rates: Rates
    #: In ascending order of `above_input_tokens`. The last one that the input exceeds applies to the whole request.
    tiers: tuple[Tier, ...] = ()
    #: Every cost of this schedule is divided by it. So half of an odd rate, which is not a whole number, is exact.
    divisor: int = 1

    def at(self, input_tokens: int) -> Rates:
        """Return the rates of a request with this many input tokens."""
        for above_input_tokens, rates in reversed(self.tiers):
            if input_tokens > above_input_tokens:
                return rates
        return self.rates


class OffPeak(NamedTuple):
    """Rates that replace the usual ones at certain hours."""

    #: By the field of `Rates`.
    rates: Mapping[str, int]
    #: (weekdays or None for every day, from, to), in minutes of the day in UTC. A window that ends before it begins
    #: continues after midnight; one that ends where it begins is the whole day. Monday is 1.
    windows: tuple[tuple[frozenset[int] | None, int, int], ...]
    #: The time zone of the weekdays.
    zone: str = "UTC"

    def is_at(self, at_us: int) -> bool:
        """Return True if a call made at that moment has these rates."""
        at = datetime.fromtimestamp(at_us // 10**6, UTC)
        minute, weekday = at.hour * 60 + at.minute, at.astimezone(ZoneInfo(self.zone)).isoweekday()
        return any(
            (days is None or weekday in days)
            and (begin <= minute < end if begin < end else minute >= begin or minute < end)
            for days, begin, end in self.windows
        )


class Billing(NamedTuple):
    """Precomputed rates for a plain call: each part adds the difference between its rate and that of the whole."""

    input: int
    output: int
    cached_extra: int
    cache_write_extra: int
    reasoning_extra: int


def _billing(rates: Rates) -> Billing:
    input_rate, output_rate = rates.input or 0, rates.output or 0
    return Billing(
        input_rate,
        output_rate,
        0 if rates.cached_input is None else rates.cached_input - input_rate,
        0 if rates.cache_write is None else rates.cache_write - input_rate,
        0 if rates.reasoning is None else rates.reasoning - output_rate,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """The prices of one model, and their source."""

    model: str
    provider: str = ""  # Empty: not given.
    #: For a call without a service tier; `tiers` are those for longer inputs.
    rates: Rates = NO_RATES
    tiers: tuple[Tier, ...] = ()
    #: By the name of the service tier, in lower case: "flex", "priority" and so on.
    service_tiers: Mapping[str, Schedule] = field(default_factory=dict)
    #: For a call in a batch. None: no price.
    batch: Schedule | None = None
    #: (numerator, denominator) by "fast" or by region, in lower case; "*" is any region that is given.
    multipliers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    off_peak: OffPeak | None = None
    #: True: all searches of a call together cost as much as one.
    searches_are_one: bool = False
    #: Counts that the tokens of a usage, if it has any, already pay for, such as "queries" of a ranking model.
    covered_counts: frozenset[str] = frozenset()
    #: Counts without a price, because the price depends on a size, which a usage does not contain.
    varying_counts: frozenset[str] = frozenset()
    #: "catalogue" as shipped, "override" from the operator's file, "fallback" for a model that is in neither.
    source: str = "catalogue"
    #: True: the operator has declared that this model is free. Otherwise a zero is not a price.
    is_free: bool = False
    aliases: tuple[str, ...] = ()
    #: (from_at_us, price) in ascending order: each price applies from that moment on, instead of this one.
    periods: tuple[tuple[int, "ModelPrice"], ...] = ()

    #: Computed from the other fields, for plain calls only.
    base_billing: Billing = field(init=False, repr=False, compare=False)
    tiers_falling: tuple[tuple[int, Billing], ...] = field(init=False, repr=False, compare=False)
    has_gaps: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        falling = tuple((tier.above_input_tokens, _billing(tier.rates)) for tier in reversed(self.tiers))
        object.__setattr__(self, "base_billing", _billing(self.rates))
        object.__setattr__(self, "tiers_falling", falling)
        object.__setattr__(self, "has_gaps", None in self.rates[:2])

    @property
    def is_priced(self) -> bool:
        """False if the model is known, but has no price at all."""
        return any(rate is not None for rate in self.rates)

    def at(self, at_us: int) -> "ModelPrice":
        """Return the price in force at a moment: that of the latest period that has begun, or else this one."""
        for from_at_us, price in reversed(self.periods):
            if at_us >= from_at_us:
                return price
        return self

    def unpriced_field(self, usage: Usage) -> str | None:
        """Return the first count of tokens, parts excluded, that this model has no price for. None if all have one."""
        if self.rates.input is None and usage.input_tokens:
            return "input_tokens"
        if self.rates.output is None and usage.output_tokens:
            return "output_tokens"
        return None
