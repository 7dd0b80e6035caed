"""How figures become ratios."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.rows import Contestants, Row, Scenario, measured

RATE = Row(
    what="charges",
    here=("ours", "rate"),
    reference=("theirs", "rate"),
    reference_what="theirs",
    unit="/s",
    at_least=0.5,
)


def scenario_of(*rows: Row, ours: list[float], theirs: list[float], order: list[str] | None = None) -> Scenario:
    """A scenario whose contestants report these figures in turn."""
    turns = [] if order is None else order

    def of(name: str, figures: list[float]) -> "dict[str, float]":
        turns.append(name)
        return {"rate": figures.pop(0)}

    @contextmanager
    def opened() -> Iterator[Contestants]:
        yield {"ours": lambda: of("ours", ours), "theirs": lambda: of("theirs", theirs)}

    return Scenario("given", opened, rows, warms_up=False)


def test_a_ratio_is_made_of_figures_of_one_round_and_not_of_medians() -> None:
    (result,) = measured(scenario_of(RATE, ours=[10, 100, 30], theirs=[20, 200, 30]), pairs=3)

    assert result.ratios == [0.5, 0.5, 1.0]
    assert result.ratio == 0.5


def test_contestants_take_turns_and_the_order_changes_each_round() -> None:
    order: list[str] = []

    measured(scenario_of(RATE, ours=[1, 1, 1], theirs=[1, 1, 1], order=order), pairs=3)

    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]


def test_what_is_not_ours_to_count_is_taken_off_before_the_ratio() -> None:
    row = Row(
        what="lone",
        here=("ours", "rate"),
        without=("theirs", "rate"),
        reference=("theirs", "rate"),
        reference_what="theirs",
        unit="µs",
    )

    (result,) = measured(scenario_of(row, ours=[50], theirs=[10]), pairs=1)

    assert result.ratio == 4


@pytest.mark.parametrize(
    ("more_is_better", "ratio", "reached"),
    [
        pytest.param(True, 0.49, False, id="a rate below its bound"),
        pytest.param(True, 0.5, True, id="a rate at its bound"),
        pytest.param(False, 0.51, False, id="a time above its bound"),
        pytest.param(False, 0.5, True, id="a time at its bound"),
    ],
)
def test_a_bound_is_reached_from_the_right_side(*, more_is_better: bool, ratio: float, reached: bool) -> None:
    row = Row(
        what="it",
        here=("ours", "rate"),
        reference=("theirs", "rate"),
        reference_what="theirs",
        unit="",
        at_least=0.5,
        more_is_better=more_is_better,
    )
    (result,) = measured(scenario_of(row, ours=[ratio], theirs=[1]), pairs=1)

    assert result.reaches(row.at_least) is reached
    assert result.reaches(None) is None
