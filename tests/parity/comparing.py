"""What a call came to on each side, and how the two differ."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.parity.amended import RefusedError
from tests.parity.completions import UNKNOWN_MODEL
from tests.parity.theirs import litellm

#: How far two figures may be apart, as a part of the larger one or in dollars.
FIGURE_TOLERANCE = 1e-9
#: How far two times may be apart, in seconds: ours are whole microseconds, and a float holds little more.
TIME_TOLERANCE_SECONDS = 2e-6
TIMES = frozenset({"created_at", "last_updated_at"})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a call returned, as it was at that moment, or what it raised."""

    value: Any = None
    error: Exception | None = None

    def __str__(self) -> str:
        if self.error is None:
            return repr(self.value)
        return f"{type(self.error).__name__}({str(self.error)!r})"


def outcome(call: Callable[[Any], Any], manager: Any) -> Outcome:
    """Make a call, whatever comes of it."""
    try:
        return Outcome(plain(call(manager)))
    except Exception as error:  # noqa: BLE001 - What is raised is what is compared.
        return Outcome(error=error)


def plain(value: Any) -> Any:
    """A copy in dicts, lists and values of Python's own."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value


def differences(theirs: Outcome, ours: Outcome) -> list[str]:
    """Each difference between two outcomes, as a sentence; empty: they agree."""
    if theirs.error is None and ours.error is None:
        return _between(theirs.value, ours.value, "result")
    if theirs.error is None or ours.error is None:
        return [f"one of them raises: theirs {theirs}, ours {ours}"]
    return _between_errors(theirs.error, ours.error)


def _between(theirs: Any, ours: Any, where: str) -> list[str]:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return _between_mappings(theirs, ours, where)
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        pairs = enumerate(zip(theirs, ours, strict=True))
        return [each for place, (one, other) in pairs for each in _between(one, other, f"{where}[{place}]")]
    is_same = _same_number(theirs, ours, where) if _is_number(theirs) and _is_number(ours) else _same(theirs, ours)
    return [] if is_same else [f"{where}: theirs {theirs!r}, ours {ours!r}"]


def _between_mappings(theirs: dict[Any, Any], ours: dict[Any, Any], where: str) -> list[str]:
    found = [f"{where}[{key!r}] is missing in ours" for key in theirs if key not in ours]
    found += [f"{where}[{key!r}] is in ours only" for key in ours if key not in theirs]
    for key in (key for key in theirs if key in ours):
        found += _between(theirs[key], ours[key], f"{where}[{key!r}]")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _same(theirs: Any, ours: Any) -> bool:
    return type(theirs) is type(ours) and bool(theirs == ours)


def _same_number(theirs: float, ours: float, where: str) -> bool:
    if any(where.endswith(f"[{name!r}]") for name in TIMES):
        return abs(theirs - ours) <= TIME_TOLERANCE_SECONDS
    return math.isclose(theirs, ours, rel_tol=FIGURE_TOLERANCE, abs_tol=FIGURE_TOLERANCE)


def _between_errors(theirs: Exception, ours: Exception) -> list[str]:
    both = f"theirs {type(theirs).__name__}({str(theirs)!r}), ours {type(ours).__name__}({str(ours)!r})"
    if isinstance(theirs, RefusedError):
        is_same = isinstance(ours, ValueError | TypeError) and theirs.argument in str(ours)
    elif type(theirs).__module__.startswith("litellm"):
        is_same = isinstance(ours, litellm.BadRequestError) and UNKNOWN_MODEL in str(ours)
    else:
        is_same = isinstance(ours, type(theirs)) and _message(theirs) == _message(ours)
    return [] if is_same else [both]


def _message(error: Exception) -> str:
    """What an error says, without the class that Python names before a method: the method may be inherited."""
    text = str(error)
    before, call, after = text.partition("() ")
    return f"{before.rpartition('.')[2]}{call}{after}" if call and " " not in before else text
