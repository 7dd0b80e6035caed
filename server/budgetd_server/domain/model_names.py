"""Resolve a model's name to a row of the price files, and find the other names of the model.

One resolver for prices and for limits; docs/prices.md has its rules as a table. It never guesses: a name leads to its
own row, to a row for the same model at the same price, or to none.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from budgetd_server.domain.bare_names import GEOGRAPHY, REGION, bare_names, is_bedrock_id

#: How many names are cached with their result. Bounded, because callers choose the names.
REMEMBERED_MAX = 8_192

#: Gateways whose prefix does not change which provider serves the model.
_GATEWAYS = ("litellm_proxy",)
#: Other names of a provider, whose rows belong to the provider.
_FAMILIES = {
    "bedrock_converse": "bedrock",
    "cohere_chat": "cohere",
    "azure_text": "azure",
    "text-completion-openai": "openai",
    "vertex_ai_beta": "vertex_ai",
}
_BRANCHED = ("vertex_ai", "fireworks_ai")
#: Words between provider and model that name the way of the call and do not change the price.
_ROUTES = {
    "azure": ("responses/",),
    "bedrock": ("converse/", "converse_like/", "invoke/", "async_invoke/"),
    "fireworks_ai": ("accounts/fireworks/models/",),
    "gemini": ("models/",),
    "openai": ("responses/",),
}
_FINE_TUNED = re.compile(r"(ft:[^:]+):.+")
#: How Vertex AI itself calls the models of its partners, such as "claude-sonnet-4-5@20250929".
_VERTEX_VERSION = re.compile(r"[^/@]+@(?:\d+|default|latest)")
_STANDARD_VERSION = re.compile(r"(.+)@(?:default|latest)")
_ARN = re.compile(rf"arn:aws[a-z-]*:bedrock:({REGION}):\d*:(?:inference-profile|foundation-model)/([^/]+)")
_IN_REGION = re.compile(rf"({REGION})/([^/]+)")
_BEDROCK_ID = re.compile(rf"(?:({GEOGRAPHY})\.)?([a-z0-9]+\.[^/]+)")
#: Google's resource names: Vertex AI's, with its location, publisher and model, and the beginning of the Gemini API's.
_ON_VERTEX = re.compile(r"(?:projects/[^/]+/locations/([^/]+)/)?publishers/([^/]+)/models/([^/]+)")
_IN_PROJECT = ("projects/", "publishers/")
_OF_GEMINI = "models/"
#: Partitions of AWS with their own prices, where another region's price never applies.
_APART = ("us-gov", "cn-")


class _Row(Protocol):
    @property
    def provider(self) -> str: ...


class ModelNames:
    """Finds rows by name.

    Args:
        rows: The rows by name. Each has a `provider`, empty if not given.
        aliases: The operator's own names, each with the name of its row.
        same_price: Returns True if two rows, given by name, have the same prices.
        provider_of: Returns the provider of a row, by its name. None: it is read from the row, which is built for that.
    """

    def __init__(
        self,
        rows: Mapping[str, _Row],
        aliases: Mapping[str, str],
        same_price: Callable[[str, str], bool],
        provider_of: Callable[[str], str] | None = None,
    ) -> None:
        self._rows, self._aliases, self._same_price = rows, aliases, same_price
        self._provider_of = provider_of or (lambda name: rows[name].provider)
        self._others: dict[tuple[str, str], tuple[str, ...]] = {}
        self._geographies: Mapping[str, tuple[str, ...]] | None = None

    def row(self, model: str, provider: str = "") -> str | None:
        """Return the name of the row that a name means. None if there is no such row.

        Args:
            model: The name as it was sent.
            provider: The provider as it was sent. Empty: not given, so only the name is used.
        """
        for gateway in _GATEWAYS:
            model = model.removeprefix(f"{gateway}/")
            provider = "" if provider == gateway else provider
        if provider:
            return self._row_at(model, family(provider))
        found = self._as_it_is(model)
        if found is not None:
            return found
        provider, rest = provider_by_form(model), model
        if not provider:
            provider, _, rest = model.partition("/")
        return self._of(family(provider), rest) if provider and rest else None

    def other_names(self, model: str, provider: str = "") -> tuple[str, ...]:
        """See `Prices.other_names`. Called for every charge that names a model."""
        names = self._others.get((model, provider))
        if names is None:
            if len(self._others) >= REMEMBERED_MAX:
                self._others.clear()
            names = self._others[model, provider] = self._named(model, provider)
        return names

    def known(self) -> Iterator[tuple[str, str]]:
        """Yield every name of every row, and every alias, each with its row. Takes about 80 ms for 5,000 rows."""
        for row in self._rows:
            for name in (row, *self._named(row, "")):
                yield name, row
        yield from self._aliases.items()

    def _named(self, model: str, provider: str) -> tuple[str, ...]:
        row = self.row(model, provider)
        names = [] if row is None else [row]
        for name in (model, *names):
            names += bare_names(name)
        names += self._with_provider(model, provider, row)
        return tuple(name for name in dict.fromkeys(names) if name and name != model)

    def _with_provider(self, model: str, provider: str, row: str | None) -> Iterator[str]:
        """Yield the name with the prefix of its provider, if known, for patterns such as "openai/*".

        A provider that was given comes before that of the row: an alias may mean another provider's row.
        """
        if provider:
            yield from _behind((provider, family(provider)), model)
        given = "" if provider in _GATEWAYS else family(provider)
        if row is not None:
            owner = family(self._provider_of(row)) or given
            if owner and given in ("", owner):
                yield from _behind((owner,), row)
        elif not provider and (by_form := provider_by_form(model) or ("bedrock" if is_bedrock_id(model) else "")):
            yield from _behind((by_form,), model)

    def _as_it_is(self, name: str) -> str | None:
        if name in self._rows:
            return name
        return self._aliases.get(name)

    def _row_at(self, model: str, provider: str) -> str | None:
        """Return the row of a model whose provider was given: the operator's alias, or a row of that provider."""
        if model in self._aliases:
            return self._aliases[model]
        prefix, _, rest = model.partition("/")
        says_so_itself = bool(rest) and family(prefix) == provider
        if says_so_itself and model in self._rows:
            return model
        found = self._of(provider, model)
        if found is None and says_so_itself:
            found = self._of(provider, rest)
        if found is None and model in self._rows and not self._provider_of(model):
            return model
        return found

    def _of(self, provider: str, rest: str) -> str | None:
        """Return the first of a provider's rows that matches a spelling of the rest of the name. None if none does."""
        for spelling in self._spellings(provider, rest):
            for name in (f"{provider}/{spelling}", f"{provider.replace('_', '-')}/{spelling}", spelling):
                if name in self._rows and family(self._provider_of(name)) == provider:
                    return name
                if name in self._aliases and name != rest:
                    return self._aliases[name]
        return None

    def _spellings(self, provider: str, rest: str) -> Iterator[str]:
        yield rest
        for route in _ROUTES.get(provider, ()):
            if rest.startswith(route):
                rest = rest.removeprefix(route)
                yield rest
        if provider == "bedrock":
            yield from self._on_bedrock(rest)
        elif provider == "openai" and (tuned := _FINE_TUNED.fullmatch(rest)):
            yield tuned[1]
        elif provider == "vertex_ai":
            yield from _on_vertex(rest)
        elif provider == "fireworks_ai" and "/" not in rest:
            yield f"accounts/fireworks/models/{rest}"

    def _on_bedrock(self, rest: str) -> Iterator[str]:
        located = _ARN.fullmatch(rest) or _IN_REGION.fullmatch(rest)
        region, model = (located[1], located[2]) if located else ("", rest)
        parts = _BEDROCK_ID.fullmatch(model)
        if parts is None:
            return
        geography, base = parts[1], parts[2]
        if region:
            yield f"{region}/{model}"
            if region.startswith(_APART) and not (geography or "").startswith(_APART):
                return
        yield model
        if geography and not geography.startswith(_APART) and self._costs_the_same_everywhere(base):
            yield base

    def _costs_the_same_everywhere(self, base: str) -> bool:
        """Return True if no known geography of a model of Bedrock costs more than the model itself."""
        if self._geographies is None:
            found: dict[str, list[str]] = {}
            for name in self._rows:
                if (parts := _BEDROCK_ID.fullmatch(name)) and parts[1]:
                    found.setdefault(parts[2], []).append(name)
            self._geographies = {base: tuple(names) for base, names in found.items()}
        return base in self._rows and all(self._same_price(base, name) for name in self._geographies.get(base, ()))


