"""What a model call costs: prices per million tokens, integer arithmetic, and one rounding per call.

A price is a whole number of nano-USD per million tokens (1e-15 USD a token), which every published price is.
So a cost is a sum of products of integers, divided by one million once: no float, and no decimal context that
could change it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import NamedTuple, Protocol

from budgetd_server.domain.errors import UnknownModel, UnpricedUsage
from budgetd_server.domain.near_names import NearNames
from budgetd_server.domain.usage import NO_PARTS, STANDARD_TERMS, CallTerms, Usage

MTOK = 1_000_000


class Rounding(Enum):
    """How a cost becomes a whole number of nano-USD."""

    HALF_EVEN = "half_even"  # What has happened: equal to the bill on average.
    UP = "up"  # What may happen (holds, projections): never too little.


_UP = Rounding.UP  # A member looked up through its class costs more than the rounding itself.


class Rates(NamedTuple):
    """Prices in nano-USD per million tokens. None: no price of its own.

    Without a price of their own, cached and cache-write tokens cost what input costs, and reasoning tokens
    what output costs. Input or output tokens without a price cannot be priced at all.
    """

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None


class Tier(NamedTuple):
    """The rates of a whole request whose input is longer than `above_input_tokens`."""

    above_input_tokens: int
    rates: Rates


class _Billing(NamedTuple):
    """Rates made ready for the sum: a part adds its difference to the price of the whole."""

    input: int
    output: int
    cached_extra: int
    cache_write_extra: int
    reasoning_extra: int


def _billing(rates: Rates) -> _Billing:
    input_rate, output_rate = rates.input or 0, rates.output or 0
    return _Billing(
        input_rate,
        output_rate,
        0 if rates.cached_input is None else rates.cached_input - input_rate,
        0 if rates.cache_write is None else rates.cache_write - input_rate,
        0 if rates.reasoning is None else rates.reasoning - output_rate,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """What one model costs, in nano-USD per million tokens (None as in `Rates`), and who says so."""

    model: str
    provider: str = ""  # Empty: not said.
    input_nano_usd_per_mtok: int | None = None
    output_nano_usd_per_mtok: int | None = None
    cached_input_nano_usd_per_mtok: int | None = None
    cache_write_nano_usd_per_mtok: int | None = None
    reasoning_nano_usd_per_mtok: int | None = None
    #: By rising `above_input_tokens`; the last one that the request's input exceeds prices the whole request.
    tiers: tuple[Tier, ...] = ()
    #: "catalogue" as shipped, "override" from the operator's file, "fallback" for a model that is in neither.
    source: str = "catalogue"
    #: The operator has said that this model costs nothing. A zero that nobody has said is no price.
    is_free: bool = False
    aliases: tuple[str, ...] = ()
    #: (from_at_us, price) by rising time: from that moment on, that price instead of this one.
    periods: tuple[tuple[int, "ModelPrice"], ...] = ()

    #: Made from the above when the price is made, for `cost_nano_usd` alone.
    base_billing: _Billing = field(init=False, repr=False, compare=False)
    tiers_falling: tuple[tuple[int, _Billing], ...] = field(init=False, repr=False, compare=False)
    has_gaps: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        falling = tuple((tier.above_input_tokens, _billing(tier.rates)) for tier in reversed(self.tiers))
        object.__setattr__(self, "base_billing", _billing(self.rates))
        object.__setattr__(self, "tiers_falling", falling)
        object.__setattr__(self, "has_gaps", None in (self.input_nano_usd_per_mtok, self.output_nano_usd_per_mtok))

    @property
    def rates(self) -> Rates:
        """The rates of a request that is in no tier."""
        return Rates(
            self.input_nano_usd_per_mtok,
            self.output_nano_usd_per_mtok,
            self.cached_input_nano_usd_per_mtok,
            self.cache_write_nano_usd_per_mtok,
            self.reasoning_nano_usd_per_mtok,
        )

    @property
    def is_priced(self) -> bool:
        """False if the model is known, but not one of its tokens has a price."""
        return self.input_nano_usd_per_mtok is not None or self.output_nano_usd_per_mtok is not None

    def at(self, at_us: int) -> "ModelPrice":
        """The price in force at a moment: the latest period that has begun, or this one before the first."""
        for from_at_us, price in reversed(self.periods):
            if at_us >= from_at_us:
                return price
        return self

    def unpriced_field(self, usage: Usage) -> str | None:
        """The first usage field that this model has no price for; None if the whole usage can be priced."""
        if self.input_nano_usd_per_mtok is None and usage.input_tokens:
            return "input_tokens"
        if self.output_nano_usd_per_mtok is None and usage.output_tokens:
            return "output_tokens"
        return next((name for name, count in usage.parts._asdict().items() if count), None)


class Priced(NamedTuple):
    """The cost of one call, and what it rests on."""

    cost_nano_usd: int
    #: The catalogue's name of the model, which may differ from the name as sent.
    model: str
    #: The price files that gave the price; kept with the entry, so that a cost can be explained years later.
    price_version: str


def cost_nano_usd(price: ModelPrice, usage: Usage, rounding: Rounding = Rounding.HALF_EVEN) -> int:
    """The cost of a usage in nano-USD, exact until it is rounded once.

    Args:
        price: The price in force; its periods are not looked at.
        usage: A valid usage (see `usage_violations`).
        rounding: Half-even for what has happened, up for what may happen.

    Raises:
        UnpricedUsage: The usage has tokens that the model has no price for.
    """
    input_tokens, output_tokens, cached, written, reasoning, parts = usage
    if (price.has_gaps or parts is not NO_PARTS) and (unpriced := price.unpriced_field(usage)):
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


class Prices(Protocol):
    """What the rest of the server asks for prices. An answer never changes for a given `version`."""

    @property
    def version(self) -> str:
        """Names the price files in force; at most 100 characters."""

    def price(
        self,
        model: str,
        usage: Usage,
        *,
        at_us: int,
        terms: CallTerms = STANDARD_TERMS,
        rounding: Rounding = Rounding.HALF_EVEN,
    ) -> Priced:
        """The cost of a call in nano-USD.

        Args:
            model: Its name as it was sent.
            usage: A valid usage (see `usage_violations`).
            at_us: When the call was made.
            terms: How it was served.
            rounding: Half-even for what has happened, up for what may happen.

        Raises:
            UnknownModel: No price file has the model, and no fallback price is set.
            UnpricedUsage: The model is known, but something in the usage or the terms has no price.
        """

    def find(self, model: str, at_us: int) -> ModelPrice:
        """The price of a model at a moment. Raises UnknownModel as `price` does."""

    def models(self) -> Sequence[str]:
        """Every name in the price files, sorted; aliases are not among them."""

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:
        """What else a model is called, for the patterns of limits; empty: nothing else is known. Never raises.

        Args:
            model: Its name as it was sent.
            provider: Who serves it; empty: not told.
        """


class Catalogue:
    """Prices from price files, found by exact name.

    A name is looked up as it is, then among the aliases, then without its `provider/` prefix if the model so
    found is of that provider, then with a prefix if exactly one provider has a model of that name. Nothing is
    ever guessed.
    """

    def __init__(
        self,
        models: Mapping[str, ModelPrice],
        *,
        version: str,
        aliases: Mapping[str, str] | None = None,
        fallback: ModelPrice | None = None,
    ) -> None:
        """Take over the price files' content.

        Args:
            models: Prices by name. It may build them on demand, and must never change.
            version: Names the content; two catalogues with other prices never share it.
            aliases: The operator's own names, each with the name in `models` that it stands for.
            fallback: The price of every model that has none. None: such a model is refused.
        """
        self._version = version
        self._models = models
        self._aliases = aliases or {}
        self._fallback = fallback
        # Only names that were found are kept, so nobody can make it grow by asking for models that do not
        # exist.
        self._found: dict[str, ModelPrice] = {}
        self._names: dict[str, tuple[str, ...]] = {}
        self._sorted: tuple[str, ...] | None = None
        self._full_names: Mapping[str, str] | None = None
        self._near: NearNames | None = None

    @property
    def version(self) -> str:
        """See `Prices`."""
        return self._version

    def price(
        self,
        model: str,
        usage: Usage,
        *,
        at_us: int,
        terms: CallTerms = STANDARD_TERMS,  # noqa: ARG002 - nothing is priced by them yet.
        rounding: Rounding = Rounding.HALF_EVEN,
    ) -> Priced:
        """See `Prices`."""
        price = self._found.get(model) or self._lookup(model)
        if price.periods:
            price = price.at(at_us)
        if (price.has_gaps or usage.parts is not NO_PARTS) and (unpriced := price.unpriced_field(usage)):
            raise UnpricedUsage(price.model, unpriced, version=self._version)
        version = self._version if price.source != "fallback" else f"{self._version}/fallback"
        return Priced(cost_nano_usd(price, usage, rounding), price.model, version)

    def find(self, model: str, at_us: int) -> ModelPrice:
        """See `Prices`."""
        return (self._found.get(model) or self._lookup(model)).at(at_us)

    def models(self) -> Sequence[str]:
        """See `Prices`."""
        if self._sorted is None:
            self._sorted = tuple(sorted(self._models))
        return self._sorted

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:  # noqa: ARG002 - not looked at yet.
        """See `Prices`. Called for every charge that names a model."""
        names = self._names.get(model)
        if names is None:
            found = self._resolve(model)
            if found is None:
                return ()
            names = self._names[model] = () if found.model == model else (found.model,)
        return names

    def _lookup(self, model: str) -> ModelPrice:
        found = self._resolve(model)
        if found is not None and (found.is_priced or found.periods or self._fallback is None):
            self._found[model] = found
            return found
        if self._fallback is not None:
            return replace(self._fallback, model=found.model if found else model)
        if self._near is None:
            self._near = NearNames((*self.models(), *self._aliases))
        raise UnknownModel(model, near=self._near.of(model), version=self._version)

    def _resolve(self, model: str) -> ModelPrice | None:
        found = self._models.get(model) or self._models.get(self._aliases.get(model, ""))
        if found is not None:
            return found
        prefix, slash, rest = model.partition("/")
        if slash and (found := self._models.get(rest)) and _is_of_provider(found, prefix):
            return found
        if self._full_names is None:
            self._full_names = _full_names(self.models())
        return self._models.get(self._full_names.get(model, ""))


def _is_of_provider(price: ModelPrice, prefix: str) -> bool:
    """True for the provider itself and its branches, such as "vertex_ai-models" or "bedrock_converse"."""
    provider = price.provider
    return (
        provider == prefix or provider.startswith(f"{prefix}-") or provider in (f"{prefix}_converse", f"{prefix}_chat")
    )


def _full_names(names: Sequence[str]) -> Mapping[str, str]:
    """`provider/name` by `name`, for the names that exactly one provider has."""
    full: dict[str, str] = {}
    for name in names:
        _, slash, rest = name.partition("/")
        if slash:
            full[rest] = "" if rest in full else name
    return full
