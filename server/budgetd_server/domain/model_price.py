"""What a model costs: its rates, and what changes them (the length, the tier, the place and the hour of a call)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from budgetd_server.domain.usage import Usage

#: Rates are for so many tokens, images, seconds and so on.
MTOK = 1_000_000


class Rates(NamedTuple):
    """Prices in nano-USD per million of what they price. None: no price of its own.

    A part of the tokens that has no price of its own costs what the whole costs that it belongs to: input, or output.
    What is not tokens cannot be priced at all without a price of its own.
    """

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    #: None: as input.
    cache_write: int | None = None
    reasoning: int | None = None
    #: Written to be kept for an hour. None: as `cache_write`.
    cache_write_1h: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None
    #: None: as `cached_input`, and without that as `audio_input`.
    cached_audio_input: int | None = None
    #: None: as `cached_input`, and without that as `image_input`.
    cached_image_input: int | None = None
    #: None: as `cached_input`.
    explicit_cached_input: int | None = None
    image_input: int | None = None
    image_output: int | None = None
    citation: int | None = None
    #: From here on no tokens, but searches, images, seconds, characters, queries and pages.
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
        """False if no token of any kind has a price."""
        return any(rate is not None for rate in self[:TOKEN_RATES])


#: So many fields of `Rates` are prices of tokens; they come first.
TOKEN_RATES = 14
NO_RATES = Rates()


class Tier(NamedTuple):
    """The rates of a whole request whose input is longer than `above_input_tokens`."""

    above_input_tokens: int
    rates: Rates


class Schedule(NamedTuple):
    """The rates of a call by its length."""

    rates: Rates
    #: By rising `above_input_tokens`; the last one that the request's input exceeds prices the whole request.
    tiers: tuple[Tier, ...] = ()
    #: Every cost by this schedule is divided by it, exactly: half of an odd rate is no whole number.
    divisor: int = 1

    def at(self, input_tokens: int) -> Rates:
        """The rates of a request with so much input."""
        for above_input_tokens, rates in reversed(self.tiers):
            if input_tokens > above_input_tokens:
                return rates
        return self.rates


class OffPeak(NamedTuple):
    """Rates that replace others at certain hours."""

    #: By the field of `Rates`.
    rates: Mapping[str, int]
    #: (weekdays or None for every day, from, to): minutes of the day in UTC; one that ends before it begins goes on
    #: after midnight, one that ends where it begins is the whole day. Monday is 1.
    windows: tuple[tuple[frozenset[int] | None, int, int], ...]
    #: Whose calendar the weekdays are of.
    zone: str = "UTC"

    def is_at(self, at_us: int) -> bool:
        """True: a call made at that moment has these rates."""
        at = datetime.fromtimestamp(at_us // 10**6, UTC)
        minute, weekday = at.hour * 60 + at.minute, at.astimezone(ZoneInfo(self.zone)).isoweekday()
        return any(
            (days is None or weekday in days)
            and (begin <= minute < end if begin < end else minute >= begin or minute < end)
            for days, begin, end in self.windows
        )


class Billing(NamedTuple):
    """Rates made ready for the sum of a plain call: a part adds its difference to the price of the whole."""

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
    """What one model costs, and who says so."""

    model: str
    provider: str = ""  # Empty: not said.
    #: Of a call that is in no tier, as `tiers` are of a longer one.
    rates: Rates = NO_RATES
    tiers: tuple[Tier, ...] = ()
    #: By the name of the service tier, in small letters: "flex", "priority" and so on.
    service_tiers: Mapping[str, Schedule] = field(default_factory=dict)
    #: Of a call in a batch. None: no price.
    batch: Schedule | None = None
    #: (numerator, denominator) by "fast" or by place, in small letters; "*" is any place that is told.
    multipliers: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    off_peak: OffPeak | None = None
    #: True: one search or many in a call cost the same.
    searches_are_one: bool = False
    #: Counts of the usage that its tokens already pay for, if there are any, such as "queries" of a model that ranks.
    covered_counts: frozenset[str] = frozenset()
    #: Counts of the usage without a price, since a larger size is dearer and the usage has no size.
    varying_counts: frozenset[str] = frozenset()
    #: "catalogue" as shipped, "override" from the operator's file, "fallback" for a model that is in neither.
    source: str = "catalogue"
    #: The operator has said that this model costs nothing. A zero that nobody has said is no price.
    is_free: bool = False
    aliases: tuple[str, ...] = ()
    #: (from_at_us, price) by rising time: from that moment on, that price instead of this one.
    periods: tuple[tuple[int, "ModelPrice"], ...] = ()

    #: Made from the above when the price is made, for plain calls alone.
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
        """False if the model is known, but nothing of it has a price."""
        return any(rate is not None for rate in self.rates)

    def at(self, at_us: int) -> "ModelPrice":
        """The price in force at a moment: the latest period that has begun, or this one before the first."""
        for from_at_us, price in reversed(self.periods):
            if at_us >= from_at_us:
                return price
        return self

    def unpriced_field(self, usage: Usage) -> str | None:
        """The first count of tokens that this model has no price for, parts left aside; None: there is none."""
        if self.rates.input is None and usage.input_tokens:
            return "input_tokens"
        if self.rates.output is None and usage.output_tokens:
            return "output_tokens"
        return None
