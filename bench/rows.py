"""Rows of the table, and how they are measured: all contestants of a scenario in turn, round after round.

A ratio is made of two figures of one round, so that what else the machine does at that time touches both; a row shows
the median of the rounds' ratios, with the least and the greatest.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Any

Measures = Mapping[str, float]
#: What each contestant of a scenario measured in one round.
Round = Mapping[str, Measures]
Contestants = Mapping[str, Callable[[], Measures]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A figure of budgetd beside another of the same round.

    `here` and `beside` are (contestant, measure). `at_least` and `after` are bounds of the ratio: to be reached, and
    to be after; None: there is none.
    """

    what: str
    here: tuple[str, str]
    beside: tuple[str, str]
    beside_what: str
    unit: str
    at_least: float | None = None
    after: float | None = None
    #: A bound of budgetd's own figure, in the row's unit, where the design gives no ratio.
    here_at_most: float | None = None
    #: True: the ratio should be at least the bounds; False: at most.
    more_is_better: bool = True
    #: Taken off `here` before it is compared.
    without: tuple[str, str] | None = None

    def ratio(self, measured: Round) -> float:
        """`here` / `beside` of a round."""
        here = _figure(measured, self.here) - (_figure(measured, self.without) if self.without else 0)
        return here / _figure(measured, self.beside)


@dataclass(frozen=True, slots=True)
class Result:
    """What a row came to."""

    row: Row
    ratios: list[float]
    here: list[float]
    beside: list[float]

    @property
    def ratio(self) -> float:
        """The median."""
        return median(self.ratios)

    def reaches(self, bound: float | None) -> bool | None:
        """Whether the ratio is on the right side of a bound; None: there is no bound."""
        if bound is None:
            return None
        return self.ratio >= bound if self.row.more_is_better else self.ratio <= bound

    def as_json(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "what": self.row.what,
            "beside": self.row.beside_what,
            "unit": self.row.unit,
            "ratio": self.ratio,
            "at_least" if self.row.more_is_better else "at_most": self.row.at_least,
            "after": self.row.after,
            "ratios": self.ratios,
            "here": self.here,
            "compared": self.beside,
        }


@dataclass(frozen=True, slots=True)
class Scenario:
    """Contestants that are measured in turn, and the rows that come of it.

    `open` starts what is needed, gives the contestants and stops everything at its end.
    """

    name: str
    open: Callable[[], AbstractContextManager[Contestants]]
    rows: tuple[Row, ...]
    #: Measured once before the rounds, so that nothing is measured cold.
    warms_up: bool = True
    #: So many rounds for each of others: it is soon over, and its spread is wide.
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
            [_figure(each, row.beside) for each in rounds],
        )
        for row in scenario.rows
    ]


def _rounds_of(contestants: Contestants, *, pairs: int, warms_up: bool) -> Iterator[Round]:
    """Measure all contestants, in turns that change direction each time."""
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
