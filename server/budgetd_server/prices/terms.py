"""What one price file says about a model, and how it is combined with earlier files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import NamedTuple, TypeAlias

from budgetd_server.domain.model_price import ModelPrice, OffPeak, Rates, Schedule, Tier
from budgetd_server.prices import schedules

#: The highest plausible price, in USD per million tokens: more than ten times that of the most expensive model ever
#: sold. A price per million tokens that was entered as a price per token is a thousand times more, and is refused.
USD_PER_MTOK_MAX = 10_000
RATE_RULE = f"must be a decimal number of USD, from 0 to {USD_PER_MTOK_MAX} per million tokens"
#: The highest plausible price of one image, second, search, page or the like.
USD_PER_UNIT_MAX = 1_000
UNIT_RULE = f"must be a decimal number of USD, from 0 to {USD_PER_UNIT_MAX} for one"
FACTOR_RULE = "must be a number from 0.01 to 100"

#: Decimal exponents that convert a price as written, for one or for a million, to nano-USD per million.
PER_TOKEN_EXPONENT = 15
PER_MTOK_EXPONENT = 9

#: A separate context, because the caller's may have any precision and traps.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[])

#: Called with a key, the value found there, and the rule that it breaks.
ReportFault = Callable[[str, object, str], None]
#: Nano-USD per million by the field of `Rates`. None removes the price that earlier files gave.
Changes: TypeAlias = Mapping[str, int | None]


class Variant(NamedTuple):
    """The prices of a service tier or of batches."""

    rates: Changes
    #: (above_input_tokens, rates), in any order.
    tiers: tuple[tuple[int, Changes], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What one file says about one model. What it leaves out is inherited from the files before it."""

    provider: str | None = None
    is_free: bool = False
    rates: Changes = field(default_factory=dict)
    #: (above_input_tokens, rates), in any order; a tier inherits what it leaves out from the one below.
    #: None: all are inherited.
    tiers: tuple[tuple[int, Changes], ...] | None = None
    #: By the name of the service tier; what a tier leaves out has the standard price.
    service_tiers: Mapping[str, Variant] = field(default_factory=dict)
    batch: Variant | None = None
    multipliers: Mapping[str, tuple[int, int]] | None = None
    off_peak: OffPeak | None = None
    searches_are_one: bool | None = None
    covered_counts: frozenset[str] | None = None
    #: Counts without a price, since a larger size costs more.
    varying_counts: frozenset[str] = frozenset()
    #: (from_at_us, terms), in any order; a period inherits what it leaves out from the model. None: inherited.
    periods: "tuple[tuple[int, Terms], ...] | None" = None


def nano_usd_per_mtok(value: object, exponent: int) -> int | None:
    """Convert a price as written: rounded to 1e-15 USD per token, which removes rounding errors of floats.

    Args:
        value: A string, an int or a Decimal. Never a float.
        exponent: PER_TOKEN_EXPONENT or PER_MTOK_EXPONENT.

    Returns:
        Nano-USD per million tokens, or None if the value breaks RATE_RULE.
    """
    most = USD_PER_MTOK_MAX if exponent == PER_MTOK_EXPONENT else Decimal(USD_PER_MTOK_MAX) / 10**6
    return nano_usd_per_million(value, exponent, most_usd=most)


def nano_usd_per_million(value: object, exponent: int, *, most_usd: int | Decimal, times: int = 1) -> int | None:
    """Convert any price as written, of at most `most_usd`, multiplied by `times`. Returns None if it is invalid."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        written = Decimal(value)
    except InvalidOperation:
        return None
    # Compared before the conversion to int: 1e999999999 would have a thousand million digits.
    if not written.is_finite() or written < 0 or written > most_usd:
        return None
    return int(_CONTEXT.to_integral_value(_CONTEXT.scaleb(_CONTEXT.multiply(written, times), exponent)))


def ratio(value: object) -> tuple[int, int] | None:
    """Convert a factor to numerator and denominator. Returns None if it breaks FACTOR_RULE."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        written = Decimal(value)
    except InvalidOperation:
        return None
    return written.as_integer_ratio() if written.is_finite() and Decimal("0.01") <= written <= 100 else None


def model_price(name: str, terms: Terms, *, base: ModelPrice | None, source: str) -> ModelPrice:
    """Combine one file's terms with the known price of a model; None if there is none."""
    provider = _provider(name, terms, base)
    if terms.is_free:
        return ModelPrice(model=name, provider=provider, rates=Rates(0, 0), source=source, is_free=True)
    known = base if base is not None and not base.is_free else ModelPrice(model=name)
    rates = schedules.with_provider_rules(known.rates._replace(**terms.rates), provider)
    price = replace(
        known,
        model=name,
        provider=provider,
        rates=rates,
        tiers=known.tiers if terms.tiers is None else tiers_of(rates, terms.tiers),
        multipliers=known.multipliers if terms.multipliers is None else terms.multipliers,
        off_peak=terms.off_peak or (None if terms.rates else known.off_peak),
        searches_are_one=known.searches_are_one if terms.searches_are_one is None else terms.searches_are_one,
        covered_counts=known.covered_counts if terms.covered_counts is None else terms.covered_counts,
        varying_counts=known.varying_counts | terms.varying_counts,
        source=source,
        aliases=(),
    )
    price = _with_schedules(price, terms, known)
    if terms.periods is None:
        return price
    return replace(
        price,
        periods=tuple(
            (from_at_us, _period(price, period))
            for from_at_us, period in sorted(terms.periods, key=lambda period: period[0])
        ),
    )


def _with_schedules(price: ModelPrice, terms: Terms, known: ModelPrice) -> ModelPrice:
    """Add the prices of service tiers and batches to a price."""
    usual = Schedule(price.rates, price.tiers)
    changes = terms.tiers or ()
    served = dict(known.service_tiers)
    for tier, said in terms.service_tiers.items():
        if (schedule := schedules.of_tier(served.get(tier, usual), said.rates, said.tiers, changes)) is not None:
            served[tier] = schedule
    is_half = price.provider in schedules.HALF_PRICE_BATCHES
    if terms.batch is not None:
        batch = schedules.of_batch(usual, terms.batch.rates, terms.batch.tiers, is_half=is_half)
    elif known.batch is not None and known.batch != Schedule(known.rates, known.tiers, 2):
        batch = known.batch
    else:
        batch = Schedule(price.rates, price.tiers, 2) if is_half else None
    return replace(price, service_tiers=served, batch=batch)


def _provider(name: str, terms: Terms, base: ModelPrice | None) -> str:
    if terms.provider is None and base is not None:
        return base.provider
    return provider_of(name, terms.provider)


def provider_of(name: str, said: str | None) -> str:
    """Return the provider of a row: as its file says, else the part of its name before the first slash, else empty."""
    if said is not None:
        return said
    prefix, slash, _ = name.partition("/")
    return prefix if slash else ""


def _period(price: ModelPrice, terms: Terms) -> ModelPrice:
    rates = price.rates._replace(**terms.rates)
    tiers = price.tiers if terms.tiers is None else tiers_of(rates, terms.tiers)
    return _with_schedules(replace(price, rates=rates, tiers=tiers, periods=()), terms, price)


def tiers_of(rates: Rates, given: tuple[tuple[int, Changes], ...]) -> tuple[Tier, ...]:
    """Build the tiers by rising length; each inherits from the one below."""
    tiers: list[Tier] = []
    for above_input_tokens, changes in sorted(given, key=lambda tier: tier[0]):
        rates = rates._replace(**changes)
        tiers.append(Tier(above_input_tokens, rates))
    return tuple(tiers)
