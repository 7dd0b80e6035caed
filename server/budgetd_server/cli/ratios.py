"""Parses shares of a limit (`--min-used`)."""

import re
from decimal import Decimal

import typer

_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(%?)")


def parse_ratio(text: str) -> float:
    """Parse a share, such as "80%" or "0.8", as a ratio.

    Raises:
        BadParameter: It is malformed, or a number above 1 without "%": 80 most likely means 80%.
    """
    match = _SHARE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"must be a share such as 80% or 0.8, got {text!r}", param_hint="--min-used")
    number = Decimal(match[1])
    if match[2]:
        return float(number / 100)
    if number > 1:
        meant = f"write {match[1]}% for {match[1]} percent, or a number from 0 to 1"
        raise typer.BadParameter(f"{meant}, got {text!r}", param_hint="--min-used")
    return float(number)
