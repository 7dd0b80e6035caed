"""Reports faults of price files: the file, the key, the value, the rule, and similar keys."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from budgetd_server.domain.errors import short_repr

NEAR_KEYS_MAX = 3
#: The similarity, from 0 to 1, from which a key is suggested; "input_price" suggests "input_usd_per_mtok".
_ALIKE_MIN = 0.5
#: From this similarity to a key on, a dotted word is a misspelled key, not a part of a name.
_SLIP_MIN = 0.7
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")
_LINE_NUMBER = re.compile(r"\(at line ([0-9]+),")
_NOT_BARE = re.compile(r"[^\sA-Za-z0-9_.\-\[\]#]")


class Reporter:
    """Collects the faults of one part of a file. A `terms.ReportFault`.

    Args:
        where: The file, and the model if the part belongs to one.
        problems: Every fault is appended to it as a sentence.
    """

    def __init__(self, where: str, problems: list[str]) -> None:
        self._where, self._problems = where, problems
        #: False once a fault was reported, so that faults that only follow from it can be left out.
        self.is_clean = True

    def __call__(self, key: str, value: object, rule: str) -> None:
        """Report a key, its value (None if absent), and the rule that it breaks."""
        # A Decimal is shown as it was written.
        got = "none" if value is None else str(value)[:64] if isinstance(value, Decimal) else short_repr(value)
        self._problems.append(f"{self._where}: {key}: {rule}, got {got}")
        self.is_clean = False


@lru_cache(maxsize=1024)  # A file may have the same key in each of thousands of rows.
def unknown_key(key: str, known: frozenset[str], what: str = "a price file (docs/prices.md has all)") -> str:
    """Return the message for an unknown key, with at most three similar keys."""
    near = ", ".join(get_close_matches(key, sorted(known), NEAR_KEYS_MAX, _ALIKE_MIN))
    return f"is not a key of {what}{f'; similar keys are {near}' if near else ''}"


def split_names(name: str, table: Mapping[str, Any], known: frozenset[str]) -> Iterator[str]:
    """Yield names that TOML has split at a dot, since they were not quoted: `[models.gpt-4.1]` is table "1" of "gpt-4".

    Args:
        name: The name up to the table.
        table: A table of a model, or of such a part of a name.
        known: The keys that a model can have.
    """
    for key in split_keys(table, known):
        whole, inner = f"{name}.{key}", table[key]
        deeper = split_keys(inner, known)
        yield from split_names(whole, inner, known)
        if len(deeper) < len(inner) or not inner:
            yield whole


def split_keys(table: Mapping[str, Any], known: frozenset[str]) -> list[str]:
    """Return the keys of a table that are parts of split names: those of tables that are no misspelled keys."""
    return [
        key
        for key, value in table.items()
        if isinstance(value, dict) and key not in known and not get_close_matches(key, known, 1, _SLIP_MIN)
    ]


def dotted_names(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted names of all values in a table and its subtables."""
    for key, value in table.items():
        whole = f"{name}.{key}"
        yield from dotted_names(whole, value) if isinstance(value, dict) else (whole,)


def quotes_fault(table: str, name: str) -> str:
    """Return the message for a name that must be in quotes."""
    return f'{table}.{name}: a name with a dot must be in quotes: {table}."{name}"'


def quotes_hint(content: str, error: Exception) -> str:
    """Return a hint to add to a parser's error if an unquoted name may be the cause; else empty."""
    found = _LINE_NUMBER.search(str(error))
    line = content.split("\n")[int(found[1]) - 1] if found else ""
    if not _NOT_BARE.search(_QUOTED.sub("", line).partition("=")[0]):
        return ""
    return '; a name with other characters than letters, digits, - and _ must be in quotes, as in [models."acme/llama"]'
