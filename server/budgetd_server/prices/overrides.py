"""Reads the operator's price files. A file with any fault gives errors and no prices."""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from budgetd_server.domain.errors import short_repr
from budgetd_server.domain.model_price import TOKEN_RATES, ModelPrice, Rates
from budgetd_server.prices import litellm_format, toml_format
from budgetd_server.prices.faults import (
    Reporter,
    dotted_names,
    quotes_fault,
    quotes_hint,
    split_keys,
    split_names,
    unknown_key,
)
from budgetd_server.prices.terms import PER_TOKEN_EXPONENT, Terms, model_price, nano_usd_per_mtok

FILE_BYTES_MAX = 32 * 1024 * 1024
MODEL_BYTES_MAX = 256


class _Words(NamedTuple):
    """The names that one format has for the keys that a new model needs."""

    input: str
    output: str
    free: str


_TOML_WORDS = _Words("input_usd_per_mtok", "output_usd_per_mtok", "free = true")
_JSON_WORDS = _Words("input_cost_per_token", "output_cost_per_token", '"free": true')
_TOML_KEYS = frozenset({"version", "models", "aliases", "fallback"})
#: An entry with one of these keys comes from LiteLLM's own file, where not every entry is a model with a price.
_LITELLMS_KEYS = frozenset({"alias_of", "litellm_provider", "mode", "rules"})
_PATTERN_RULE = "a pattern has one star, at its end, and matches every name that begins with what is before it"
_NAME_RULE = f"must be a name of 1 to {MODEL_BYTES_MAX} bytes without control characters"


@dataclass(slots=True)
class Overrides:
    """What the files read so far override, and their faults."""

    #: Returns the catalogue's price of a model, or None if it has none.
    base: Callable[[str], ModelPrice | None]
    #: Returns names of the catalogue that are similar to an unknown one.
    near: Callable[[str], Sequence[str]]
    known_keys: frozenset[str]
    models: dict[str, ModelPrice] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    #: The file that defines each alias.
    alias_paths: dict[str, Path] = field(default_factory=dict)
    fallback: Rates | None = None
    #: Prices by pattern, for all models whose names begin with it.
    patterns: dict[str, ModelPrice] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    #: What was left out without being a fault.
    notes: list[str] = field(default_factory=list)
    #: The models that were left out because their prices are zeros.
    zero_rows: set[str] = field(default_factory=set)

    def read(self, path: Path) -> bytes:
        """Read a file, which overrides those before it, and return its content. Faults are added to `problems`."""
        try:
            with path.open("rb") as file:
                content = file.read(FILE_BYTES_MAX + 1)
        except OSError as error:
            self.problems.append(f"{path}: cannot be read: {error.strerror}")
            return b""
        if len(content) > FILE_BYTES_MAX:
            self.problems.append(f"{path}: must be at most {FILE_BYTES_MAX} bytes long")
            return b""
        try:
            if path.suffix == ".json":
                self._lay_json(path, _json(content))
            elif path.suffix == ".toml":
                self._lay_toml(path, _toml(content.decode("utf-8")))
            else:
                self.problems.append(f"{path}: must be a .toml file, or a .json file in LiteLLM's format")
        # UnicodeDecodeError, TOMLDecodeError and JSONDecodeError are all ValueErrors; RecursionError is the parser's
        # limit on depth.
        except (ValueError, RecursionError) as error:
            self.problems.append(f"{path}: cannot be parsed: {error}")
        return content

    def check_aliases(self, has_model: Callable[[str], bool]) -> None:
        """Report aliases that hide a model or have no target; called after the last file."""
        for alias, model in self.aliases.items():
            report = self._reporter(f"{self.alias_paths[alias]}: aliases")
            if has_model(alias):
                report(short_repr(alias), model, "must not be the name of a model that has a price")
            if not has_model(model):
                report(short_repr(alias), model, f"must be the name of a model with a price{self._near_ones(model)}")

    def _lay_toml(self, path: Path, content: Mapping[str, Any]) -> None:
        report = self._reporter(str(path))
        for key in content:
            if key not in _TOML_KEYS:
                report(key, content[key], unknown_key(key, _TOML_KEYS))
        if type(content.get("version")) is not int or content["version"] != 1:
            report("version", content.get("version"), "must be 1")
        for name, table in _table(content, "models", report).items():
            self._lay_table(path, name, table)
        for alias, model in _table(content, "aliases", report).items():
            if isinstance(model, dict):
                names = dotted_names(alias, model)
                self.problems.extend(f"{path}: {quotes_fault('aliases', name)}" for name in names)
            elif not _is_name(alias) or not isinstance(model, str) or not _is_name(model):
                report(f"aliases.{short_repr(alias)}", model, _NAME_RULE)
            else:
                self.aliases[alias] = model
                self.alias_paths[alias] = path
        if "fallback" in content:
            self._lay_fallback(_table(content, "fallback", report), self._reporter(f"{path}: fallback"))

    def _lay_table(self, path: Path, name: str, table: object) -> None:
        report = self._reporter(f"{path}: model {short_repr(name)}")
        if not isinstance(table, dict):
            report("models", table, "must be a table")
            return
        names = split_names(name, table, toml_format.MODEL_KEYS)
        self.problems.extend(f"{path}: {quotes_fault('models', whole)}" for whole in names)
        split = split_keys(table, toml_format.MODEL_KEYS)
        own = {key: value for key, value in table.items() if key not in split}
        if own or not split:
            self._lay(name, toml_format.parse_terms(own, report), report, _TOML_WORDS)

    def _lay_fallback(self, table: Mapping[str, Any], report: Reporter) -> None:
        rates = Rates(**toml_format.parse_rates(table, report))
        if report.is_clean and not (rates.input and rates.output):
            report("prices", table, "must be input_usd_per_mtok and output_usd_per_mtok, above 0")
        self.fallback = rates

    def _lay_json(self, path: Path, content: object) -> None:
        if not isinstance(content, dict):
            self.problems.append(f"{path}: must be an object of models")
            return
        for name, entry in content.items():
            if name == "sample_spec":  # LiteLLM's own file explains its keys in an entry of this name.
                continue
            report = self._reporter(f"{path}: model {short_repr(name)}")
            if not isinstance(entry, dict):
                report("entry", entry, "must be an object")
                continue
            for key in entry:
                if not (key in self.known_keys or key in ("free", "retired") or key.startswith("supports_")):
                    report(key, entry[key], unknown_key(key, self.known_keys, "LiteLLM's price format"))
            if isinstance(meant := content.get(str(entry.get("alias_of"))), dict):
                entry = {**meant, **entry}  # noqa: PLW2901 - the same entry with inherited keys.
            self._lay_row(path, name, entry, report)

    def _lay_row(self, path: Path, name: str, entry: Mapping[str, Any], report: Reporter) -> None:
        terms = litellm_format.parse_terms(entry, report, name)
        is_litellms = not entry.keys().isdisjoint(_LITELLMS_KEYS)
        has_price = bool(terms.rates or terms.tiers or terms.is_free or terms.varying_counts)
        if not has_price and (is_litellms or _has_zeros(entry)):
            self._leave_out(path, name, entry)
        elif is_litellms and _is_within(name):
            # In LiteLLM's own file such names are literal: the star stands for a region.
            self.notes.append(f"{path}: model {short_repr(name)} is left out: {_PATTERN_RULE}")
        else:
            self._lay(name, terms, report, _JSON_WORDS, may_be_in_part=is_litellms or bool(terms.varying_counts))
        for count in sorted(terms.varying_counts):
            why = "larger sizes cost more, and a usage has no size"
            self.notes.append(f"{path}: model {short_repr(name)} has no price for {count}: {why}")

    def _leave_out(self, path: Path, name: str, entry: Mapping[str, Any]) -> None:
        why = "it has no price that a usage is charged by"
        if _has_zeros(entry):
            self.zero_rows.add(name)
            why = 'its prices are zero, which is no price; for a model that costs nothing, write "free": true'
        self.notes.append(f"{path}: model {short_repr(name)} is left out: {why}")

    def _lay(self, name: str, terms: Terms, report: Reporter, words: _Words, *, may_be_in_part: bool = False) -> None:
        if not _is_name(name):
            report("name", name, _NAME_RULE)
            return
        if _is_within(name):
            report("name", name, _PATTERN_RULE)
            return
        own = self.patterns if name.endswith("*") else self.models
        known = own.get(name) or self.base(name)
        price = model_price(name, terms, base=known, source="override")
        if report.is_clean and not (price.is_free or may_be_in_part or _is_sold(price.rates)):
            why = "" if known is not None or name.endswith("*") else f"{self._unknown(name)}; to add it, "
            rule = f"{why}{words.input} must be given, above 0, and {words.output} if it returns tokens"
            report(words.input, None, f"{rule}; a model that costs nothing says {words.free}")
        own[name] = price

    def _unknown(self, name: str) -> str:
        return f"the catalogue has no model of this name{self._near_ones(name)}"

    def _near_ones(self, name: str) -> str:
        near = ", ".join(short_repr(each) for each in self.near(name))
        return f", similar ones are {near}" if near else ""

    def _reporter(self, where: str) -> Reporter:
        return Reporter(where, self.problems)