def family(provider: str) -> str:
    """Return the provider to which another name of it belongs: "vertex_ai" for "vertex_ai-language-models"."""
    for name in _BRANCHED:
        if provider.startswith(f"{name}-"):
            return name
    return _FAMILIES.get(provider, provider)


def _behind(providers: tuple[str, ...], name: str) -> Iterator[str]:
    """Yield the name with each provider as its prefix, unless it already begins with one of them."""
    if not name.startswith(tuple(f"{provider}/" for provider in providers)):
        for provider in providers:
            yield f"{provider}/{name}"


def parse_place(model: str) -> str:
    """Return the location in a resource name of Vertex AI, such as "us-east5". Empty if the name has none."""
    resource = _ON_VERTEX.search(model)
    return (resource[1] or "") if resource else ""


def _on_vertex(rest: str) -> Iterator[str]:
    if resource := _ON_VERTEX.fullmatch(rest):
        publisher, rest = resource[2], resource[3]
        yield f"{publisher}/{rest}"
        yield rest
    if versioned := _STANDARD_VERSION.fullmatch(rest):
        yield versioned[1]


def provider_by_form(model: str) -> str:
    """Return the provider of a name without a provider's prefix, if its form shows it. Empty otherwise."""
    if model.startswith("arn:aws"):
        return "bedrock"
    if model.startswith(_IN_PROJECT):
        return "vertex_ai"
    if model.startswith(_OF_GEMINI):
        return "gemini"
    if "/" in model:
        return ""
    if model.startswith("ft:"):
        return "openai"
    if _VERTEX_VERSION.fullmatch(model):
        return "vertex_ai"
    parts = _BEDROCK_ID.fullmatch(model)
    return "bedrock" if parts and parts[1] else ""
