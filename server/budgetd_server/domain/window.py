"""Windows: the spans of time over which a limit counts, computed from an instant and never stepped.

Windows of one kind divide the whole time line: every instant lies in exactly one, and the instant at which
one closes belongs to the next. Fixed windows repeat from their anchor in both directions. Calendar windows
follow the clock on the wall of their time zone, by one rule for every unit:

    A window begins at the first instant at which the wall clock shows its first moment or a later one, and
    ends where the next begins. A wall clock that is set back neither reopens a window nor splits one.

So a day has 23, 24 or 25 hours. Where midnight does not exist, the day begins as the clock jumps past it;
where midnight occurs twice, at the first. An hour that the clock shows twice is one window of two hours: a
limit of 10 an hour never admits 20 in one hour of the day. Blocks of hours are longer or shorter likewise.
Hours and days that the clock leaves out (Pacific/Apia had no 30 December 2011) have no window.

Instants before the year 2 or after 9997 get the first or last calendar window, which does not hold them.
"""

import json
from bisect import bisect_left
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from budgetd_server.domain.bounds import CLOCKS_APART_US_MAX
from budgetd_server.domain.errors import shown

SECOND_US = 1_000_000
FIXED_LENGTH_US_MIN = SECOND_US
FIXED_LENGTH_US_MAX = 3_653 * 86_400 * SECOND_US  # Ten years with three leap days, as long as ten years get.


class CalendarUnit(IntEnum):
    """What a calendar window is made of; the numbers are those of the contract."""

    HOUR = 1
    DAY = 2
    WEEK = 3
    MONTH = 4
    QUARTER = 5
    YEAR = 6


class Weekday(IntEnum):
    """The day on which a week begins; the numbers are those of the contract and of ISO 8601."""

    MONDAY = 1
    TUESDAY = 2
    WEDNESDAY = 3
    THURSDAY = 4
    FRIDAY = 5
    SATURDAY = 6
    SUNDAY = 7


class Span(NamedTuple):
    """One window on the time line: the start belongs to it, the end to the next one."""

    start_at_us: int | None
    """None: since ever, as only the lifetime is."""
    end_at_us: int | None
    """None: never ends, as only the lifetime does."""


