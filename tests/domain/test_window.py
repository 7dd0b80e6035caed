"""Windows keep their rules: compared with a slow oracle, at every change of a clock, and when clocks step back."""

from typing import cast
from zoneinfo import ZoneInfoNotFoundError

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd_server.domain.window import (
    Calendar,
    CalendarUnit,
    Fixed,
    Lifetime,
    Roll,
    Span,
    Weekday,
    Window,
    length_us,
    rolled,
    window_at,
    window_from_text,
    window_to_text,
)
from budgetd_server.domain.window_rules import WindowTerm, window_violations
from tests.domain.window_oracle import (
    BOUNDED_WINDOWS,
    DAY_US,
    FIXED_WINDOWS,
    INSTANTS,
    SECOND_US,
    WINDOWS,
    ZONES,
    at_us,
    bounds_us,
    calendars,
    changes_of_the_clock,
    days_by_stepping,
    hours_by_stepping,
    local,
    windows_of_days,
)

HOUR, DAY, WEEK, MONTH, QUARTER, YEAR = CalendarUnit
HOUR_US = 3_600 * SECOND_US
property_test = settings(max_examples=200, deadline=None)  # A zone is read from the disk once, at any time.

# --- Against the oracle.


def assert_computed_as_stepped(calendar: Calendar, stepped: list[tuple[int, int]], changes_s: list[int]) -> None:
    """Each stepped window is the computed one: at both ends, and before and after a change of the clock."""
    assert stepped
    for start_s, end_s in stepped:
        start_us, end_us = start_s * SECOND_US, end_s * SECOND_US
        changes_us = [change_s * SECOND_US for change_s in changes_s if start_s < change_s < end_s]
        before_us = [change_us - 1 for change_us in changes_us]
        for instant_us in (start_us, end_us - 1, *changes_us, *before_us):
            assert window_at(calendar, instant_us) == Span(start_us, end_us)
        assert window_at(calendar, start_us - 1).end_at_us == start_us
        assert window_at(calendar, end_us).start_at_us == end_us


@pytest.mark.parametrize("count", [1, 6])
@pytest.mark.parametrize("time_zone", ZONES)
def test_hours_follow_the_wall_clock_through_every_change_of_twenty_years(time_zone: str, count: int) -> None:
    calendar = local(HOUR, time_zone, count)
    around_s = (2 * count + 3) * 3_600

    changes_s = changes_of_the_clock(time_zone)

    assert changes_s
    for change_s in changes_s[:: 1 if count == 1 else 5]:  # Odd, to meet spring and autumn in turn.
        first_s, last_s = change_s - around_s, change_s + around_s
        stepped = hours_by_stepping(time_zone, count=count, first_s=first_s, last_s=last_s)
        assert_computed_as_stepped(calendar, stepped, [change_s])


@pytest.mark.parametrize("time_zone", ZONES)
def test_days_and_longer_windows_follow_the_wall_clock_through_twenty_years(time_zone: str) -> None:
    step_s = 1_800 if time_zone in ("America/St_Johns", "Australia/Lord_Howe") else 3_600

    changes_s = changes_of_the_clock(time_zone)
    days = days_by_stepping(time_zone, step_s=step_s)

    units = [local(unit, time_zone) for unit in (DAY, MONTH, QUARTER, YEAR)]
    firsts = (Weekday.MONDAY, Weekday.SATURDAY, Weekday.SUNDAY)
    weeks = [Calendar(unit=WEEK, time_zone=time_zone, first_weekday=first) for first in firsts]
    blocks = [local(MONTH, time_zone, count) for count in (2, 4, 6, 12)]
    for calendar in units + weeks + blocks:
        assert_computed_as_stepped(calendar, windows_of_days(calendar, days), changes_s)


# --- What holds for every window.


@given(window=BOUNDED_WINDOWS, instant_us=INSTANTS)
@property_test
def test_windows_divide_the_time_line_without_gap_or_overlap(window: Window, instant_us: int) -> None:
    span = window_at(window, instant_us)

    start_us, end_us = bounds_us(span)
    assert start_us <= instant_us < end_us
    assert window_at(window, start_us) == window_at(window, end_us - 1) == span
    assert window_at(window, start_us - 1).end_at_us == start_us
    assert window_at(window, end_us).start_at_us == end_us
    assert length_us(span) == end_us - start_us