def _is_sold(rates: Rates) -> bool:
    """Whether there is a price for input tokens, or for anything other than tokens."""
    return rates.input is not None or any(rate is not None for rate in rates[TOKEN_RATES:])


def _is_within(name: str) -> bool:
    """Whether a star is in a place where it does not work as a pattern."""
    return "*" in name.removesuffix("*")


def _has_zeros(entry: Mapping[str, Any]) -> bool:
    """Whether an entry in LiteLLM's format has a price of zero."""
    return any("cost" in key and nano_usd_per_mtok(price, PER_TOKEN_EXPONENT) == 0 for key, price in entry.items())


def _table(content: Mapping[str, Any], key: str, report: Reporter) -> Mapping[str, Any]:
    table = content.get(key, {})
    if isinstance(table, dict):
        return table
    report(key, table, "must be a table")
    return {}


def _toml(content: str) -> dict[str, Any]:
    try:
        return tomllib.loads(content, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{error}{quotes_hint(content, error)}") from error


def _json(content: bytes) -> object:
    return json.loads(
        content.decode("utf-8"),
        parse_float=Decimal,
        parse_constant=_refuse_constant,
        object_pairs_hook=_object,
    )


def _refuse_constant(written: str) -> object:
    raise ValueError(f"{written} is not a number")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object and refuse repeated keys: of two prices for one model, it is unclear which is meant."""
    read = dict(pairs)
    if len(read) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {short_repr(twice)} occurs twice")
    return read


def _is_name(name: str) -> bool:
    return 0 < len(name.encode("utf-8", "surrogatepass")) <= MODEL_BYTES_MAX and name.isprintable()
