"""One usage in two forms: a count that another form has, next to those of the form that is read.

LiteLLM's objects may carry both forms, which then give the same numbers. Where they differ, nothing shows which of them
is billed.
"""

from budgetd.usage.dialect import Reading
from budgetd.usage.errors import UsageValueError
from budgetd.usage.recogniser import LIBRARIES, ORDER

#: Where Vercel's AI SDK repeats a usage as the provider gave it, whose input may be less what the cache had.
_RAW = "raw."
_SAME = {"_other_input": "input_tokens", "_other_output": "output_tokens"}


def _counts_of_tokens() -> dict[str, frozenset[str]]:
    """The counts of tokens that each path has, in any form of a provider."""
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
    """Refuse tokens under the name of another form, unless they equal what was read. What equals is not unread.

    Raises:
        UsageValueError: They differ, and the cost is not known otherwise.
    """
    for path in list(reading.unread):
        names = _TOKENS.get(path.removeprefix(_RAW))
        if names is None or f"usage.{path}" in reading.paths.values():
            continue  # Not of another form: unknown, or a total that nothing explains.
        value = reading.leaves.get(path)
        if any(value in _read(reading, name) for name in names):
            reading.unread.remove(path)
        elif not reading.is_cost_told and not path.startswith(_RAW):
            name = min(names)
            same = f"{reading.paths.get(name, name.strip('_'))} {max(_read(reading, name))}"
            raise UsageValueError(
                f"usage.{path}", f"must equal {same}: two forms of usage give different numbers", value
            )


def _read(reading: Reading, name: str) -> set[int]:
    """What was read of a count: as the answer has it, and as the rule of totals made it."""
    if name != "_total":
        read = {reading.told.get(name, 0), reading.of(name)}
        if name == "input_tokens" and reading.of("_uncached"):
            read.add(reading.of("_uncached"))
        return read
    told = reading.told
    return {
        told.get("_total", 0),
        told.get("input_tokens", 0) + told.get("output_tokens", 0),
        reading.of("input_tokens") + reading.of("output_tokens"),
    }
