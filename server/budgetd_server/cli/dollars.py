"""Converts dollars as people write and read them from and to whole nano-USD, without floats."""

import re
from decimal import Decimal

NANO_USD_PER_USD = 10**9
DECIMALS_MAX = 9
#: The largest amount that the server accepts anywhere, in dollars: the maximum of a limit.
USD_MAX = 10**9

#: The numbers of the contract's enum `Unit`.
_UNITS = {2: "token", 3: "call"}
_DOLLARS = re.compile(r"\$?([0-9]+(?:\.[0-9]+)?|\.[0-9]+)")


def parse_usd(text: str) -> int:
    """Parse dollars, such as "5", "0.0123" or "$5.50", as nano-USD.

    Raises:
        ValueError: The text is not an amount, or is negative, above a billion dollars, or finer than a nano-dollar.
    """
    written = text.strip()
    if written.startswith("-"):
        raise ValueError(f"dollars must not be negative, got {text!r}")
    match = _DOLLARS.fullmatch(written)
    if match is None:
        raise ValueError(f"must be dollars such as 5 or 0.0123, got {text!r}")
    if len(match[1].partition(".")[2]) > DECIMALS_MAX:
        raise ValueError(f"dollars may have at most {DECIMALS_MAX} decimals, a nano-dollar, got {text!r}")
    usd = Decimal(match[1])
    if usd > USD_MAX:
        raise ValueError(f"must be at most {USD_MAX:,} dollars, got {text!r}")
    whole, rest = divmod(usd, 1)
    return int(whole) * NANO_USD_PER_USD + int(rest.scaleb(DECIMALS_MAX))


def amount_text(amount: int, unit: int) -> str:
    """Format an amount of a limit in its unit."""
    if unit not in _UNITS:
        return usd_text(amount)
    return f"{amount:,} {_UNITS[unit]}{'' if amount == 1 else 's'}"


def usd_text(nano_usd: int) -> str:
    """Format nano-USD as exact dollars, with at least two decimals."""
    whole, rest = divmod(abs(nano_usd), NANO_USD_PER_USD)
    decimals = f"{rest:09d}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano_usd < 0 else ''}${whole:,}.{decimals}"