@given(window=BOUNDED_WINDOWS, pair_us=st.tuples(INSTANTS, INSTANTS))
@property_test
def test_later_instants_lie_in_no_earlier_window(window: Window, pair_us: tuple[int, int]) -> None:
    earlier, later = (window_at(window, instant_us) for instant_us in sorted(pair_us))

    assert earlier == later or bounds_us(earlier)[1] <= bounds_us(later)[0]


@given(calendar=calendars(), instant_us=INSTANTS)
@property_test
def test_hours_lie_within_days_and_days_within_every_longer_unit(calendar: Calendar, instant_us: int) -> None:
    day = Calendar(unit=DAY, time_zone=calendar.time_zone)
    inner, outer = (day, calendar) if calendar.unit > DAY else (calendar, day)

    inner_us, outer_us = (bounds_us(window_at(window, instant_us)) for window in (inner, outer))

    assert outer_us[0] <= inner_us[0] < inner_us[1] <= outer_us[1]


@given(window=FIXED_WINDOWS, number=st.integers(-(10**6), 10**6))
@property_test
def test_a_fixed_window_stays_on_its_grid_however_far_from_its_anchor(window: Fixed, number: int) -> None:
    start_us = window.anchor_at_us + number * window.length_us

    for instant_us in (start_us, start_us + window.length_us - 1):
        assert window_at(window, instant_us) == Span(start_us, start_us + window.length_us)


def test_the_lifetime_holds_every_instant_and_has_no_length() -> None:
    assert window_at(Lifetime(), -1) == window_at(Lifetime(), 10**18) == Span(None, None)
    assert length_us(Span(None, None)) is None


BERLIN, APIA, HAVANA, SAO_PAULO = "Europe/Berlin", "Pacific/Apia", "America/Havana", "America/Sao_Paulo"
SUNDAY_WEEK = Calendar(unit=WEEK, first_weekday=Weekday.SUNDAY)
OPENINGS = {
    "leap day": (local(DAY), "2024-02-29T00:00Z", "2024-03-01T00:00Z"),
    "leap February": (local(MONTH), "2024-02-01T00:00Z", "2024-03-01T00:00Z"),
    "February of 2100, no leap year": (local(MONTH), "2100-02-01T00:00Z", "2100-03-01T00:00Z"),
    "last quarter": (local(QUARTER), "2026-10-01T00:00Z", "2027-01-01T00:00Z"),
    "first year of Unix": (local(YEAR), "1970-01-01T00:00Z", "1971-01-01T00:00Z"),
    "week over New Year": (local(WEEK), "2026-12-28T00:00Z", "2027-01-04T00:00Z"),
    "week from Sunday": (SUNDAY_WEEK, "2026-11-22T00:00Z", "2026-11-29T00:00Z"),
    "day of 23 hours": (local(DAY, BERLIN), "2026-03-29T00:00+01:00", "2026-03-30T00:00+02:00"),
    "day of 25 hours": (local(DAY, BERLIN), "2026-10-25T00:00+02:00", "2026-10-26T00:00+01:00"),
    "no midnight": (local(DAY, SAO_PAULO), "2018-11-04T01:00-02:00", "2018-11-05T00:00-02:00"),
    "the first of two midnights": (local(DAY, HAVANA), "2025-11-02T00:00-04:00", "2025-11-03T00:00-05:00"),
    "no day after this one": (local(DAY, APIA), "2011-12-29T00:00-10:00", "2011-12-31T00:00+14:00"),
    "hour shown twice": (local(HOUR, BERLIN), "2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"),
    "no hour before this one": (local(HOUR, BERLIN), "2026-03-29T03:00+02:00", "2026-03-29T04:00+02:00"),
    "half": (local(HOUR, "Australia/Lord_Howe"), "2026-10-04T02:30+11:00", "2026-10-04T03:00+11:00"),
    "block of seven hours": (local(HOUR, BERLIN, 6), "2026-10-25T00:00+02:00", "2026-10-25T06:00+01:00"),
}


