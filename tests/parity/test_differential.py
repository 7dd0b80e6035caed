"""Whatever a program calls, in whatever order: ours answers, raises and keeps what LiteLLM's class does, as amended."""

from pathlib import Path

import pytest

from tests.parity.amended import Amended
from tests.parity.comparing import differences, outcome
from tests.parity.lockstep import Lockstep
from tests.parity.seeds import SEEDS, STEPS
from tests.parity.sides import Side


@pytest.mark.parametrize("seed", SEEDS)
def test_no_sequence_of_calls_distinguishes_ours_from_theirs(seed: int, ours: Side, tmp_path: Path) -> None:
    theirs = Amended("project", tmp_path)

    lockstep = Lockstep(theirs, ours.open(), seed=seed)
    lockstep.run(STEPS)
    lockstep.compare_whole()

    theirs.save_data()
    ours.close()
    kept = [outcome(lambda manager: manager.user_dict, each) for each in (Amended("project", tmp_path), ours.open())]
    assert differences(*kept) == []
