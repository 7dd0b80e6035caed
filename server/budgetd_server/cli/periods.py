"""Parses and formats the window of a limit (`--per`)."""

import re

from google.protobuf.duration_pb2 import Duration

from budgetd.v1 import budget_pb2 as pb

CALENDAR_UNITS = {
    "hour": pb.CALENDAR_UNIT_HOUR,
    "day": pb.CALENDAR_UNIT_DAY,
    "week": pb.CALENDAR_UNIT_WEEK,
    "month": pb.CALENDAR_UNIT_MONTH,
    "quarter": pb.CALENDAR_UNIT_QUARTER,
    "year": pb.CALENDAR_UNIT_YEAR,
}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
#: The longest window, in days, that the server accepts.
LENGTH_DAYS_MAX = 3_653
_LENGTH = re.compile(r"([0-9]{1,9})([smhdw])")


def parse_window(per: str | None, *, time_zone: str | None) -> pb.Window:
    """Parse `--per` and `--time-zone` as a window.

    Args:
        per: A unit of the calendar ("day"), or a fixed length ("7d", "60s"); None for the budget's lifetime.
        time_zone: An IANA name, only for calendar windows; None for UTC. The server checks whether it exists.

    Raises:
        ValueError: `per` is neither, or is too short or too long, or a time zone is given without a calendar window.
    """
    if per in CALENDAR_UNITS:
        return pb.Window(calendar=pb.CalendarWindow(unit=CALENDAR_UNITS[per], time_zone=time_zone or ""))
    if time_zone is not None:
        raise ValueError(f"a time zone is for windows of the calendar: --per {', '.join(CALENDAR_UNITS)}")
    if per is None:
        return pb.Window(lifetime=pb.LifetimeWindow())
    match = _LENGTH.fullmatch(per)
    if match is None:
        raise ValueError(
            f"must be {', '.join(CALENDAR_UNITS)}, or a length in s, m, h, d or w such as 7d or 60s, got {per!r}"
        )
    seconds = int(match[1]) * _SECONDS[match[2]]
    if not 1 <= seconds <= LENGTH_DAYS_MAX * _SECONDS["d"]:
        raise ValueError(f"must be from 1s to {LENGTH_DAYS_MAX}d, got {per}")
    return pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=seconds)))


def period_text(window: pb.Window, *, reset_mode: pb.ResetMode.ValueType) -> str:
    """Format a window for people: "day, Europe/Berlin", "7d, on request", "lifetime"."""
    kind = window.WhichOneof("kind")
    if kind == "calendar":
        unit = pb.CalendarUnit.Name(window.calendar.unit).removeprefix("CALENDAR_UNIT_").lower()
        count = f"{window.calendar.count} " if window.calendar.count > 1 else ""
        return f"{count}{unit}, {window.calendar.time_zone or 'UTC'}"
    if kind == "fixed":
        asked = ", on request" if reset_mode == pb.RESET_MODE_ON_REQUEST else ""
        return f"{_length_text(window.fixed.length)}{asked}"
    return "lifetime"


def _length_text(length: Duration) -> str:
    if length.nanos:
        return f"{length.seconds + length.nanos / 1e9:g}s"
    for unit in ("d", "h", "m"):
        if length.seconds % _SECONDS[unit] == 0:
            return f"{length.seconds // _SECONDS[unit]}{unit}"
    return f"{length.seconds}s"
