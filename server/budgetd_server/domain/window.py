"""Windows: the spans of time over which a limit counts. Each is computed directly from an instant.

Windows of one kind divide the whole time line: every instant is in exactly one, and the instant at which
one closes belongs to the next. Fixed windows repeat from their anchor in both directions. Calendar windows
follow the wall clock of their time zone, by one rule for every unit:

    A window begins at the first instant at which the wall clock shows its first moment or a later one, and
    ends where the next begins. A wall clock that is set back neither reopens nor splits a window.

So a day has 23, 24 or 25 hours. Where midnight does not exist, the day begins as the clock jumps past it;
where midnight occurs twice, at the first. An hour that the clock shows twice is one window of two hours, so a
limit of 10 an hour never admits 20 in one hour of the day. Blocks of hours are longer or shorter likewise.
Hours and days that the clock skips (Pacific/Apia had no 30 December 2011) have no window.

Instants before the year 2 or after 9997 get the first or last calendar window, although they are not in it.
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
from budgetd_server.domain.errors import short_repr

SECOND_US = 1_000_000
FIXED_LENGTH_US_MIN = SECOND_US
FIXED_LENGTH_US_MAX = 3_653 * 86_400 * SECOND_US  # Ten years with three leap days, the longest ten years.


class CalendarUnit(IntEnum):
    """The unit of a calendar window; numbers as in the contract."""

    HOUR = 1
    DAY = 2
    WEEK = 3
    MONTH = 4
    QUARTER = 5
    YEAR = 6


class Weekday(IntEnum):
    """The day on which a week begins; numbers as in the contract and in ISO 8601."""

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
    """None: no beginning, only for the lifetime."""
    end_at_us: int | None
    """None: no end, only for the lifetime."""


class Roll(NamedTuple):
    """A counter's step from its stored window into another one."""

    span: Span
    windows_skipped: int
    """The number of windows between the stored one and this one, in which nothing was counted. 0 if they adjoin."""
    keeps_count: bool
    """True: it is not a later window, so the count is kept. False: the count restarts at zero."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One window that contains every instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Windows of one length, end to end from an anchor in the past or the future."""

    length_us: int
    anchor_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """Windows that begin with a unit of the calendar of a time zone.

    `count` joins hours (a divisor of 24) or months (a divisor of 12) into blocks that begin with the day or
    the year. It is 1 for other units, since blocks of days, weeks or years would need an epoch that no calendar
    defines. `time_zone` is an IANA name. `first_weekday` is for weeks only.
    """

    unit: CalendarUnit
    count: int = 1
    time_zone: str = "UTC"
    first_weekday: Weekday = Weekday.MONDAY


Window = Lifetime | Fixed | Calendar


def window_at(window: Window, at_us: int) -> Span:
    """Return the window that contains an instant.

    Args:
        window: A window without violations; otherwise the result is undefined.
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
    """Return the length of a window in real microseconds. None for the lifetime, which has no length."""
    start_at_us, end_at_us = span
    return None if start_at_us is None or end_at_us is None else end_at_us - start_at_us


def rolled(window: Window, stored: Span, now_us: int) -> Roll | None:
    """Return the roll that is due at `now_us` for a counter in the window `stored`. None if none is due.

    A counter rolls only forward. At or after the end of its stored window it rolls into the current window and
    restarts at zero. If the stored window is in the future, because a clock was set back or another server's clock
    is fast, the counter stays in it. Only if it starts more than one length ahead (of the longer of the stored and
    the current window, and at least CLOCKS_APART_US_MAX) does it roll to the current window, and it keeps its count.

    With new rules of a time zone, the window may end later than was stored: then the count is kept, too.

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
    """Return the canonical text of a window, compact JSON, as stored in the ledger. Equal windows have equal texts."""
    return json.dumps({"kind": type(window).__name__.lower(), **asdict(window)}, separators=(",", ":"))


