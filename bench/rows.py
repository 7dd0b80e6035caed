"""Rows of the table, and their measurement: all contestants of a scenario in turn, in several rounds.

A ratio is made of two figures of the same round, so that other load on the machine affects both. A row shows the median
of the rounds' ratios, with the smallest and the largest.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Any

Measures = Mapping[str, float]
#: The figures of each contestant of a scenario in one round.
Round = Mapping[str, Measures]
Contestants = Mapping[str, Callable[[], Measures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure of budgetd compared with a reference of the same round.

    `here` and `reference` are (contestant, measure). `at_least` and `after` are bounds of the ratio: the one that must
    be reached, and the goal. None: no bound.
    """

    what: str
    here: tuple[str, str]
    reference: tuple[str, str]
    reference_what: str
    unit: str
    at_least: float | None = None
    after: float | None = None
    #: A bound of budgetd's own figure, in the row's unit, where the design gives no ratio.
    here_at_most: float | None = None
    #: True if the ratio should be at least the bounds, False if at most.
    more_is_better: bool = True
    #: Subtracted from `here` before the comparison.
    without: tuple[str, str] | None = None

    def ratio(self, measured: Round) -> float:
        """Return `here` / `reference` of a round."""
        here = _figure(measured, self.here) - (_figure(measured, self.without) if self.without else 0)
        return here / _figure(measured, self.reference)


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a row."""

    row: Row
    ratios: list[float]
    here: list[float]
    reference: list[float]

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    def reaches(self, bound: float | None) -> bool | None:
        """Return True if the ratio is on the right side of a bound. Returns None if there is no bound."""
        if bound is None:
            return None
        return self.ratio >= bound if self.row.more_is_better else self.ratio <= bound

    def as_json(self) -> dict[str, Any]:
        """Return all figures, for programs."""
        return {
            "what": self.row.what,
            "beside": self.row.reference_what,
            "unit": self.row.unit,
            "ratio": self.ratio,
            "at_least" if self.row.more_is_better else "at_most": self.row.at_least,
            "after": self.row.after,
            "ratios": self.ratios,
            "here": self.here,
            "compared": self.reference,
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """Contestants that are measured in turn, and the rows that result.

    `open` starts what is needed, yields the contestants and stops everything at its end.
    """

    name: str
    open: Callable[[], AbstractContextManager[Contestants]]
    rows: tuple[Row, ...]
    #: True: measure once before the rounds, so that no round is cold.
    warms_up: bool = True
    #: How many rounds it has for each round of other scenarios. More than one if it is short and its spread is wide.
    rounds_a_pair: int = 1


def measured(scenario: Scenario, *, pairs: int) -> list[Result]:
    """Measure a scenario."""
    with scenario.open() as contestants:
        rounds = list(_rounds_of(contestants, pairs=pairs, warms_up=scenario.warms_up))
    return [
        Result(
            row,
            [row.ratio(each) for each in rounds],
            [_figure(each, row.here) for each in rounds],
            [_figure(each, row.reference) for each in rounds],
        )
        for row in scenario.rows
    ]


def _rounds_of(contestants: Contestants, *, pairs: int, warms_up: bool) -> Iterator[Round]:
    """Measure all contestants in turn, in alternating order."""
    if warms_up:
        for measure in contestants.values():
            measure()
    names = list(contestants)
    for turn in range(pairs):
        order = names if turn % 2 == 0 else names[::-1]
        yield {name: contestants[name]() for name in order}


def _figure(measured: Round, place: tuple[str, str]) -> float:
    contestant, measure = place
    return measured[contestant][measure]
