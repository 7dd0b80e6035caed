"""A dialect: the form in which a provider reports what a call used, and how neutral counts are read from it.

The neutral counts are the fields of the contract's `Usage`. Counts whose names begin with "_" are not sent: they check
other counts, or the dialect's rule of totals adds them to others.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from numbers import Integral, Number
from typing import NamedTuple

from budgetd.usage.errors import UsageTypeError, UsageValueError
from budgetd.usage.fields import Fields, get

#: The highest count that is accepted.
COUNT_MAX = 10**12
#: Parts of the names of models whose video tokens have a price of their own, which a usage cannot express.
DEAR_VIDEO = ("-live", "native-audio", "-omni", "gemini-embedding")
#: Counts that a usage has under a name other than the dialect's own.
_OTHER_NAMES = {"input_tokens": "_other_input", "output_tokens": "_other_output"}
#: The end of a pattern that matches every path below it.
ANYTHING = ".*"
#: Where gateways and some providers put the cost of a call, in a usage of any form: by path, how many of its units make
#: a dollar.
MONEY = {"cost": 1, "cost.total_cost": 1, "estimated_cost": 1, "cost_in_usd_ticks": 10_000_000_000}
#: Amounts that may be reported with that cost and add nothing to it. Without the cost they are unread.
COST_PARTS = {
    "cost.*": "is part of the cost",
    "cost_details.*": "is part of the cost",
    "gateway_cost": "is the cost again",
    "market_cost": "is the cost at list prices",
}


class Look(NamedTuple):
    """What a dialect is recognised by."""

    #: The whole answer; parts of it are read with `fields.get`.
    answer: object
    #: LiteLLM's hidden parameters; empty if it has none.
    hidden: object
    #: The fields of its usage; empty if it has none.
    usage: Fields
    #: The model's name in lower case; empty if the answer has none.
    model: str
    #: The provider that serves the model, if LiteLLM names it; else empty.
    provider: str
    #: True for a line of a batch's results.
    is_batch: bool = False

    def get(self, name: str) -> object:
        """Return a part of the answer, or None."""
        return get(self.answer, name)

    def is_of(self, *words: str) -> bool:
        """Return True if the provider's name begins with one of the words, or the model's name contains one."""
        return self.provider.startswith(words) or any(word in self.model for word in words)


@dataclass(slots=True)
class Reading:
    """A usage that is being read."""

    look: Look
    #: The neutral counts, and those that only check them. A missing count is zero.
    counts: dict[str, int] = field(default_factory=dict)
    #: The path at which each count was found.
    paths: dict[str, str] = field(default_factory=dict)
    #: Paths of numbers that this dialect does not know.
    unread: list[str] = field(default_factory=list)
    #: All values of the usage, by path.
    leaves: dict[str, object] = field(default_factory=dict)
    #: True if the cost is known. Then an unexplained total does not refuse the charge.
    is_cost_known: bool = False
    #: The counts before the rule of totals changed them. Empty if nothing is unread.
    as_reported: Mapping[str, int] = field(default_factory=dict)
    #: The error for a missing count. Not raised if the cost is known, or if two forms of usage are the reason.
    missing: UsageValueError | None = None
    #: The counts of each request that the usage sums. Empty if it is a single request.
    requests: list[dict[str, int]] = field(default_factory=list)

    def of(self, name: str) -> int:
        """Return a count. Zero if there is none."""
        return self.counts.get(name, 0)

    def add(self, name: str, more: int) -> None:
        """Increase a count by an amount that other fields hold."""
        if more:
            self.counts[name] = self.counts.get(name, 0) + more

    def leave_unpriced(self, path: str) -> None:
        """Report a path as unread because it costs something that has no price here, unless the cost is known."""
        if not self.is_cost_known and path not in self.unread:
            self.unread.append(path)

    def refuse(self, name: str, rule: str) -> UsageValueError:
        """Return the error for a count that breaks a rule."""
        return UsageValueError(self.paths.get(name, name), rule, self.of(name))


#: Applies a dialect's rule of totals: changes the counts of a reading, or raises a UsageError.
Settle = Callable[[Reading], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How one form of answer is read.

    To add a provider, add a module with a `Dialect`, its import and its place in `recogniser.ORDER`, its rows in
    docs/prices.md, and cases in tests/usage.
    """

    #: Sent as `usage_dialect`: 1 to 32 of a-z, 0-9 and "_".
    name: str
    #: True if an answer has this form.
    is_it: Callable[[Look], bool]
    #: The count at each path of the usage. If the name ends in "_seconds", the path holds seconds, possibly fractional;
    #: they are kept as milliseconds.
    parts: Mapping[str, str]
    #: Paths that add nothing to the charge, each with the reason. One that ends in ".*" is for all paths below it.
    harmless: Mapping[str, str]
    #: Paths, also of texts and of what `outside` finds, that cost something without a price here, each with the reason.
    #: They are reported as unread unless the cost is known. ".*" as above.
    unpriced: Mapping[str, str] = field(default_factory=dict)
    #: As `MONEY`.
    money: Mapping[str, int] = field(default_factory=lambda: MONEY)
    settle: Settle
    #: The counts without which a usage of tokens is not whole: see `_missing`.
    needs: Callable[[Look], tuple[str, ...]] = lambda _: ("input_tokens", "output_tokens")
    #: Returns the provider, by LiteLLM's name, if only that provider sends such an answer; else "".
    provider: Callable[[Look], str] = lambda _: ""
    #: Returns what the answer counts outside its usage, by paths in `parts` or `unpriced`.
    outside: Callable[[Look], Mapping[str, object]] = lambda _: {}