@pytest.mark.parametrize(("calendar", "start", "end"), OPENINGS.values(), ids=OPENINGS)
def test_a_calendar_window_opens_and_closes_by_its_rule(calendar: Calendar, start: str, end: str) -> None:
    span = Span(at_us(start), at_us(end))

    assert window_at(calendar, bounds_us(span)[0]) == window_at(calendar, bounds_us(span)[1] - 1) == span


@pytest.mark.parametrize("years", [-(10**6), -1_970, -1_968, 8_026, 8_029, 10**6])
@pytest.mark.parametrize("unit", CalendarUnit)
def test_an_instant_beyond_the_calendar_gets_a_window_that_stays(unit: CalendarUnit, years: int) -> None:
    calendar, now_us = Calendar(unit=unit, time_zone="Asia/Kolkata"), years * 365 * DAY_US

    span = window_at(calendar, now_us)

    assert bounds_us(span)[0] < bounds_us(span)[1]
    assert rolled(calendar, span, now_us) is None


def test_a_zone_that_this_machine_does_not_know_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        window_at(Calendar(unit=DAY, time_zone="Mars/Olympus_Mons"), 0)


# --- Rolling.

MONTHS, DAYS_IN_BERLIN, HOURS_IN_BERLIN = local(MONTH), local(DAY, BERLIN), local(HOUR, BERLIN)
MINUTES = Fixed(length_us=60 * SECOND_US, anchor_at_us=at_us("2030-01-01T00:00Z"))


class Counter:
    """A counter that charges one a time, with a note of every window that it was wiped for."""

    def __init__(self, window: Window, now_us: int) -> None:
        self.window, self.stored, self.count = window, window_at(window, now_us), 0
        self.opened_us = [bounds_us(self.stored)[0]]

    def charge(self, now_us: int) -> None:
        roll = rolled(self.window, self.stored, now_us)
        if roll is not None:
            self.stored = roll.span
            if not roll.keeps_count:
                self.count = 0
                self.opened_us.append(bounds_us(roll.span)[0])
        self.count += 1


@given(window=BOUNDED_WINDOWS, instant_us=INSTANTS)
@property_test
def test_a_counter_rolls_at_the_instant_its_window_closes(window: Window, instant_us: int) -> None:
    stored = window_at(window, instant_us)
    end_us = bounds_us(stored)[1]

    assert rolled(window, stored, end_us - 1) is None
    assert rolled(window, stored, end_us) == Roll(window_at(window, end_us), 0, keeps_count=False)


@given(window=WINDOWS, pair_us=st.tuples(INSTANTS, INSTANTS))
@property_test
def test_a_count_starts_again_only_in_a_later_window(window: Window, pair_us: tuple[int, int]) -> None:
    stored, now_us = window_at(window, pair_us[0]), pair_us[1]

    roll = rolled(window, stored, now_us)

    if roll is not None:
        assert roll.span == window_at(window, now_us) != stored
        assert rolled(window, roll.span, now_us) is None
        assert roll.keeps_count is (now_us < bounds_us(stored)[0])
        assert roll.windows_skipped >= 0


@given(
    window=st.builds(local, st.sampled_from([HOUR, DAY]), st.sampled_from(ZONES)),
    instant_us=st.integers(at_us("2005-01-01T00:00Z"), at_us("2026-01-01T00:00Z")),
    days=st.integers(0, 90),
)
@property_test
def test_skipped_windows_are_counted_as_if_opened(window: Calendar, instant_us: int, days: int) -> None:
    stored, now_us = window_at(window, instant_us), instant_us + days * DAY_US
    opened, steps = stored, 0
    while now_us >= bounds_us(opened)[1]:
        opened, steps = window_at(window, bounds_us(opened)[1]), steps + 1

    roll = rolled(window, stored, now_us)

    assert roll == (Roll(opened, steps - 1, keeps_count=False) if steps else None)


