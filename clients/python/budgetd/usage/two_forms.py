"""Checks a usage in two forms: counts of another form next to those of the form that is read.

LiteLLM's objects may have both forms with the same numbers. If the numbers differ, it is unknown which are billed.
"""

from budgetd.usage.dialect import Reading
from budgetd.usage.errors import UsageValueError
from budgetd.usage.recogniser import LIBRARIES, ORDER

#: Where Vercel's AI SDK repeats the provider's own usage, whose input may exclude the cache.
_RAW = "raw."
_SAME = {"_other_input": "input_tokens", "_other_output": "output_tokens"}


def _counts_of_tokens() -> dict[str, frozenset[str]]:
    """Return the token counts that each path stands for in any provider's form."""
    found: dict[str, set[str]] = {}
    for dialect in ORDER:
        if dialect.name in LIBRARIES:
            continue
        for path, part in dialect.parts.items():
            name = _SAME.get(part, part)
            if name.endswith("_tokens") or name == "_total":
                found.setdefault(path, set()).add(name)
    return {path: frozenset(names) for path, names in found.items()}


_TOKENS = _counts_of_tokens()


def check_one_form(reading: Reading) -> None:
    """Refuse tokens under a name of another form unless they equal the count that was read. Equal ones are not unread.

    Raises:
        UsageValueError: They differ, and the cost is not known.
    """
    for path in list(reading.unread):
        names = _TOKENS.get(path.removeprefix(_RAW))
        if names is None or f"usage.{path}" in reading.paths.values():
            continue  # Not of another form: an unknown count, or an unexplained total.
        value = reading.leaves.get(path)
        if any(value in _read(reading, name) for name in names):
            reading.unread.remove(path)
        elif not reading.is_cost_known and not path.startswith(_RAW):
            name = min(names)
            same = f"{reading.paths.get(name, name.strip('_'))} {max(_read(reading, name))}"
            raise UsageValueError(
                f"usage.{path}", f"must equal {same}: two forms of usage give different numbers", value
            )


def _read(reading: Reading, name: str) -> set[int]:
    """Return the values of a count: as in the answer, and after the rule of totals."""
    if name != "_total":
        read = {reading.as_reported.get(name, 0), reading.of(name)}
        if name == "input_tokens" and reading.of("_uncached"):
            read.add(reading.of("_uncached"))
        return read
    reported = reading.as_reported
    return {
        reported.get("_total", 0),
        reported.get("input_tokens", 0) + reported.get("output_tokens", 0),
        reading.of("input_tokens") + reading.of("output_tokens"),
    }