def read(dialect: Dialect, look: Look, leaves: dict[str, object], *, is_cost_known: bool) -> Reading:
    """Read a usage in the form of a dialect. `leaves` has all values of the usage.

    Raises:
        UsageError: A value is not a count, or counts contradict each other.
    """
    reading = Reading(look, leaves=leaves, is_cost_known=is_cost_known)
    _take_usage(reading, dialect)
    _take_outside(reading, dialect)
    _take_zero_total(reading, dialect)
    reading.missing = _missing(reading, dialect)
    if reading.missing and is_cost_known and reading.counts.pop("_total", 0):
        reading.unread.append(reading.paths["_total"].removeprefix("usage."))
    if reading.unread:
        reading.as_reported = dict(reading.counts)
    elif reading.missing and not is_cost_known:
        raise reading.missing
    for part, kind in _CACHED_KINDS.items():
        if part in reading.counts and kind not in reading.counts:
            # Only the cache is split by kind, so the input has at least that much of the kind.
            reading.counts[kind], reading.paths[kind] = reading.counts[part], reading.paths[part]
    dialect.settle(reading)
    for name in ("_video_input", "_video_output"):
        if reading.of(name) and look.is_of(*DEAR_VIDEO):
            reading.leave_unpriced(reading.paths[name].removeprefix("usage."))
    return reading


def need_nothing(_: Look) -> tuple[str, ...]:
    """Require no count. For answers that may have only input, only a total, or something else."""
    return ()


def _take_zero_total(reading: Reading, dialect: Dialect) -> None:
    """Keep a total of zero, which may contradict other counts. `leaves` has no zeros."""
    for path, name in dialect.parts.items():
        if name == "_total" and name not in reading.counts and _is_zero(reading.look.usage, path):
            reading.counts[name], reading.paths[name] = 0, f"usage.{path}"


def _missing(reading: Reading, dialect: Dialect) -> UsageValueError | None:
    """Return the error for a usage of tokens whose input or output is missing and would be charged as nothing, or None.

    A zero is not missing. A total that equals the input shows that there was no output.
    """
    look, counts = reading.look, reading.counts
    if not any(counts[name] for name in counts if name.endswith("_tokens") or name[0] == "_"):
        return None
    for need in dialect.needs(look):
        paths = _paths_of(need, dialect)
        if any(path in reading.leaves or _is_zero(look.usage, path) for path in paths):
            continue
        if "output" in need and counts.get("_total") == (reading.of("input_tokens") or reading.of("_other_input")):
            continue
        return absent_count(need, dialect, look)
    return None


def _paths_of(need: str, dialect: Dialect) -> list[str]:
    """Return the paths of a count, under its own name and that of other forms."""
    names = {need, _OTHER_NAMES.get(need)}
    return [path for path, name in dialect.parts.items() if name in names]


def absent_count(need: str, dialect: Dialect, look: Look) -> UsageValueError:
    """Return the error for a required count that is missing, or that is zero although the answer has output."""
    paths = _paths_of(need, dialect) or [need]
    zero = next((path for path in paths if _is_zero(look.usage, path)), None)
    if zero is not None:
        rule = "must count the text or the tool calls of the answer; pass the whole usage, or cost_usd="
        return UsageValueError(f"usage.{zero}", rule, 0)
    is_camel = any(name != name.lower() for name in look.usage)
    path = next((path for path in paths if (path != path.lower()) == is_camel), paths[0])
    return missing_count(f"usage.{path}", need)


def missing_count(path: str, name: str) -> UsageValueError:
    """Return the error for a usage without input or output, given the path and name of the count."""
    kind = "input" if "input" in name else "output"
    rule = f"must be there, or the {kind} would be charged as nothing; pass the whole usage, or cost_usd="
    return UsageValueError(path, rule, None)


def _is_zero(usage: Fields, path: str) -> bool:
    value: object = usage
    for name in path.split("."):
        value = get(value, name)
    return is_number(value) and value == 0