YEARS_30 = 30 * 365 + 7  # Days.
SKIPPED = {
    "minutes, anchored later": (MINUTES, YEARS_30 * 1_440 + 59),
    "hours": (local(HOUR), YEARS_30 * 24),
    "hours less thirty that were left out in spring": (HOURS_IN_BERLIN, YEARS_30 * 24 - 30),
    "days less one that was left out": (local(DAY, APIA), YEARS_30 - 1),
    "months": (MONTHS, 359),
    "years": (local(YEAR), 29),
}


@pytest.mark.parametrize(("window", "skipped"), SKIPPED.values(), ids=SKIPPED)
def test_thirty_silent_years_are_skipped_in_one_roll(window: Window, skipped: int) -> None:
    stored = window_at(window, at_us("2000-06-15T12:30Z"))

    roll = rolled(window, stored, at_us("2030-06-15T13:30Z"))

    assert roll == Roll(window_at(window, at_us("2030-06-15T13:30Z")), skipped, keeps_count=False)


def test_a_clock_that_steps_back_over_midnight_and_forward_again_wipes_nothing_twice() -> None:
    midnight_us = at_us("2026-03-29T00:00+01:00")
    counter = Counter(DAYS_IN_BERLIN, midnight_us - 1)

    for after_midnight_us in (-1, 0, -HOUR_US, -1, HOUR_US):
        counter.charge(midnight_us + after_midnight_us)

    assert counter.count == 4
    assert counter.opened_us == [at_us("2026-03-28T00:00+01:00"), midnight_us]


STEPS = st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=30)


@given(window=BOUNDED_WINDOWS, start_us=INSTANTS, steps=STEPS)
@property_test
def test_servers_whose_clocks_differ_open_each_window_once(
    window: Window, start_us: int, steps: list[tuple[float, float]]
) -> None:
    counter, now_us = Counter(window, start_us), start_us
    for progress, lag in steps:
        shortest_us = bounds_us(counter.stored)[1] - bounds_us(counter.stored)[0]
        now_us += int(progress * shortest_us)
        before = counter.stored

        counter.charge(now_us - int(lag * shortest_us))

        assert bounds_us(before)[0] <= bounds_us(counter.stored)[0]
    assert counter.opened_us == sorted(set(counter.opened_us))


@pytest.mark.parametrize("window", [MINUTES, DAYS_IN_BERLIN, HOURS_IN_BERLIN], ids=["fixed", "day", "hour"])
def test_a_window_more_than_one_length_ahead_becomes_that_of_now_and_keeps_its_count(window: Window) -> None:
    stored = window_at(window, at_us("2026-11-24T10:00Z"))
    start_us, end_us = bounds_us(stored)
    last_us = start_us - (end_us - start_us)

    assert rolled(window, stored, start_us - 1) is None
    assert rolled(window, stored, last_us) is None
    assert rolled(window, stored, last_us - 1) == Roll(window_at(window, last_us - 1), 0, keeps_count=True)


def test_the_window_next_to_that_of_now_stays_although_it_is_the_shorter_one() -> None:
    february, new_year_us = window_at(MONTHS, at_us("2026-02-10T00:00Z")), at_us("2026-01-01T00:00Z")
    december = Span(at_us("2025-12-01T00:00Z"), new_year_us)

    assert rolled(MONTHS, february, new_year_us) is None
    assert rolled(MONTHS, february, new_year_us - 1) == Roll(december, 0, keeps_count=True)


def test_a_window_that_new_zone_rules_prolong_keeps_its_count() -> None:
    today = window_at(DAYS_IN_BERLIN, at_us("2026-11-24T12:00Z"))
    stored = Span(today.start_at_us, bounds_us(today)[1] - HOUR_US)

    assert rolled(DAYS_IN_BERLIN, stored, bounds_us(today)[1] - 1) == Roll(today, 0, keeps_count=True)


# --- Texts and bounds.


