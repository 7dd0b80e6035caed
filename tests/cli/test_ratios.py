"""`--min-used`: a share of a limit, in percent or as a ratio, and nothing that could be either."""

import pytest
import typer

from budgetd_server.cli.ratios import parse_ratio


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("0", 0.0),
        ("0.8", 0.8),
        ("1", 1.0),
        ("80%", 0.8),
        ("80 %", 0.8),
        (" 99.5% ", 0.995),
        ("0%", 0.0),
        ("150%", 1.5),
    ],
)
def test_a_share_is_read_in_percent_or_as_a_ratio(text: str, ratio: float) -> None:
    assert parse_ratio(text) == ratio


@pytest.mark.parametrize("text", ["80", "1.5", "1.000000001"])
def test_a_number_above_one_without_the_sign_is_refused_and_the_sign_is_suggested(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"write {text}% for {text} percent"):
        parse_ratio(text)


@pytest.mark.parametrize("text", ["", "%", "-1", "-5%", "nan", "1e-1", "0,8", "80%%", "half", "0.8.1", "\u0668%"])
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter, match=r"a share such as 80% or 0\.8"):
        parse_ratio(text)
