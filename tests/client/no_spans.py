"""What is no span of time that a call can wait, each with the error and the rule that it breaks."""

from decimal import Decimal
from typing import Any

_NUMBER, _RANGE = "a number of seconds", "a finite number above 0 and at most 1,000,000"
NO_SPANS: list[tuple[Any, type[Exception], str]] = [
    ("2", TypeError, _NUMBER),
    (b"2", TypeError, _NUMBER),
    (True, TypeError, _NUMBER),
    ([2], TypeError, _NUMBER),
    (2j, TypeError, _NUMBER),
    (Decimal(2), TypeError, _NUMBER),
    (0, ValueError, _RANGE),
    (-0.0, ValueError, _RANGE),
    (-1, ValueError, _RANGE),
    (float("nan"), ValueError, _RANGE),
    (float("inf"), ValueError, _RANGE),
    (1e300, ValueError, _RANGE),
    (10**400, ValueError, _RANGE),
    (1_000_000.1, ValueError, _RANGE),
]
