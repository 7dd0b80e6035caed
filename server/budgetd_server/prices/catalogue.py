"""The price catalogue that is shipped: a large file, whose models are made into prices when asked for."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from budgetd_server.domain.errors import shown
from budgetd_server.domain.model_price import ModelPrice
from budgetd_server.prices import litellm_format
from budgetd_server.prices.errors import PriceFileError
from budgetd_server.prices.terms import model_price, provider_of

SHIPPED = Path(__file__).parent / "data" / "catalogue.json"


class CatalogueFile(NamedTuple):
    """A catalogue file as read, its models not yet looked at."""

    #: What the prices were taken from, and a part of the file's SHA-256.
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
        # Numbers stay text until a model is asked for: no float is ever made, and most models are never asked
        # for.
        read = json.loads(content, parse_float=str)
        source, entries, known_keys = read["source"], read["models"], frozenset(read["known_keys"])
    except OSError as error:
        raise PriceFileError([f"{path}: cannot be read: {error.strerror}"]) from error
    except (ValueError, KeyError, TypeError) as error:
        raise PriceFileError([f"{path}: is no price catalogue: {error}"]) from error
    return CatalogueFile(f"{source}+{hashlib.sha256(content).hexdigest()[:12]}", entries, known_keys)


class LayeredModels(Mapping[str, ModelPrice]):
    """Prices by name: the operator's, over those of a catalogue, which are built on first use and kept."""

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
        """The provider of a model, found without building its price; empty: not said."""
        built = self._built.get(name)
        return built.provider if built is not None else provider_of(name, self._entries[name].get("litellm_provider"))

    def _with_aliases(self, price: ModelPrice) -> ModelPrice:
        aliases = self._aliases_by_model.get(price.model)
        return replace(price, aliases=tuple(aliases)) if aliases else price


def catalogue_price(name: str, entry: Mapping[str, Any]) -> ModelPrice:
    """The price of a catalogue's entry. Raises PriceFileError for a faulty one; no shipped one is."""

    def report(key: str, value: object, rule: str) -> None:
        raise PriceFileError([f"price catalogue: model {shown(name)}: {key}: {rule}, got {shown(value)}"])

    return model_price(name, litellm_format.terms_of(entry, report, name), base=None, source="catalogue")
