"""The interface that the server uses for prices, and the catalogue that implements it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from budgetd_server.domain.bare_names import is_bedrock_id
from budgetd_server.domain.cost import Rounding, cost_nano_usd, requests_cost_nano_usd, whole_cost_nano_usd
from budgetd_server.domain.errors import UnknownModel, UnpricedUsage
from budgetd_server.domain.known_models import KnownModels, Matches
from budgetd_server.domain.model_names import REMEMBERED_MAX, ModelNames, family, parse_place, provider_by_form
from budgetd_server.domain.model_price import ModelPrice
from budgetd_server.domain.near_names import NearNames
from budgetd_server.domain.usage import NO_PARTS, STANDARD_TERMS, CallTerms, Usage

#: The terms of a plain call, without the provider.
_USUAL = STANDARD_TERMS[1:]


class Priced(NamedTuple):
    """The cost of one call, and the price that it is based on."""

    cost_nano_usd: int
    #: The catalogue's name of the model, which may differ from the name as sent.
    model: str
    #: The price files that gave the price; kept with the entry, so that a cost can be explained years later.
    price_version: str


class Prices(Protocol):
    """Where the rest of the server gets prices from. An answer never changes for a given `version`."""

    @property
    def version(self) -> str:
        """The version of the price files in force; at most 100 characters."""

    def price(
        self,
        model: str,
        usage: Usage,
        *,
        at_us: int,
        terms: CallTerms = STANDARD_TERMS,
        rounding: Rounding = Rounding.HALF_EVEN,
        requests: Sequence[Usage] = (),
    ) -> Priced:
        """Return the cost of a call in nano-USD.

        Args:
            model: Its name as it was sent.
            usage: A valid usage (see `usage_violations`).
            at_us: When the call was made.
            terms: How it was served.
            rounding: Half-even for what has happened, up for what may happen.
            requests: The requests that the usage sums up (see `requests_violations`), each of which is priced by
                itself. Empty: the usage is one request.

        Raises:
            UnknownModel: No price file has the model, and no fallback price is set.
            UnpricedUsage: The model is known, but a part of the usage or of the terms has no price.
        """

    def find(self, model: str, at_us: int) -> ModelPrice:
        """Return the price of a model at a moment. Raises UnknownModel as `price` does."""

    def models(self) -> Sequence[str]:
        """Return every name in the price files, sorted, without aliases."""

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:
        """Return the other names of a model, for the patterns of limits. Empty if none are known. Never raises.

        Args:
            model: Its name as it was sent.
            provider: The provider as it was sent. Empty: not given.
        """

    def matching(self, pattern: str) -> Matches:
        """Return the models of the price files that a limit with this pattern counts.

        The first call takes about 80 ms for the shipped catalogue; call it in a thread.
        """


class Catalogue:
    """Prices from price files, found by name as `ModelNames` does."""

    def __init__(
        self,
        models: Mapping[str, ModelPrice],
        *,
        version: str,
        aliases: Mapping[str, str] | None = None,
        fallback: ModelPrice | None = None,
        patterns: Mapping[str, ModelPrice] | None = None,
        notes: Sequence[str] = (),
        zero_rows: Collection[str] = frozenset(),
        provider_of: Callable[[str], str] | None = None,
    ) -> None:
        """Create a catalogue from the content of price files.

        Args:
            models: Prices by name. The mapping may build them on demand, but must never change.
            version: Identifies the content: catalogues with different prices never have the same version.
            aliases: The operator's own names, each with its name in `models`.
            fallback: The price of every model without a price. None: such a model is refused.
            patterns: Prices by pattern, for models without their own price that begin with the text before the star.
            notes: Sentences about what was left out of the price files.
            zero_rows: The names of models that were left out because all their prices are zero.
            provider_of: Returns the provider of a model without building its price. None: it is read from the price.
        """
        self.notes = tuple(notes)
        self._zero_rows = zero_rows
        # Longest first: the longest pattern that matches applies.
        self._patterns = sorted((patterns or {}).items(), key=lambda pattern: -len(pattern[0]))
        self._version = version
        self._models = models
        self._aliases = aliases or {}
        self._fallback = fallback
        self._names = ModelNames(models, self._aliases, self._same_price, provider_of)
        # By the name as it was sent, with the provider if one was given. Only names that were found are cached, and
        # not too many: a fine-tuned model is found under any name with its prefix.
        self._found: dict[str | tuple[str, str], ModelPrice] = {}
        self._sorted: tuple[str, ...] | None = None
        self._near: NearNames | None = None
        self._known: KnownModels | None = None

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
        terms: CallTerms = STANDARD_TERMS,
        rounding: Rounding = Rounding.HALF_EVEN,
        requests: Sequence[Usage] = (),
    ) -> Priced:
        """See `Prices`."""
        provider = terms.provider
        price = self._found.get((model, provider) if provider else model) or self._lookup(model, provider)
        if price.periods:
            price = price.at(at_us)
        if price.multipliers and "/locations/" in model:
            terms = _placed(terms, model, price)
        version = self._version if price.source != "fallback" else f"{self._version}/fallback"
        is_plain = usage.parts is NO_PARTS and price.off_peak is None and not requests
        try:
            if is_plain and (terms is STANDARD_TERMS or terms[1:] == _USUAL):
                cost = cost_nano_usd(price, usage, rounding)
            elif requests:
                cost = requests_cost_nano_usd(price, requests, terms, at_us=at_us, rounding=rounding)
            else:
                cost = whole_cost_nano_usd(price, usage, terms, at_us=at_us, rounding=rounding)
        except UnpricedUsage as refusal:
            found = refusal.metadata
            raise UnpricedUsage(
                price.model,
                found["field"],
                value=found.get("value", ""),
                varies=found["field"] in price.varying_counts,
                version=version,
            ) from None
        return Priced(cost, price.model, version)

    def find(self, model: str, at_us: int) -> ModelPrice:
        """See `Prices`."""
        return (self._found.get(model) or self._lookup(model)).at(at_us)

    def models(self) -> Sequence[str]:
        """See `Prices`."""
        if self._sorted is None:
            self._sorted = tuple(sorted(self._models))
        return self._sorted

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:
        """See `Prices`."""
        return self._names.other_names(model, provider)

    def matching(self, pattern: str) -> Matches:
        """See `Prices`."""
        if self._known is None:  # Two threads may both build it at once, with the same result.
            self._known = KnownModels(self._names.known())
        return self._known.matching(pattern)

    def _lookup(self, model: str, provider: str = "") -> ModelPrice:
        row = self._names.row(model, provider)
        found = None if row is None else self._models[row]
        if found is not None and (found.is_priced or found.periods):
            return self._kept(found, model, provider)
        if (price := self._by_pattern(self._aliases.get(model, model), provider)) is not None:
            return price
        if found is not None and self._fallback is None:
            return self._kept(found, model, provider)
        if self._fallback is not None:
            return replace(self._fallback, model=found.model if found else model)
        raise self._unknown(model, provider)

    def _unknown(self, model: str, provider: str) -> UnknownModel:
        names = (f"{provider}/{model}", model) if provider else (model,)
        if zero_row := next((name for name in names if name in self._zero_rows), ""):
            return UnknownModel(model, provider=provider, zero_row=zero_row, version=self._version)
        if self._near is None:
            self._near = NearNames((*self.models(), *self._aliases), self._provider_of)
        served_by = provider or provider_by_form(model)
        if not served_by:
            served_by = model.partition("/")[0] if "/" in model else "bedrock" if is_bedrock_id(model) else ""
        near = self._near.of(model, family(served_by))
        return UnknownModel(model, provider=provider, near=near, version=self._version)

    def _provider_of(self, name: str) -> str:
        return family(self._models[self._aliases.get(name, name)].provider)

    def _kept(self, found: ModelPrice, model: str, provider: str) -> ModelPrice:
        if len(self._found) >= REMEMBERED_MAX:
            self._found.clear()
        self._found[(model, provider) if provider else model] = found
        return found

    def _by_pattern(self, model: str, provider: str) -> ModelPrice | None:
        # Not cached: a pattern matches any number of names.
        for name in (f"{provider}/{model}", model) if provider else (model,):
            for pattern, price in self._patterns:
                if name.startswith(pattern[:-1]):
                    return replace(price, model=name)
        return None

    def _same_price(self, one: str, other: str) -> bool:
        ours, theirs = self._models[one], self._models[other]
        return replace(ours, model=other, provider=theirs.provider, aliases=theirs.aliases) == theirs


def _placed(terms: CallTerms, model: str, price: ModelPrice) -> CallTerms:
    """Return the terms with the region in the model's name, if it changes the price and the terms give none."""
    place = parse_place(model)
    if terms.inference_geo or price.multipliers.keys().isdisjoint({place, "*"}):
        return terms
    return terms._replace(inference_geo=place)
