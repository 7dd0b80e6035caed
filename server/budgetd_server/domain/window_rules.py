"""The rules for windows."""

from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from enum import Enum
from functools import lru_cache
from zoneinfo import available_timezones

from budgetd_server.domain.errors import short_repr
from budgetd_server.domain.window import (
    FIXED_LENGTH_US_MAX,
    FIXED_LENGTH_US_MIN,
    Calendar,
    CalendarUnit,
    Fixed,
    Weekday,
    Window,
)


class WindowTerm(Enum):
    """The part of a window that a broken rule is about."""

    LENGTH = "length"
    ANCHOR = "anchor"
    CALENDAR_UNIT = "unit of the calendar"
    CALENDAR_COUNT = "count of calendar units"
    TIME_ZONE = "time zone"
    FIRST_WEEKDAY = "first weekday"


def window_violations(window: Window) -> dict[WindowTerm, str]:
    """Return each part of a window that breaks a rule, with a sentence. Empty for a valid window.

    Args:
        window: As decoded; enum fields may hold numbers that no enum value has.
    """
    troubles: dict[WindowTerm, str | None] = {}
    if isinstance(window, Fixed):
        troubles = {WindowTerm.LENGTH: _length_trouble(window), WindowTerm.ANCHOR: _anchor_trouble(window)}
    elif isinstance(window, Calendar):
        troubles = {
            WindowTerm.CALENDAR_UNIT: _unit_trouble(window),
            WindowTerm.CALENDAR_COUNT: _count_trouble(window),
            WindowTerm.TIME_ZONE: _time_zone_trouble(window),
            WindowTerm.FIRST_WEEKDAY: _first_weekday_trouble(window),
        }
    return {term: trouble for term, trouble in troubles.items() if trouble}


# Each function returns a sentence if its rule is broken, or None.

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ANCHOR_AT_US_MIN = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_ANCHOR_AT_US_MAX = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def _length_trouble(window: Fixed) -> str | None:
    if FIXED_LENGTH_US_MIN <= window.length_us <= FIXED_LENGTH_US_MAX:
        return None
    return f"must be from 1 second to 3,653 days, got {window.length_us} microseconds"


def _anchor_trouble(window: Fixed) -> str | None:
    if _ANCHOR_AT_US_MIN <= window.anchor_at_us <= _ANCHOR_AT_US_MAX:
        return None
    return f"must lie in the years 1 to 9999, got {window.anchor_at_us} microseconds from 1970"


def _unit_trouble(calendar: Calendar) -> str | None:
    if CalendarUnit.HOUR <= calendar.unit <= CalendarUnit.YEAR:
        return None
    return f"must be one of {', '.join(unit.name for unit in CalendarUnit)}, got {int(calendar.unit)}"


def _count_trouble(calendar: Calendar) -> str | None:
    whole = {CalendarUnit.HOUR: 24, CalendarUnit.MONTH: 12}.get(calendar.unit, 1)
    if calendar.count >= 1 and whole % calendar.count == 0:
        return None
    if whole == 1:
        return f"must be 1 for this unit, got {calendar.count}; use a fixed window for several days or weeks"
    return f"must divide {whole} for {CalendarUnit(calendar.unit).name.lower()}s, got {calendar.count}"


def _time_zone_trouble(calendar: Calendar) -> str | None:
    name = calendar.time_zone
    if name == "UTC" or name in _time_zones():
        return None
    near = get_close_matches(name[:64], _time_zones(), n=3)
    hint = f"; near names: {', '.join(near)}" if near else ""
    return f"must be an IANA time zone such as Europe/Berlin, got {short_repr(name)}{hint}"


def _first_weekday_trouble(calendar: Calendar) -> str | None:
    first = calendar.first_weekday
    if not Weekday.MONDAY <= first <= Weekday.SUNDAY:
        return f"must be from 1 for Monday to 7 for Sunday, got {int(first)}"
    if first != Weekday.MONDAY and calendar.unit != CalendarUnit.WEEK:
        return f"only weeks have a first weekday, got {Weekday(first).name} with another unit"
    return None


@lru_cache(maxsize=1)
def _time_zones() -> frozenset[str]:
    """Return the allowed names. `localtime` means another zone on every machine, and `Factory` none."""
    return frozenset(available_timezones() - {"localtime", "Factory"})