@lru_cache(maxsize=4096)
def window_from_text(text: str) -> Window:
    """Parse the text of a window that `window_to_text` has written.

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
        raise ValueError(f"{short_repr(text)} is not the text of a window")
    return window


# --- Calendar arithmetic.
#
# The time of a wall clock is an int, too: seconds since 1970-01-01 00:00 of that wall clock. The windows of a
# calendar are numbered along it; `_number` and `_opening` convert in both directions, without time zones.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_HOUR_S = 3_600
_DAY_S = 24 * _HOUR_S
_MONDAY_S = 4 * _DAY_S  # 1970 began on a Thursday.

# Indexed by CalendarUnit: the length of a window in seconds of the wall clock, or else in months.
_UNIT_SECONDS = (0, _HOUR_S, _DAY_S, 7 * _DAY_S, 0, 0, 0)
_UNIT_MONTHS = (0, 0, 0, 0, 1, 3, 12)

# A margin on both sides keeps the bounds of every window in the range of datetime.
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
    while end_at_us <= at_us:  # The wall clock was set back to before an opening that has already passed.
        number += 1
        start_at_us, end_at_us = end_at_us, _first_instant_us(name, _opening(calendar, number + 1))
    return Span(start_at_us, end_at_us)


def _number(calendar: Calendar, wall_s: int) -> int:
    """Return the number of the window at a time of the wall clock."""
    months = _UNIT_MONTHS[calendar.unit] * calendar.count
    if months:
        shown_at = _EPOCH + timedelta(seconds=wall_s)
        return (shown_at.year * 12 + shown_at.month - 1) // months
    return (wall_s - _week_shift_s(calendar)) // (_UNIT_SECONDS[calendar.unit] * calendar.count)


def _opening(calendar: Calendar, number: int) -> int:
    """Return the first moment of a numbered window on the wall clock: the inverse of `_number`."""
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
    """Return the first instant at which the wall clock of a zone shows a moment or a later one."""
    zone = _zone(time_zone)
    # PEP 495: for a moment that exists twice, fold 0 is the first one. For a moment that does not exist, fold 0 has
    # the offset before the jump, so it is after the jump; fold 1 has the other offset, so it is before the jump.
    local = (_EPOCH + timedelta(seconds=wall_s)).replace(tzinfo=zone)
    first_s = wall_s - _offset_s(local)
    second_s = wall_s - _offset_s(local.replace(fold=1))
    if first_s <= second_s:
        return first_s * SECOND_US
    around = range(second_s, first_s + 1)
    return around[bisect_left(around, wall_s, key=lambda at_s: _wall_s(zone, at_s))] * SECOND_US


def _windows_between(window: Window, *, end_at_us: int, start_at_us: int) -> int:
    """Return the number of windows between the end of one and the start of a later one."""
    if isinstance(window, Fixed):
        return max(0, (start_at_us - end_at_us) // window.length_us)
    if not isinstance(window, Calendar):
        return 0
    zone, first_s, last_s = _zone(window.time_zone), end_at_us // SECOND_US, start_at_us // SECOND_US
    first_s = max(first_s, _EARLIEST_US // SECOND_US)
    numbers = _number(window, _wall_s(zone, last_s)) - _number(window, _wall_s(zone, first_s))
    return max(0, numbers - _left_out(window, first_s=first_s, last_s=last_s))


def _left_out(calendar: Calendar, *, first_s: int, last_s: int) -> int:
    """Return the number of whole windows that the wall clock skipped, after the first second and up to the last."""
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
    """Return the time of a zone's wall clock at an instant."""
    return at_s + _offset_s((_EPOCH + timedelta(seconds=at_s)).astimezone(zone))


def _offset_s(local: datetime) -> int:
    """Return how far the wall clock of an aware datetime is ahead of UTC; the database has only whole seconds."""
    offset = local.utcoffset()
    assert offset is not None, "every zone has an offset at every instant"
    return offset // _SECOND


@lru_cache(maxsize=1024)
def _zone(time_zone: str) -> tzinfo:
    """Return a zone by its name. Cached, since ZoneInfo caches only eight; UTC must work without any database."""
    return UTC if time_zone == "UTC" else ZoneInfo(time_zone)