class Roll(NamedTuple):
    """A counter's step from its stored window into another one."""

    span: Span
    windows_skipped: int
    """Whole windows between the stored one and this one, in which nothing was counted; 0 when they adjoin."""
    keeps_count: bool
    """True: not a later window, so what was counted stays counted. False: the count starts again at zero."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One window that holds every instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Windows of one length, laid end to end from an anchor, which may lie in the past or the future."""

    length_us: int
    anchor_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Windows that begin with a unit of the calendar of a time zone.

    `count` joins hours (a divisor of 24) or months (a divisor of 12) into blocks that begin with the day or
    the year. Other units come one by one: several days, weeks or years would need an epoch that no calendar
    names. `time_zone` is an IANA name. `first_weekday` is for weeks only.
    """

    unit: CalendarUnit
    count: int = 1
    time_zone: str = "UTC"
    first_weekday: Weekday = Weekday.MONDAY


Window = Lifetime | Fixed | Calendar


def window_at(window: Window, at_us: int) -> Span:
    """The window that holds an instant.

    Args:
        window: One without violations; for others the answer is not defined.
        at_us: Microseconds since the Unix epoch; may be negative.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: This machine's time zone database does not have the zone.
    """
    if isinstance(window, Fixed):
        start_at_us = at_us - (at_us - window.anchor_at_us) % window.length_us
        return Span(start_at_us, start_at_us + window.length_us)
    if isinstance(window, Calendar):
        return _calendar_window_at(window, at_us)
    return Span(None, None)


def length_us(span: Span) -> int | None:
    """How long a window lasts, in real microseconds; None for the lifetime, which has no length."""
    start_at_us, end_at_us = span
    return None if start_at_us is None or end_at_us is None else end_at_us - start_at_us


def rolled(window: Window, stored: Span, now_us: int) -> Roll | None:
    """How a counter whose stored window is `stored` moves at `now_us`; None while it stays.

    A counter rolls only forward. At or past the end of its stored window it takes the window of now and starts again.
    A stored window that lies ahead of now, because a clock was set back or another server's clock is fast, stays and
    is charged. Only if it starts more than one length ahead (the stored window's or that of now, whichever is longer,
    and at least CLOCKS_APART_US_MAX) does it become the window of now, and then it keeps its count.

    New rules of a zone may put now into the stored window after its stored end: that keeps its count, too.

    Raises:
        zoneinfo.ZoneInfoNotFoundError: As in `window_at`.
    """
    start_at_us, end_at_us = stored
    if start_at_us is None or end_at_us is None or start_at_us <= now_us < end_at_us:
        return None
    current = window_at(window, now_us)
    if current.start_at_us is None or current.end_at_us is None or current == stored:
        return None

    if now_us >= end_at_us:
        if current.start_at_us <= start_at_us:
            return Roll(current, windows_skipped=0, keeps_count=True)
        skipped = _windows_between(window, end_at_us=end_at_us, start_at_us=current.start_at_us)
        return Roll(current, windows_skipped=skipped, keeps_count=False)

    longest_us = max(end_at_us - start_at_us, current.end_at_us - current.start_at_us, CLOCKS_APART_US_MAX)
    if start_at_us - now_us > longest_us:
        return Roll(current, windows_skipped=0, keeps_count=True)
    return None


def window_to_text(window: Window) -> str:
    """The one text of a window, compact JSON, as the ledger stores it; equal windows have equal texts."""
    return json.dumps({"kind": type(window).__name__.lower(), **asdict(window)}, separators=(",", ":"))


@lru_cache(maxsize=4096)
def window_from_text(text: str) -> Window:
    """The window that `window_to_text` wrote.

    Raises:
        ValueError: The text is not exactly what `window_to_text` writes.
    """
    window: Window | None = None
    with suppress(ValueError):
        match json.loads(text):
            case {"kind": "lifetime"}:
                window = Lifetime()
            case {"kind": "fixed", "length_us": int(length), "anchor_at_us": int(anchor)}:
                window = Fixed(length_us=length, anchor_at_us=anchor)
            case {
                "kind": "calendar",
                "unit": int(unit),
                "count": int(count),
                "time_zone": str(zone),
                "first_weekday": int(day),
            }:
                first = Weekday(day)
                window = Calendar(unit=CalendarUnit(unit), count=count, time_zone=zone, first_weekday=first)
    if window is None or window_to_text(window) != text:
        raise ValueError(f"{shown(text)} is not the text of a window")
    return window


# --- Calendar arithmetic.
#
# What the clock on the wall shows is an int, too: seconds since 1970-01-01 00:00 on that same wall. Along it
# the windows of a calendar are numbered; `_number` and `_opening` go back and forth, blind to time zones.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_HOUR_S = 3_600
_DAY_S = 24 * _HOUR_S
_MONDAY_S = 4 * _DAY_S  # 1970 began on a Thursday.

# Indexed by CalendarUnit: a window lasts so many seconds on the wall, or else so many months.
_UNIT_SECONDS = (0, _HOUR_S, _DAY_S, 7 * _DAY_S, 0, 0, 0)
_UNIT_MONTHS = (0, 0, 0, 0, 1, 3, 12)

# Some space on both sides keeps the bounds of every window inside what a datetime can hold.
_EARLIEST_US = int(datetime(2, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US
_LATEST_US = int(datetime(9998, 1, 1, tzinfo=UTC).timestamp()) * SECOND_US

# Since 1970 no zone has changed its clock twice within so few days (the least: 7, America/Boa_Vista in 2000).
_PROBE_S = 5 * _DAY_S


def _calendar_window_at(calendar: Calendar, at_us: int) -> Span:
    at_us = min(max(at_us, _EARLIEST_US), _LATEST_US)
    name = calendar.time_zone
    number = _number(calendar, _wall_s(_zone(name), at_us // SECOND_US))
    start_at_us = _first_instant_us(name, _opening(calendar, number))
    end_at_us = _first_instant_us(name, _opening(calendar, number + 1))
    while end_at_us <= at_us:  # The wall clock was set back to before an opening that has already been.
        number += 1
        start_at_us, end_at_us = end_at_us, _first_instant_us(name, _opening(calendar, number + 1))
    return Span(start_at_us, end_at_us)


def _number(calendar: Calendar, wall_s: int) -> int:
    """The number of the window to which a wall clock points."""
    months = _UNIT_MONTHS[calendar.unit] * calendar.count
    if months:
        shown_at = _EPOCH + timedelta(seconds=wall_s)
        return (shown_at.year * 12 + shown_at.month - 1) // months
    return (wall_s - _week_shift_s(calendar)) // (_UNIT_SECONDS[calendar.unit] * calendar.count)


def _opening(calendar: Calendar, number: int) -> int:
    """The first moment of a numbered window on the wall clock: the inverse of `_number`."""
    months = _UNIT_MONTHS[calendar.unit] * calendar.count
    if months:
        year, month = divmod(number * months, 12)
        return (datetime(year, month + 1, 1, tzinfo=UTC) - _EPOCH).days * _DAY_S
    return number * _UNIT_SECONDS[calendar.unit] * calendar.count + _week_shift_s(calendar)


def _week_shift_s(calendar: Calendar) -> int:
    if calendar.unit != CalendarUnit.WEEK:
        return 0
    return _MONDAY_S + (calendar.first_weekday - Weekday.MONDAY) * _DAY_S


@lru_cache(maxsize=4096)
def _first_instant_us(time_zone: str, wall_s: int) -> int:
    """The first instant at which the wall clock of a zone shows a moment or a later one."""
    zone = _zone(time_zone)
    # PEP 495: of a moment that exists twice, fold 0 is the first. Of one that does not exist, fold 0 has the
    # offset from before the jump and so lies after it; fold 1 has the other offset and lies before it.
    local = (_EPOCH + timedelta(seconds=wall_s)).replace(tzinfo=zone)
    first_s = wall_s - _offset_s(local)
    second_s = wall_s - _offset_s(local.replace(fold=1))
    if first_s <= second_s:
        return first_s * SECOND_US
    around = range(second_s, first_s + 1)
    return around[bisect_left(around, wall_s, key=lambda at_s: _wall_s(zone, at_s))] * SECOND_US


def _windows_between(window: Window, *, end_at_us: int, start_at_us: int) -> int:
    """How many windows lie between the end of one and the start of a later one."""
    if isinstance(window, Fixed):
        return max(0, (start_at_us - end_at_us) // window.length_us)
    if not isinstance(window, Calendar):
        return 0
    zone, first_s, last_s = _zone(window.time_zone), end_at_us // SECOND_US, start_at_us // SECOND_US
    first_s = max(first_s, _EARLIEST_US // SECOND_US)
    numbers = _number(window, _wall_s(zone, last_s)) - _number(window, _wall_s(zone, first_s))
    return max(0, numbers - _left_out(window, first_s=first_s, last_s=last_s))


def _left_out(calendar: Calendar, *, first_s: int, last_s: int) -> int:
    """How many windows the wall clock jumped over whole, after the first second and up to the last."""
    if calendar.unit > CalendarUnit.DAY:
        return 0  # No zone has ever jumped a week.
    zone = _zone(calendar.time_zone)

    def ahead_s(at_s: int) -> int:
        return _wall_s(zone, at_s) - at_s

    left_out, before_s = 0, ahead_s(first_s)
    for probe_s in range(first_s, last_s, _PROBE_S):
        upto_s = min(probe_s + _PROBE_S, last_s)
        after_s = ahead_s(upto_s)
        if after_s > before_s:
            within = range(probe_s, upto_s + 1)
            jump_s = within[bisect_left(within, after_s, key=ahead_s)]
            lands, leaves = _wall_s(zone, jump_s), _wall_s(zone, jump_s - 1)
            left_out += max(0, _number(calendar, lands) - _number(calendar, leaves) - 1)
        before_s = after_s
    return left_out


def _wall_s(zone: tzinfo, at_s: int) -> int:
    """What the wall clock of a zone shows at an instant."""
    return at_s + _offset_s((_EPOCH + timedelta(seconds=at_s)).astimezone(zone))


def _offset_s(local: datetime) -> int:
    """How far an aware datetime's wall clock is ahead of UTC; whole seconds, as all of the database is."""
    offset = local.utcoffset()
    assert offset is not None, "every zone has an offset at every instant"
    return offset // _SECOND


@lru_cache(maxsize=1024)
def _zone(time_zone: str) -> tzinfo:
    """A zone by its name. ZoneInfo keeps only eight of them at hand; UTC must work without any database."""
    return UTC if time_zone == "UTC" else ZoneInfo(time_zone)
