"""Anthropic's iterations: a message that took several runs of the model has a usage for each run.

The top-level usage is that of the last run only, without the runs that compacted the context. Each run is a request and
is priced as one. Runs that another model took over are not billed. Runs of an adviser use another model and cannot be
priced as this one's.
"""

from collections.abc import Iterator

from budgetd.usage.dialect import Reading, missing_count, whole
from budgetd.usage.errors import UsageTypeError, UsageValueError
from budgetd.usage.fields import Fields, fields_of
from budgetd.usage.totals import are_parts_inside, refuse_lives

#: The most requests that are sent in one usage.
REQUESTS_MAX = 64
_HOLDER = "iterations"
#: The counts of a run other than its input, under the names that the usage itself has.
_PARTS = {
    "output_tokens": "output_tokens",
    "cache_read_input_tokens": "cached_input_tokens",
    "cache_creation_input_tokens": "cache_write_tokens",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h_tokens",
    "cache_creation.ephemeral_5m_input_tokens": "_written_5m",
    "output_tokens_details.thinking_tokens": "reasoning_tokens",
}
#: The parts of a run's cache writes.
_LIVES = ("cache_creation.ephemeral_1h_input_tokens", "cache_creation.ephemeral_5m_input_tokens")
#: What each run has.
_NEEDED = ("input_tokens", "output_tokens")
_INPUTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def add_iterations(reading: Reading) -> None:
    """Replace the usage by the sum of its billed iterations, if it has any. The input then includes the cache.

    Raises:
        UsageError: A value is not a count, or the usage exceeds the sum of its iterations.
    """
    if _HOLDER not in reading.look.usage:
        return
    missing = reading.missing
    runs = [_run(reading, index) for index in _billed(reading)]
    if not runs:
        return
    sums = {part: sum(run[part] for run in runs) for part in runs[0]}
    if not sums["reasoning_tokens"]:  # LiteLLM counts the text of the reasoning where no run counts its tokens.
        del sums["reasoning_tokens"]
    if reading.missing is missing:  # Otherwise the sums of the runs are not whole.
        _check_covered(reading, sums)
    reading.counts.update(sums)
    if len(runs) > 1:
        reading.requests = runs
    whole = sums["input_tokens"] + sums["output_tokens"]
    total = reading.counts.pop("_total", whole)  # It may be the total of the last run only.
    if total > whole or (whole and not total):
        rule = f"must not exceed {whole}, the sum of the iterations, nor be zero"
        raise UsageValueError(reading.paths["_total"], rule, total)


def requests_of(reading: Reading) -> list[dict[str, int]]:
    """Return the counts of each request that a settled usage sums. Empty if it is a single request.

    Counts that no run has, such as web searches, are added to the last run. If the runs cannot be sent as requests,
    because there are too many or a part exceeds its whole, they are priced as one request and reported as unread.
    """
    requests = reading.requests
    if not requests:
        return []
    last = requests[-1]
    for name, count in reading.counts.items():
        if not name.startswith("_"):
            last[name] = last.get(name, 0) + count - sum(run.get(name, 0) for run in requests)
    if len(requests) <= REQUESTS_MAX and all(map(are_parts_inside, requests)):
        return requests
    reading.leave_unpriced(_HOLDER)
    return []


def _run(reading: Reading, index: int) -> dict[str, int]:
    """Return the counts of a run. Its input includes the cache."""
    counts = {part: _count(reading, index, path) for path, part in _PARTS.items()}
    counts["input_tokens"] = sum(_count(reading, index, path) for path in _INPUTS)
    written, whole = counts["cache_write_tokens"], f"usage.{_HOLDER}.{index}.cache_creation_input_tokens"
    lives = {f"usage.{_HOLDER}.{index}.{path}": counts[_PARTS[path]] for path in _LIVES if counts[_PARTS[path]]}
    if written and lives and sum(lives.values()) != written:
        raise refuse_lives(lives, f"{whole} {written}")
    # Without lifetimes, all writes were for five minutes.
    counts["_written_5m"] = max(counts["_written_5m"], written - counts["cache_write_1h_tokens"])
    return counts


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
    """Yield the kind of each run."""
    runs = reading.look.usage[_HOLDER]
    if runs is not None and not isinstance(runs, list | tuple):
        raise UsageTypeError(f"usage.{_HOLDER}", "must be a list", runs)
    for index, run in enumerate(runs or ()):
        fields: Fields | None = fields_of(run, f"usage.{_HOLDER}.{index}")
        if fields is None:
            raise UsageTypeError(f"usage.{_HOLDER}.{index}", "must be an object or a dictionary", run)
        missing = next((name for name in _NEEDED if fields.get(name) is None), None)
        if missing:
            reading.missing = missing_count(f"usage.{_HOLDER}.{index}.{missing}", missing)
            if not reading.is_cost_known:
                raise reading.missing
        yield str(fields.get("type"))


def _count(reading: Reading, index: int, path: str) -> int:
    where = f"{_HOLDER}.{index}.{path}"
    value = reading.leaves.get(where, 0)
    return whole(value, f"usage.{where}")


def _check_covered(reading: Reading, sums: dict[str, int]) -> None:
    """Refuse a usage that exceeds the sum of its runs: it is one of the runs, or their sum."""
    for name, total in sums.items():
        if reading.of(name) > total:
            rule = f"must not exceed {total}, the sum of the iterations"
            raise reading.refuse(name, rule)
