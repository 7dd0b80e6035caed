"""Every kind of scenario runs, at a hundredth of its size and less, with the real servers and load generators."""

import math
from pathlib import Path

import pytest

from bench.__main__ import scenarios
from bench.rows import measured
from bench.stage import Stage
from bench.stages import stages_of_a_charge

#: The large ones are a hundred times as large.
SCALES = {"flat-1000000": 0.0001, "memory-large": 0.0001}
#: Of those that differ in nothing but a number, one.
LIKE_OTHERS = {"batch-500-200", "batch-4000-200", "batch-500-100000", "flat-10000", "embedded-10", "embedded-10000"}
NAMES = [each.name for each in scenarios(Stage(Path(), 1.0), is_large=True) if each.name not in LIKE_OTHERS]


@pytest.mark.parametrize("name", NAMES)
def test_a_scenario_gives_a_ratio_for_each_of_its_rows(name: str, tmp_path: Path) -> None:
    small = Stage(tmp_path, SCALES.get(name, 0.01))
    scenario = next(each for each in scenarios(small, is_large=True) if each.name == name)

    results = measured(scenario, pairs=1)

    assert [result.row for result in results] == list(scenario.rows)
    assert all(math.isfinite(result.ratio) for result in results)
    assert all(result.here[0] > 0 and result.reference[0] > 0 for result in results)


def test_the_stages_of_a_charge_are_reported_for_each_way_to_send_it(stage: Stage) -> None:
    stages = stages_of_a_charge(stage)

    steps = {tuple(taken) for taken in stages.values()}
    assert len(stages) == 4
    assert len(steps) == 1, "every way has the same steps"
    assert {"parse", "check", "load", "decide", "save", "commit", "answer"} <= set(*steps)
