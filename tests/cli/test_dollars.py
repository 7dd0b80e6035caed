"""Dollars are read and printed to the nano-dollar."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.cli.dollars import parse_usd, usd_text


@given(whole=st.integers(0, 10**9 - 1), decimals=st.text("0123456789", min_size=1, max_size=9))
def test_dollars_are_read_as_exactly_what_they_say(whole: int, decimals: str) -> None:
    text = f"{whole}.{decimals}"

    assert parse_usd(text) == Fraction(text) * 10**9


@given(st.integers(0, 10**18))
def test_what_is_printed_reads_as_the_same_amount(nano_usd: int) -> None:
    assert parse_usd(usd_text(nano_usd).replace(",", "")) == nano_usd


@pytest.mark.parametrize(
    ("text", "nano_usd"),
    [
        ("5", 5_000_000_000),
        ("0", 0),
        (".5", 500_000_000),
        ("$0.0123", 12_300_000),
        (" 1.50 ", 1_500_000_000),
        ("0.000000001", 1),
        ("1000000000", 10**18),
    ],
)
def test_dollars_as_people_write_them_are_read(text: str, nano_usd: int) -> None:
    assert parse_usd(text) == nano_usd


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0.0000000001", "at most 9 decimals"),
        ("0.1000000000", "at most 9 decimals"),
        ("-1", "must not be negative"),
        ("1000000000.000000001", "at most 1,000,000,000 dollars"),
        ("9" * 400, "at most 1,000,000,000 dollars"),
        ("", "must be dollars"),
        ("five", "must be dollars"),
        ("1,5", "must be dollars"),
        ("1.", "must be dollars"),
        ("1e3", "must be dollars"),
        ("NaN", "must be dollars"),
        ("\u0663", "must be dollars"),
    ],
)
def test_anything_else_is_refused_with_the_rule(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        parse_usd(text)


@pytest.mark.parametrize(
    ("nano_usd", "text"),
    [
        (0, "$0.00"),
        (1, "$0.000000001"),
        (122_500, "$0.0001225"),
        (5_000_000_000, "$5.00"),
        (-10_000_000, "-$0.01"),
        (10**18, "$1,000,000,000.00"),
    ],
)
def test_dollars_are_printed_with_two_decimals_or_as_many_as_it_takes(nano_usd: int, text: str) -> None:
    assert usd_text(nano_usd) == text
