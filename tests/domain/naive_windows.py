"""Windows found by stepping: an independent, slow answer to which window holds an instant."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from budgetd_server.domain.budget import Limit, ResetMode
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed

Bounds = tuple[int | None, int | None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_HOUR_US = 3_600 * 1_000_000


def window_of(limit: Limit | None, at_us: int) -> Bounds:
    """The window of a limit that holds an instant; two Nones for a lifetime."""
    window = limit.window if limit is not None else None
    if isinstance(window, Fixed):
        start_us = window.anchor_at_us
        while start_us > at_us:
            start_us -= window.length_us
        while start_us + window.length_us <= at_us:
            start_us += window.length_us
        return start_us, start_us + window.length_us
    if isinstance(window, Calendar):
        return _days(window, at_us) if window.unit is CalendarUnit.DAY else _hours(window, at_us)
    return None, None


def first_window(limit: Limit | None, now_us: int) -> Bounds:
    """The window in which a limit begins: that of now, or the one at its anchor if it is reset on request."""
    if is_on_request(limit) and limit is not None and isinstance(limit.window, Fixed):
        return limit.window.anchor_at_us, limit.window.anchor_at_us + limit.window.length_us
    return window_of(limit, now_us)


def windows_skipped(limit: Limit, *, end_us: int, start_us: int) -> int:
    """How many windows lie between the end of one and the start of another."""
    skipped = 0
    while end_us < start_us:
        _, next_end_us = window_of(limit, end_us)
        assert next_end_us is not None
        end_us = next_end_us
        skipped += 1
    return skipped


def is_on_request(limit: Limit | None) -> bool:
    """True if only ResetOnDuration ends the limit's window."""
    return limit is not None and limit.reset_mode is ResetMode.ON_REQUEST


def _days(calendar: Calendar, at_us: int) -> Bounds:
    """The day of a zone in which midnight always exists once."""
    zone = ZoneInfo(calendar.time_zone)
    today = (_EPOCH + at_us * _MICROSECOND).astimezone(zone).date()
    midnights = [
        datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
        for day in (today, today + timedelta(days=1))
    ]
    start_us, end_us = ((midnight - _EPOCH) // _MICROSECOND for midnight in midnights)
    return start_us, end_us


def _hours(calendar: Calendar, at_us: int) -> Bounds:
    """A block of hours of the day in UTC."""
    assert calendar.time_zone == "UTC"
    block_us = calendar.count * _HOUR_US
    start_us = at_us // block_us * block_us
    return start_us, start_us + block_us
