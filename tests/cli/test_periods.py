"""`--per` and `--time-zone` say which window a limit has."""

import pytest

from budgetd.v1 import budget_pb2 as pb
from budgetd_server.cli.periods import CALENDAR_UNITS, parse_window, period_text
from budgetd_server.domain.window import FIXED_LENGTH_US_MAX


def test_every_unit_of_the_contract_can_be_written() -> None:
    units = set(pb.CalendarUnit.values()) - {pb.CALENDAR_UNIT_UNSPECIFIED}

    assert set(CALENDAR_UNITS.values()) == units


def test_without_a_span_the_window_is_the_lifetime() -> None:
    assert parse_window(None, time_zone=None).WhichOneof("kind") == "lifetime"


def test_a_unit_is_of_the_calendar_in_its_time_zone() -> None:
    window = parse_window("month", time_zone="Europe/Berlin")

    assert window.calendar == pb.CalendarWindow(unit=pb.CALENDAR_UNIT_MONTH, time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("per", "seconds"), [("60s", 60), ("90m", 5_400), ("12h", 43_200), ("7d", 604_800), ("2w", 1_209_600)]
)
def test_a_length_is_a_fixed_window(per: str, seconds: int) -> None:
    assert parse_window(per, time_zone=None).fixed.length.seconds == seconds


@pytest.mark.parametrize("per", ["", "d", "7", "7 d", "-7d", "1.5h", "7D", "daily", "7d12h", "\u0667d"])
def test_another_span_is_refused(per: str) -> None:
    with pytest.raises(ValueError, match="a length in s, m, h, d or w"):
        parse_window(per, time_zone=None)


@pytest.mark.parametrize("per", ["0d", "0s", "3654d", "999999999w"])
def test_a_length_that_no_window_has_is_refused_as_it_was_written(per: str) -> None:
    with pytest.raises(ValueError, match=f"^must be from 1s to 3653d, got {per}$"):
        parse_window(per, time_zone=None)


def test_the_longest_window_is_that_of_the_server() -> None:
    assert parse_window("3653d", time_zone=None).fixed.length.seconds * 10**6 == FIXED_LENGTH_US_MAX


@pytest.mark.parametrize("per", ["7d", None])
def test_a_time_zone_without_a_calendar_is_refused(per: str | None) -> None:
    with pytest.raises(ValueError, match="time zone"):
        parse_window(per, time_zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("per", "text"),
    [
        (None, "lifetime"),
        ("day", "day, UTC"),
        ("24h", "1d"),
        ("36h", "36h"),
        ("90m", "90m"),
        ("61s", "61s"),
    ],
)
def test_a_window_is_shown_as_it_would_be_written(per: str | None, text: str) -> None:
    assert period_text(parse_window(per, time_zone=None), reset_mode=pb.RESET_MODE_AUTOMATIC) == text