_CACHED_KINDS = {
    "cached_audio_input_tokens": "audio_input_tokens",
    "cached_image_input_tokens": "image_input_tokens",
}


def _take_usage(reading: Reading, dialect: Dialect) -> None:
    parts = dialect.parts
    for path, value in reading.leaves.items():
        name = parts.get(path)
        if name is not None:
            _take(reading, name, f"usage.{path}", value)
        elif path.rpartition(".")[0] in parts and not _is_known(dialect, path):
            rule = "must be a whole number, not a list or an object"
            raise UsageTypeError(f"usage.{path.rpartition('.')[0]}", rule, value)
        elif _is_empty(value):
            continue
        elif _is_in(dialect.unpriced, path) or (is_number(value) and _is_in(COST_PARTS, path)):
            reading.leave_unpriced(path)
        elif is_number(value) and not _is_known(dialect, path):
            reading.unread.append(path)
        elif isinstance(value, str) and is_term(path, value) and not _is_known(dialect, path):
            reading.leave_unpriced(path)


def _is_empty(value: object) -> bool:
    """Return True for an empty list or object, which counts nothing."""
    return isinstance(value, list | tuple | dict) and not value


def is_term(path: str, text: str) -> bool:
    """Return True for a text whose name shows that the price depends on it, unless the text says that it is usual."""
    name = path.rpartition(".")[2].replace("_", "").lower()
    return path not in READ_TERMS and name.endswith(_TERMS) and text.lower() not in _USUAL_TERMS


#: Texts that are terms of the call.
READ_TERMS = frozenset(
    {"service_tier", "serviceTier", "speed", "traffic_type", "trafficType", "inference_geo", "inferenceGeo"}
)
#: Ends of names, without "_" and in lower case.
_TERMS = ("tier", "speed", "latency", "geo", "region", "cachetype", "priority", "quality", "resolution", "currency")
_USUAL_TERMS = frozenset({"", "auto", "default", "standard", "normal", "global", "none", "not_available", "usd"})


def _take_outside(reading: Reading, dialect: Dialect) -> None:
    counted = reading.of("web_searches")
    for path, value in dialect.outside(reading.look).items():
        name = dialect.parts.get(path)
        if name is None:
            reading.leave_unpriced(path)
        elif name != "web_searches" or not counted:
            # Only the searches that the usage counts are billed; the answer may show more.
            _take(reading, name, path, value)


def is_number(value: object) -> bool:
    """Return True for anything that could be a count or an amount. A bool is neither."""
    return not isinstance(value, bool) and isinstance(value, Number)


def _take(reading: Reading, name: str, path: str, value: object) -> None:
    """Keep a count. If two paths have the same count, their values must be equal."""
    count = _milliseconds(value, path) if name.endswith("_seconds") else whole(value, path)
    earlier = reading.counts.get(name)
    if earlier and count and earlier != count:
        rule = f"must equal {reading.paths[name]} {earlier}, which is the same count"
        raise UsageValueError(path, rule, value)
    if not earlier:
        reading.counts[name] = count
        reading.paths[name] = path


def whole(value: object, path: str) -> int:
    """Check a count and return it as an int.

    Args:
        value: A whole number of any type except bool.
        path: Where it is, for the message.

    Raises:
        UsageTypeError: The value is not a whole number.
        UsageValueError: The value is negative or above 10^12.
    """
    if type(value) is int:
        count = value
    elif not _is_whole(value):
        raise UsageTypeError(path, "must be a whole number", value)
    else:
        count = value  # type: ignore[assignment] # Whole, or an infinity, which is refused below.
    if not 0 <= count <= COUNT_MAX:
        raise UsageValueError(path, "must be from 0 to 10^12", value)
    return int(count)


def _is_whole(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value == value.to_integral_value()
    return not isinstance(value, bool) and isinstance(value, Integral | float) and value == value // 1


def _milliseconds(value: object, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        raise UsageTypeError(path, "must be a number of seconds", value)
    try:
        exact = Decimal(value if isinstance(value, int | str) else repr(float(value))) * 1000
    except ArithmeticError:
        raise UsageTypeError(path, "must be a number of seconds", value) from None
    if not exact.is_finite() or not 0 <= exact <= COUNT_MAX:
        raise UsageValueError(path, "must be from 0 to 10^9 seconds", value)
    return round(exact)


def _is_known(dialect: Dialect, path: str) -> bool:
    """Return True if the path adds nothing to the charge, or is money, which is read elsewhere."""
    return path in dialect.money or _is_in(dialect.harmless, path)


def _is_in(paths: Mapping[str, str], path: str) -> bool:
    """Return True if the path is one of these, or below one that ends in `ANYTHING`."""
    if path in paths:
        return True
    above = path
    while "." in above:
        above = above.rpartition(".")[0]
        if above + ANYTHING in paths:
            return True
    return False
