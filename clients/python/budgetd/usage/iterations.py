"""Anthropic's iterations: a message that took several runs of the model has the usage of each.

The usage itself is that of the last run alone, without the runs that compacted the context. Runs that another model
took over are not billed. Runs of an adviser are those of another model, and cannot be priced as this one's.
"""

from collections.abc import Iterator

from budgetd.usage.dialect import Reading, whole
from budgetd.usage.errors import UsageTypeError
from budgetd.usage.fields import Fields, fields_of

_HOLDER = "iterations"
#: The input above which a request to these models costs more. One request to others costs what several do.
_LONG = {
    "claude-haiku-5-5": 100_000,
    "claude-haiku-5.5": 100_000,
    "claude-haiku-latest": 100_000,
    "claude-sonnet-4-5": 200_000,
    "claude-sonnet-4-2025": 200_000,
}
#: Beside what a run counts, which is added up under the same names as the usage itself.
_PARTS = {
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_input_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "_written_5m",
    "output_tokens_details.thinking_tokens": "reasoning_tokens",
}
_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def add_iterations(reading: Reading) -> None:
    """Replace the usage by the sum of its billed iterations, if it has any; input then includes the cache.

    Raises:
        UsageError: A count is none, or the usage is more than the sum of its iterations.
    """
    if _HOLDER not in reading.look.usage:
        return
    sums: dict[str, int] = {}
    inputs: list[int] = []
    for index in _billed(reading):
        inputs.append(sum(_count(reading, index, path) for path in _INPUTS))
        for path, part in _PARTS.items():
            sums[part] = sums.get(part, 0) + _count(reading, index, path)
        sums["input_tokens"] = sums.get("input_tokens", 0) + _count(reading, index, "input_tokens")
    if not sums:
        return
    sums["input_tokens"] += sums["cached_input_tokens"] + sums["cache_write_tokens"]
    _check_covered(reading, sums)
    reading.counts.update(sums)
    if any(name in reading.look.model and min(inputs) <= long < sum(inputs) for name, long in _LONG.items()):
        reading.leave_unpriced(_HOLDER)
    whole = sums["input_tokens"] + sums["output_tokens"]
    if reading.of("_total") > whole:
        raise reading.refuse("_total", f"must not exceed {whole}, the sum of the iterations")
    reading.counts["_total"] = 0  # It may be that of the last run alone.


def _billed(reading: Reading) -> Iterator[int]:
    runs = list(_runs(reading))
    has_fallback = any(kind == "fallback_message" for kind in runs)
    for index, kind in enumerate(runs):
        if kind == "advisor_message":
            prefix = f"{_HOLDER}.{index}."
            reading.unread += [
                path for path, value in reading.leaves.items() if path.startswith(prefix) and isinstance(value, int)
            ]
        elif not (has_fallback and kind == "message"):
            yield index


def _runs(reading: Reading) -> Iterator[str]:
    """The kind of each run."""
    runs = reading.look.usage[_HOLDER]
    if runs is not None and not isinstance(runs, list | tuple):
        raise UsageTypeError(f"usage.{_HOLDER}", "must be a list", runs)
    for index, run in enumerate(runs or ()):
        fields: Fields | None = fields_of(run, f"usage.{_HOLDER}.{index}")
        if fields is None:
            raise UsageTypeError(f"usage.{_HOLDER}.{index}", "must be an object or a dictionary", run)
        yield str(fields.get("type"))


def _count(reading: Reading, index: int, path: str) -> int:
    where = f"{_HOLDER}.{index}.{path}"
    value = reading.leaves.get(where, 0)
    return whole(value, f"usage.{where}")


def _check_covered(reading: Reading, sums: dict[str, int]) -> None:
    """The usage itself is one of its runs, or their sum, and so never more than the sum."""
    for name, total in sums.items():
        if reading.of(name) > total:
            rule = f"must not exceed {total}, the sum of the iterations"
            raise reading.refuse(name, rule)
