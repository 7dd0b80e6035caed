"""The comparison finds nothing where nothing differs, and finds what was planted."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parity.amended import Amended
from tests.parity.lockstep import Deviation, Lockstep
from tests.parity.planted import PLANTED
from tests.parity.seeds import SEEDS, STEPS
from tests.parity.steps import WEIGHTS

#: Kinds that raise whatever they meet.
WRONG = {"create_badly", "charge_wrongly", "project_wrongly", "call_wrongly"}


def pair(tmp_path: Path, other: Callable[[str, Path], Any]) -> tuple[Amended, Any]:
    """LiteLLM's class, amended, and another, each in an empty folder."""
    for name in ("theirs", "ours"):
        (tmp_path / name).mkdir(parents=True)
    return Amended("project", tmp_path / "theirs"), other("project", tmp_path / "ours")


def test_the_class_does_not_differ_from_itself_and_every_kind_of_step_is_made(tmp_path: Path) -> None:
    returned: Counter[str] = Counter()
    raised: Counter[str] = Counter()

    for seed in SEEDS:
        lockstep = Lockstep(*pair(tmp_path / str(seed), Amended), seed=seed)
        lockstep.run(STEPS)
        returned += lockstep.returned
        raised += lockstep.raised

    kinds = {maker.__name__ for maker in WEIGHTS}
    assert returned.total() + raised.total() >= 5_000
    assert {kind for kind in kinds if returned[kind] < 20} == WRONG
    assert {kind for kind in WRONG if raised[kind] < 50} == set()


@pytest.mark.parametrize("planted", PLANTED, ids=lambda each: each.__name__)
def test_a_planted_deviation_is_found(planted: Callable[[str, Path], Any], tmp_path: Path) -> None:
    def compare() -> None:
        for seed in SEEDS:
            Lockstep(*pair(tmp_path / str(seed), planted), seed=seed).run(STEPS)

    with pytest.raises(Deviation):
        compare()
