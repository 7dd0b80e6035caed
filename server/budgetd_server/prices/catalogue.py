"""The shipped price catalogue: a large file whose entries are converted to prices on first use."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from budgetd_server.domain.errors import short_repr
from budgetd_server.domain.model_price import ModelPrice
from budgetd_server.prices import litellm_format
from budgetd_server.prices.errors import PriceFileError
from budgetd_server.prices.terms import model_price, provider_of

SHIPPED = Path(__file__).parent / "data" / "catalogue.json"


class CatalogueFile(NamedTuple):
    """A catalogue file as read; its entries are not converted yet."""

    #: The source of the prices, and the beginning of the file's SHA-256.
    version: str
    entries: Mapping[str, Mapping[str, Any]]
    #: Every key that LiteLLM's format has.
    known_keys: frozenset[str]


def read_catalogue(path: Path) -> CatalogueFile:
    """Read a catalogue made by tools/import_prices.py.

    Raises:
        PriceFileError: The file cannot be read, or is no catalogue.
    """
    try:
        content = path.read_bytes()
        # Numbers stay text until a model is used: no float is ever created, and most models are never used.
        read = json.loads(content, parse_float=str)
        source, entries, known_keys = read["source"], read["models"], frozenset(read["known_keys"])
    except OSError as error:
        raise PriceFileError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PriceFileError([f"{path}: is not a price catalogue: {error}"]) from error
    return CatalogueFile(f"{source}+{hashlib.sha256(content).hexdigest()[:12]}", entries, known_keys)


class LayeredModels(Mapping[str, ModelPrice]):
    """Prices by name: the operator's override those of the catalogue, which are built on first use and cached."""

    def __init__(
        self,
        entries: Mapping[str, Mapping[str, Any]],
        overrides: Mapping[str, ModelPrice],
        aliases: Mapping[str, str],
    ) -> None:
        self._entries = entries
        self._aliases_by_model: dict[str, list[str]] = {}
        for alias, model in sorted(aliases.items()):
            self._aliases_by_model.setdefault(model, []).append(alias)
        self._built = {name: self._with_aliases(price) for name, price in overrides.items()}
        self._names = entries.keys() | overrides.keys()

    def __getitem__(self, name: str) -> ModelPrice:
        built = self._built.get(name)
        if built is None:
            built = self._built[name] = self._with_aliases(catalogue_price(name, self._entries[name]))
        return built

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def provider_of(self, name: str) -> str:
        """Return the provider of a model without building its price; empty if the price file names none."""
        built = self._built.get(name)
        return built.provider if built is not None else provider_of(name, self._entries[name].get("litellm_provider"))

    def _with_aliases(self, price: ModelPrice) -> ModelPrice:
        aliases = self._aliases_by_model.get(price.model)
        return replace(price, aliases=tuple(aliases)) if aliases else price


def catalogue_price(name: str, entry: Mapping[str, Any]) -> ModelPrice:
    """Build the price of a catalogue entry. Raises PriceFileError for an invalid one; no shipped entry is."""

    def report(key: str, value: object, rule: str) -> None:
        raise PriceFileError([f"price catalogue: model {short_repr(name)}: {key}: {rule}, got {short_repr(value)}"])

    return model_price(name, litellm_format.parse_terms(entry, report, name), base=None, source="catalogue")
