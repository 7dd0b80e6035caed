"""Windows to draw from, and slow, obvious ones to judge by, found by looking at the clock on the wall."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import strategies as st

from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed, Lifetime, Span, Weekday, Window

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US

ZONES = [
    "Africa/Cairo",  # Midnight left out; daylight saving given up and taken up again.
    "Africa/Casablanca",  # Set back for Ramadan: up to four changes a year.
    "America/Asuncion",  # Midnight left out, in the southern summer.
    "America/Havana",  # Midnight left out, and midnight shown twice.
    "America/New_York",
    "America/Sao_Paulo",  # Midnight left out, and the hour before midnight shown twice.
    "America/St_Johns",  # Changes at a minute past midnight until 2011; half an hour off.
    "Antarctica/Troll",  # Two hours at a time.
    "Asia/Beirut",
    "Australia/Lord_Howe",  # Half an hour at a time.
    "Europe/Berlin",
    "Pacific/Apia",  # No 30 December 2011.
]
ALL_ZONES = sorted(available_timezones() - {"localtime", "Factory"})

FIRST_YEAR, LAST_YEAR = 2006, 2025
"""Twenty years, five of them leap years."""

Name = tuple[int, ...]
"""What the wall calls a window, such as (2024, 2) for a month; later windows have greater names."""

Seen = tuple[int, Name]
"""An instant, in seconds since the Unix epoch, and the name that the wall showed then."""


def at_us(text: str) -> int:
    """The instant that an ISO 8601 text with an offset names."""
    return int(datetime.fromisoformat(text).timestamp()) * SECOND_US


def bounds_us(span: Span) -> tuple[int, int]:
    """Start and end of a window that has both."""
    assert span.start_at_us is not None
    assert span.end_at_us is not None
    return span.start_at_us, span.end_at_us


def local(unit: CalendarUnit, time_zone: str = "UTC", count: int = 1) -> Calendar:
    """A calendar window in few words."""
    return Calendar(unit=unit, time_zone=time_zone, count=count)


def hours_by_stepping(time_zone: str, *, count: int, first_s: int, last_s: int) -> list[tuple[int, int]]:
    """Start and end of every block of hours that opens and closes between two instants, minute by minute."""
    zone = ZoneInfo(time_zone)
    clock = ((at_s, datetime.fromtimestamp(at_s, zone)) for at_s in range(first_s - first_s % 60, last_s + 1, 60))
    return _windows((at_s, (wall.year, wall.month, wall.day, wall.hour // count)) for at_s, wall in clock)


def days_by_stepping(time_zone: str, *, step_s: int) -> list[Seen]:
    """The first instant of every day of the twenty years and a few more; the steps must meet each."""
    zone = ZoneInfo(time_zone)
    first_s = at_us(f"{FIRST_YEAR - 1}-12-29T00:00Z") // SECOND_US
    last_s = at_us(f"{LAST_YEAR + 1}-01-04T00:00Z") // SECOND_US
    clock = ((at_s, datetime.fromtimestamp(at_s, zone)) for at_s in range(first_s, last_s + 1, step_s))
    return list(_first_seen((at_s, (wall.year, wall.month, wall.day)) for at_s, wall in clock))[1:]


def windows_of_days(calendar: Calendar, days: Iterable[Seen]) -> list[tuple[int, int]]:
    """Start and end of every window that opens and closes within these days."""
    return _windows((at_s, _name(calendar, date(*day))) for at_s, day in days)


def changes_of_the_clock(time_zone: str) -> list[int]:
    """The instants of the twenty years, to the minute, at which the wall clock is set forward or back."""
    zone = ZoneInfo(time_zone)

    def offset(at_s: int) -> timedelta | None:
        return datetime.fromtimestamp(at_s, zone).utcoffset()

    first_s = at_us(f"{FIRST_YEAR}-01-01T00:00Z") // SECOND_US
    last_s = at_us(f"{LAST_YEAR + 1}-01-01T00:00Z") // SECOND_US
    days = [day_s for day_s in range(first_s, last_s, 86_400) if offset(day_s) != offset(day_s + 86_400)]
    minutes = [day_s + minute * 60 for day_s in days for minute in range(1, 1_441)]
    return [at_s for at_s in minutes if offset(at_s) != offset(at_s - 60)]


def _name(calendar: Calendar, day: date) -> Name:
    match calendar.unit:
        case CalendarUnit.WEEK:
            while day.isoweekday() != calendar.first_weekday:
                day -= timedelta(days=1)
            return (day.year, day.month, day.day)
        case CalendarUnit.MONTH:
            return (day.year, (day.month - 1) // calendar.count)
        case CalendarUnit.QUARTER:
            return (day.year, (day.month - 1) // 3)
        case CalendarUnit.YEAR:
            return (day.year,)
        case _:
            return (day.year, day.month, day.day)


def _first_seen(names: Iterable[Seen]) -> Iterator[Seen]:
    """Each name at the instant when it was first shown; a clock set back shows names that have been."""
    greatest: Name = ()
    for at_s, name in names:
        if name > greatest:
            greatest = name
            yield at_s, name


def _windows(names: Iterable[Seen]) -> list[tuple[int, int]]:
    """From each opening to the next, without the first window, whose opening is unknown."""
    return list(pairwise(at_s for at_s, _ in _first_seen(names)))[1:]


INSTANTS = st.integers(at_us("1970-01-01T00:00Z"), at_us("2101-01-01T00:00Z"))


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    """Any calendar window without violations."""
    unit = draw(st.sampled_from(CalendarUnit))
    counts = {CalendarUnit.HOUR: [1, 2, 3, 4, 6, 8, 12, 24], CalendarUnit.MONTH: [1, 2, 3, 4, 6, 12]}
    return Calendar(
        unit=unit,
        count=draw(st.sampled_from(counts.get(unit, [1]))),
        time_zone=draw(st.sampled_from(ZONES) | st.sampled_from(ALL_ZONES)),
        first_weekday=draw(st.sampled_from(Weekday)) if unit == CalendarUnit.WEEK else Weekday.MONDAY,
    )


FIXED_WINDOWS = st.builds(Fixed, length_us=st.integers(SECOND_US, 3_653 * DAY_US), anchor_at_us=INSTANTS)
BOUNDED_WINDOWS: st.SearchStrategy[Window] = calendars() | FIXED_WINDOWS
WINDOWS: st.SearchStrategy[Window] = BOUNDED_WINDOWS | st.just(Lifetime())
