"""Combines the shipped prices and the operator's files into one catalogue, and reloads it while the server runs."""

import hashlib
import logging
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from budgetd_server.domain.cost import Rounding
from budgetd_server.domain.known_models import Matches
from budgetd_server.domain.model_price import ModelPrice, Rates
from budgetd_server.domain.near_names import NearNames
from budgetd_server.domain.pricing import Catalogue, Priced
from budgetd_server.domain.usage import STANDARD_TERMS, CallTerms, Usage
from budgetd_server.prices.catalogue import (
    SHIPPED,
    CatalogueFile,
    LayeredModels,
    catalogue_price,
    read_catalogue,
)
from budgetd_server.prices.errors import PriceFileError
from budgetd_server.prices.overrides import Overrides
from budgetd_server.prices.terms import Terms, model_price


def load_prices(
    paths: Sequence[Path] = (), *, fallback: Rates | None = None, catalogue_path: Path = SHIPPED
) -> Catalogue:
    """Load all price files, or none of them if any is invalid.

    Args:
        paths: The operator's files, TOML or LiteLLM's JSON; later ones override earlier ones.
        fallback: The price of a model that has none anywhere; a file's `[fallback]` takes precedence. None
            refuses such a model.
        catalogue_path: The prices that the files override, as tools/import_prices.py writes them.

    Raises:
        PriceFileError: A file is invalid; it has a sentence for every fault in every file.
    """
    catalogue = read_catalogue(catalogue_path)
    near_names = cache(lambda: NearNames(catalogue.entries))  # Needed only where a file is at fault.
    overrides = Overrides(
        base=lambda name: _base(catalogue, name),
        near=lambda name: near_names().of(name),
        known_keys=catalogue.known_keys,
    )
    digest = hashlib.sha256(repr(fallback).encode() if fallback else b"")
    for path in paths:
        digest.update(hashlib.sha256(overrides.read(path)).digest())
    overrides.check_aliases(lambda name: name in catalogue.entries or name in overrides.models)
    if overrides.problems:
        raise PriceFileError(overrides.problems)

    is_shipped_alone = not paths and fallback is None
    version = catalogue.version if is_shipped_alone else f"{catalogue.version}/override+{digest.hexdigest()[:12]}"
    models = LayeredModels(catalogue.entries, overrides.models, overrides.aliases)
    return Catalogue(
        models,
        version=version,
        aliases=overrides.aliases,
        fallback=_fallback(overrides.fallback or fallback),
        patterns=overrides.patterns,
        notes=overrides.notes,
        zero_rows=overrides.zero_rows,
        provider_of=models.provider_of,
    )


def _base(catalogue: CatalogueFile, name: str) -> ModelPrice | None:
    entry = catalogue.entries.get(name)
    return None if entry is None else catalogue_price(name, entry)


def _fallback(rates: Rates | None) -> ModelPrice | None:
    if rates is None:
        return None
    given = {name: rate for name, rate in rates._asdict().items() if rate is not None}
    return model_price("fallback", Terms(rates=given), base=None, source="fallback")


log = logging.getLogger(__name__)
_NOTES_LOGGED_MAX = 20


class ReloadablePrices:
    """The prices in force, which can be read again from their files. A `Prices` like any other."""

    def __init__(
        self, paths: Sequence[Path] = (), *, fallback: Rates | None = None, catalogue_path: Path = SHIPPED
    ) -> None:
        """Load the files, with the arguments and errors of `load_prices`."""
        self._paths, self._fallback, self._catalogue_path = tuple(paths), fallback, catalogue_path
        self._current = self._load()

    def reload(self) -> None:
        """Load the same files again. Takes about a tenth of a second, and may run in a thread.

        Raises:
            PriceFileError: A file is invalid; the prices in force stay.
        """
        self._current = self._load()

    @property
    def version(self) -> str:
        """See `Prices`."""
        return self._current.version

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
        return self._current.price(model, usage, at_us=at_us, terms=terms, rounding=rounding, requests=requests)

    def find(self, model: str, at_us: int) -> ModelPrice:
        """See `Prices`."""
        return self._current.find(model, at_us)

    def models(self) -> Sequence[str]:
        """See `Prices`."""
        return self._current.models()

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:
        """See `Prices`."""
        return self._current.other_names(model, provider)

    def matching(self, pattern: str) -> Matches:
        """See `Prices`."""
        return self._current.matching(pattern)

    def _load(self) -> Catalogue:
        catalogue = load_prices(self._paths, fallback=self._fallback, catalogue_path=self._catalogue_path)
        for number, note in enumerate(catalogue.notes):
            log.log(logging.INFO if number < _NOTES_LOGGED_MAX else logging.DEBUG, note)
        if (more := len(catalogue.notes) - _NOTES_LOGGED_MAX) > 0:
            log.info("%d more notes about the price files are not shown; log level debug shows all", more)
        return catalogue