@given(window=WINDOWS)
@property_test
def test_a_window_comes_back_from_its_text(window: Window) -> None:
    assert window_from_text(window_to_text(window)) == window


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '{"kind":"hourly"}', '{"kind": "lifetime"}', '{"kind":"lifetime","count":1}',
        '{"kind":"fixed","length_us":1}', '{"kind":"fixed","length_us":1.0,"anchor_at_us":0}',
        '{"kind":"calendar","unit":7,"count":1,"time_zone":"UTC","first_weekday":1}',
        '{"kind":"calendar","unit":1,"count":1,"time_zone":"UTC","first_weekday":0}',
    ],
)  # fmt: skip
def test_no_other_text_is_taken_for_a_window(text: str) -> None:
    with pytest.raises(ValueError, match="is not the text of a window"):
        window_from_text(text)


@given(window=WINDOWS)
@property_test
def test_every_window_within_the_bounds_is_accepted(window: Window) -> None:
    assert window_violations(window) == {}


@pytest.mark.parametrize(
    ("window", "term", "part"),
    [
        (Fixed(length_us=SECOND_US - 1, anchor_at_us=0), WindowTerm.LENGTH, "got 999999 microseconds"),
        (Fixed(length_us=-DAY_US, anchor_at_us=0), WindowTerm.LENGTH, "from 1 second to 3,653 days"),
        (Fixed(length_us=3_653 * DAY_US + 1, anchor_at_us=0), WindowTerm.LENGTH, "got 315619200000001 "),
        (Fixed(length_us=DAY_US, anchor_at_us=10**18), WindowTerm.ANCHOR, "years 1 to 9999"),
        (Fixed(length_us=DAY_US, anchor_at_us=-(10**18)), WindowTerm.ANCHOR, "years 1 to 9999"),
        (Calendar(unit=cast(CalendarUnit, 0)), WindowTerm.CALENDAR_UNIT, "one of HOUR, DAY, WEEK, "),
        (Calendar(unit=cast(CalendarUnit, 7)), WindowTerm.CALENDAR_UNIT, "QUARTER, YEAR, got 7"),
        (Calendar(unit=HOUR, count=5), WindowTerm.CALENDAR_COUNT, "must divide 24 for hours, got 5"),
        (Calendar(unit=HOUR, count=0), WindowTerm.CALENDAR_COUNT, "got 0"),
        (Calendar(unit=MONTH, count=24), WindowTerm.CALENDAR_COUNT, "must divide 12 for months, got 24"),
        (Calendar(unit=MONTH, count=-1), WindowTerm.CALENDAR_COUNT, "got -1"),
        (Calendar(unit=DAY, count=2), WindowTerm.CALENDAR_COUNT, "must be 1 for this unit, got 2"),
        (Calendar(unit=DAY, time_zone=""), WindowTerm.TIME_ZONE, "got ''"),
        (Calendar(unit=DAY, time_zone="Europe/Berlim"), WindowTerm.TIME_ZONE, "near names: Europe/Berlin"),
        (Calendar(unit=DAY, time_zone="localtime"), WindowTerm.TIME_ZONE, "IANA"),
        (Calendar(unit=DAY, time_zone="../UTC"), WindowTerm.TIME_ZONE, "IANA"),
        (Calendar(unit=DAY, time_zone="x" * 10**6), WindowTerm.TIME_ZONE, "…"),
        (Calendar(unit=WEEK, first_weekday=cast(Weekday, 8)), WindowTerm.FIRST_WEEKDAY, "got 8"),
        (Calendar(unit=DAY, first_weekday=Weekday.SUNDAY), WindowTerm.FIRST_WEEKDAY, "only weeks"),
    ],
)
def test_a_window_beyond_a_bound_is_refused_by_name(window: Window, term: WindowTerm, part: str) -> None:
    ((found, description),) = window_violations(window).items()

    assert found is term
    assert part in description
    assert len(description) < 250


def test_every_bad_field_is_named_at_once() -> None:
    window = Calendar(unit=HOUR, count=7, time_zone="Moon", first_weekday=Weekday.FRIDAY)

    assert list(window_violations(window)) == [
        WindowTerm.CALENDAR_COUNT,
        WindowTerm.TIME_ZONE,
        WindowTerm.FIRST_WEEKDAY,
    ]
