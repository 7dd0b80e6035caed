"""What a price file says about a model, before it is laid over what earlier files say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation

from budgetd_server.domain.pricing import ModelPrice, Rates, Tier

#: The dearest price that is believed, in USD per million tokens: ten times the dearest model ever sold is
#: less. A price per million tokens that was entered as a price per token is a thousand times more, and is
#: refused.
USD_PER_MTOK_MAX = 10_000
RATE_RULE = f"must be a decimal number of USD, from 0 to {USD_PER_MTOK_MAX} per million tokens"

#: Decimal exponents that turn a price as written into nano-USD per million tokens.
PER_TOKEN_EXPONENT = 15
PER_MTOK_EXPONENT = 9

_NANO_USD_PER_MTOK_MAX = USD_PER_MTOK_MAX * 10**9
#: Our own, because the caller's decimal context may have any precision, and traps.
_CONTEXT = Context(prec=60, rounding=ROUND_HALF_EVEN, traps=[])

#: Called with a key, the value found there, and the rule that it breaks.
Report = Callable[[str, object, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One file's words about one model. What it leaves out is inherited from the files before it."""

    provider: str | None = None
    is_free: bool = False
    #: Nano-USD per million tokens by the field of `Rates`.
    rates: Mapping[str, int] = field(default_factory=dict)
    #: (above_input_tokens, rates), in any order; what a tier leaves out it has from the one below. None:
    #: inherited.
    tiers: tuple[tuple[int, Mapping[str, int]], ...] | None = None
    #: (from_at_us, terms), in any order; what a period leaves out it has from the model. None: inherited.
    periods: "tuple[tuple[int, Terms], ...] | None" = None


def nano_usd_per_mtok(value: object, exponent: int) -> int | None:
    """A price as written, made exact: rounded to 1e-15 USD a token, which removes the dust of floats.

    Args:
        value: A string, an int or a Decimal. Never a float.
        exponent: PER_TOKEN_EXPONENT or PER_MTOK_EXPONENT.

    Returns:
        Nano-USD per million tokens, or None if the value breaks RATE_RULE.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return None
    try:
        written = Decimal(value)
    except InvalidOperation:
        return None
    # Compared before it is made an int: 1e999999999 would be one of a thousand million digits.
    if not written.is_finite() or written < 0 or written > USD_PER_MTOK_MAX:
        return None
    rate = int(_CONTEXT.to_integral_value(_CONTEXT.scaleb(written, exponent)))
    return rate if rate <= _NANO_USD_PER_MTOK_MAX else None


def model_price(name: str, terms: Terms, *, base: ModelPrice | None, source: str) -> ModelPrice:
    """Lay one file's words over what is known of a model (None: nothing)."""
    provider = _provider(name, terms, base)
    if terms.is_free:
        return _built(name, provider, Rates(0, 0), (), source=source, is_free=True)
    has_prices = base is not None and not base.is_free
    rates = (base.rates if base and has_prices else Rates())._replace(**terms.rates)
    tiers = _tiers(rates, terms.tiers, inherited=base.tiers if base else ())
    if terms.periods is None:
        periods = base.periods if base else ()
    else:
        periods = tuple(
            (from_at_us, _period(name, provider, rates, tiers, period, source))
            for from_at_us, period in sorted(terms.periods, key=lambda period: period[0])
        )
    return _built(name, provider, rates, tiers, source=source, periods=periods)


def _provider(name: str, terms: Terms, base: ModelPrice | None) -> str:
    if terms.provider is not None:
        return terms.provider
    if base is not None:
        return base.provider
    prefix, slash, _ = name.partition("/")
    return prefix if slash else ""


def _period(name: str, provider: str, rates: Rates, tiers: tuple[Tier, ...], terms: Terms, source: str) -> ModelPrice:
    later = rates._replace(**terms.rates)
    return _built(name, provider, later, _tiers(later, terms.tiers, inherited=tiers), source=source)


def _tiers(
    rates: Rates, given: tuple[tuple[int, Mapping[str, int]], ...] | None, *, inherited: tuple[Tier, ...]
) -> tuple[Tier, ...]:
    if given is None:
        return inherited
    tiers: list[Tier] = []
    for above_input_tokens, changes in sorted(given, key=lambda tier: tier[0]):
        rates = rates._replace(**changes)
        tiers.append(Tier(above_input_tokens, rates))
    return tuple(tiers)


def _built(
    name: str,
    provider: str,
    rates: Rates,
    tiers: tuple[Tier, ...],
    *,
    source: str,
    is_free: bool = False,
    periods: tuple[tuple[int, ModelPrice], ...] = (),
) -> ModelPrice:
    return ModelPrice(
        model=name,
        provider=provider,
        input_nano_usd_per_mtok=rates.input,
        output_nano_usd_per_mtok=rates.output,
        cached_input_nano_usd_per_mtok=rates.cached_input,
        cache_write_nano_usd_per_mtok=rates.cache_write,
        reasoning_nano_usd_per_mtok=rates.reasoning,
        tiers=tiers,
        source=source,
        is_free=is_free,
        periods=periods,
    )
