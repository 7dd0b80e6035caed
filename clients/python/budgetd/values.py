"""Checks arguments in dollars, seconds and names, and converts them to the units of the contract, and back.

Each error names the argument, the value and the rule. Money is a float only up to here: a float is read by its shortest
decimal form, which is what its writer meant, and rounded once to whole nano-dollars.
"""

import math
from decimal import ROUND_HALF_EVEN, Decimal

from google.protobuf.timestamp_pb2 import Timestamp

NANO_USD_PER_USD = 1_000_000_000
USD_MAX = 1_000_000_000
ID_BYTES_MAX = 256
_MICROSECONDS = 1_000_000
#: The longest timeout, about eleven days: gRPC keeps some timeouts as milliseconds in 32 bits.
SECONDS_MAX = 1_000_000


def parse_dollars(dollars: object, argument: str, *, is_limit: bool = False) -> int:
    """Convert dollars to whole nano-dollars, rounding half to even.

    Args:
        dollars: An int, a float or a Decimal; zero or more, at most a billion.
        argument: Its name, for the message.
        is_limit: True: an amount below a nano-dollar is refused, since it would become a limit of zero. Costs as small
            as that are rounded.

    Raises:
        TypeError: The value is not a number.
        ValueError: The value is negative, infinite, NaN, too large, or too small.
    """
    if isinstance(dollars, bool) or not isinstance(dollars, int | float | Decimal):
        raise TypeError(f"{argument} must be a number of dollars, got {short_repr(dollars)}")
    exact = (
        dollars
        if isinstance(dollars, Decimal)
        else Decimal(repr(dollars if isinstance(dollars, int) else float(dollars)))
    )
    if not exact.is_finite() or not 0 <= exact <= USD_MAX:
        raise ValueError(f"{argument} must be a finite number of dollars from 0 to {USD_MAX:,}, got {dollars!r}")
    if is_limit and 0 < exact * NANO_USD_PER_USD < 1:
        raise ValueError(f"{argument} must be 0, or at least a nano-dollar (1e-09), got {dollars!r}")
    return int((exact * NANO_USD_PER_USD).to_integral_value(ROUND_HALF_EVEN))


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
    """Check the id of a project. It must be a text; otherwise as `parse_user_id`."""
    if not isinstance(project_name, str):
        raise TypeError(f"project_name must be a str, got {short_repr(project_name)}")
    return _checked_name(project_name, "project_name")


def parse_timestamp(epoch_seconds: object, argument: str) -> Timestamp:
    """Convert seconds since the Unix epoch to a timestamp, to the microsecond.

    Raises:
        TypeError: The value is not a number.
        ValueError: The time is not in the years 1970 to 9999.
    """
    if isinstance(epoch_seconds, bool) or not isinstance(epoch_seconds, int | float | Decimal):
        raise TypeError(f"{argument} must be a number of seconds since 1970, got {short_repr(epoch_seconds)}")
    if not math.isfinite(epoch_seconds) or not 0 <= epoch_seconds < 253_402_300_800:
        raise ValueError(f"{argument} must be a time of the years 1970 to 9999, got {epoch_seconds!r}")
    whole, micro = divmod(round(float(epoch_seconds) * _MICROSECONDS), _MICROSECONDS)
    return Timestamp(seconds=whole, nanos=micro * 1000)


def epoch_seconds(at: Timestamp) -> float:
    """Convert a timestamp to seconds since the Unix epoch."""
    return (at.seconds * _MICROSECONDS + at.nanos // 1000) / _MICROSECONDS


def check_seconds(name: str, seconds: object) -> None:
    """Raise an error for a number of seconds that calls cannot wait.

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
