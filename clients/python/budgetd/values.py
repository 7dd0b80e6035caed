"""Checks arguments (dollars, seconds, names), and converts them to the contract's units and back.

Each error names the argument, the value and the rule. Money is a float only outside this module: a float is read by its
shortest decimal form, which is what its writer meant, and rounded once to whole nano-dollars.
"""

import math
from collections.abc import Callable
from decimal import ROUND_HALF_EVEN, Decimal
from functools import partial
from typing import TypeVar

from google.protobuf.timestamp_pb2 import Timestamp

NANO_USD_PER_USD = 1_000_000_000
USD_MAX = 1_000_000_000
ID_BYTES_MAX = 256
#: The longest window.
DURATION_DAYS_MAX = 3_653
_MICROSECONDS = 1_000_000
_US_PER_DAY = 86_400 * _MICROSECONDS
#: In seconds since 1970.
_YEAR_10000 = 253_402_300_800
#: The longest timeout, about eleven days: gRPC keeps some timeouts as milliseconds in 32 bits.
SECONDS_MAX = 1_000_000
_USD_RULE = f"must be a number of dollars from 0 to {USD_MAX:,}"
_TIME_RULE = "must be a time of the years 1970 to 9999, in seconds since 1970"
_LENGTH_RULE = f"must be a number of days, from one second to {DURATION_DAYS_MAX:,} days"

T = TypeVar("T")


class BrokenRule(Exception):
    """A value breaks a rule."""

    def __init__(self, rule: str, *, is_type: bool = False) -> None:
        super().__init__(rule)
        #: What the value must be: the end of a sentence that begins with its name.
        self.rule = rule
        #: True if the value is of the wrong type, whatever it says.
        self.is_type = is_type


def parse_nano_usd(dollars: object, *, is_limit: bool = False) -> int:
    """Convert dollars, an int, a float or a Decimal, to whole nano-dollars, rounding half to even.

    Args:
        dollars: The amount.
        is_limit: As in `parse_dollars`.

    Raises:
        BrokenRule: The value is not a number, is negative, infinite or NaN, is above a billion, or is too small.
    """
    number = _finite(dollars, _USD_RULE)
    if not 0 <= number <= USD_MAX:
        raise BrokenRule(_USD_RULE)
    # The shortest decimal form of a float is what its writer meant; it is rounded once.
    exact = Decimal(repr(float(number)) if isinstance(number, float) else number)
    if is_limit and 0 < exact * NANO_USD_PER_USD < 1:
        raise BrokenRule("must be 0, or at least a nano-dollar (1e-09)")
    return int((exact * NANO_USD_PER_USD).to_integral_value(ROUND_HALF_EVEN))


def parse_seconds(seconds: object) -> float:
    """Return seconds since the Unix epoch as a float.

    Raises:
        BrokenRule: The value is not a number, or the time is not in the years 1970 to 9999.
    """
    number = _finite(seconds, _TIME_RULE)
    if not 0 <= number < _YEAR_10000:
        raise BrokenRule(_TIME_RULE)
    return float(number)


def parse_length_us(days: object) -> int:
    """Convert days to microseconds.

    Raises:
        BrokenRule: The value is not a number, is shorter than a second, or is longer than 3,653 days.
    """
    number = _finite(days, _LENGTH_RULE)
    if not 0 < number <= DURATION_DAYS_MAX or (length_us := round(number * _US_PER_DAY)) < _MICROSECONDS:
        raise BrokenRule(_LENGTH_RULE)
    return length_us


def _finite(value: object, rule: str) -> int | float | Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise BrokenRule(rule, is_type=True)
    # An int may be larger than any float, and a Decimal may be a NaN that raises when it is compared.
    if not (isinstance(value, int) or (value.is_finite() if isinstance(value, Decimal) else math.isfinite(value))):
        raise BrokenRule(rule)
    return value


def _parse_argument(parse: Callable[[object], T], value: object, argument: str) -> T:
    """Parse an argument; the error of a broken rule names it and its value."""
    try:
        return parse(value)
    except BrokenRule as broken:
        error = TypeError if broken.is_type else ValueError
        raise error(f"{argument} {broken.rule}, got {short_repr(value)}") from None


def parse_dollars(dollars: object, argument: str, *, is_limit: bool = False) -> int:
    """Convert dollars to whole nano-dollars, rounding half to even.

    Args:
        dollars: An int, a float or a Decimal; zero or more, at most a billion.
        argument: Its name, for the message.
        is_limit: If True, an amount below a nano-dollar is refused, since it would become a limit of zero. Costs that
            small are rounded.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is negative, infinite, NaN, too large, or too small.
    """
    return _parse_argument(partial(parse_nano_usd, is_limit=is_limit), dollars, argument)


def usd(nano: int) -> float:
    """Convert nano-dollars to a float of dollars, as in LiteLLM's signatures."""
    return nano / NANO_USD_PER_USD


def parse_user_id(user: object) -> str:
    """Check the id of a user. A whole number becomes its digits, as in the file that LiteLLM's class writes.

    Raises:
        TypeError: The value is neither a text nor a whole number.
        ValueError: The text is empty, longer than 256 bytes of UTF-8, or has control characters.
    """
    if isinstance(user, bool) or not isinstance(user, str | int):
        raise TypeError(f"user must be a str or an int, got {short_repr(user)}")
    return _checked_name(str(user), "user")


def parse_project_id(project_name: object) -> str:
    """Check the id of a project. It must be a text; the other rules are those of `parse_user_id`."""
    if not isinstance(project_name, str):
        raise TypeError(f"project_name must be a str, got {short_repr(project_name)}")
    return _checked_name(project_name, "project_name")


def parse_timestamp(epoch_seconds: object, argument: str) -> Timestamp:
    """Convert seconds since the Unix epoch to a timestamp, to the microsecond.

    Raises:
        TypeError: The value is not a number.
        ValueError: The time is not in the years 1970 to 9999.
    """
    seconds = _parse_argument(parse_seconds, epoch_seconds, argument)
    whole, micro = divmod(round(seconds * _MICROSECONDS), _MICROSECONDS)
    return Timestamp(seconds=whole, nanos=micro * 1000)


def check_seconds(name: str, seconds: object) -> None:
    """Raise an error unless calls can wait for this number of seconds.

    Args:
        name: The name of the argument, for the message.
        seconds: An int or a float above 0, at most `SECONDS_MAX`.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is zero, negative, NaN, infinite, or too large.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise TypeError(f"{name} must be a number of seconds, got {short_repr(seconds)}")
    if not 0 < seconds <= SECONDS_MAX:
        raise ValueError(
            f"{name} must be a finite number above 0 and at most {SECONDS_MAX:,}, got {short_repr(seconds)}"
        )


def _checked_name(text: str, argument: str) -> str:
    if not text or len(text.encode(errors="surrogatepass")) > ID_BYTES_MAX:
        raise ValueError(f"{argument} must be 1 to {ID_BYTES_MAX} bytes of UTF-8, got {short_repr(text)}")
    if any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
        raise ValueError(f"{argument} must not contain control characters, got {short_repr(text)}")
    return text


def short_repr(value: object) -> str:
    """Return the repr of a value for a message, cut to 60 characters."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - The repr of an untrusted object may raise anything.
        text = f"a {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."
