"""Whatever one process calls: LiteLLM's class sees on budgetd what it sees on a server that keeps its dictionary."""

import sys
from collections import Counter
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.parity.hosted.hosted_lockstep import HostedLockstep
from tests.parity.hosted.hosted_steps import WEIGHTS
from tests.parity.lockstep import Deviation
from tests.parity.theirs import litellm
from tests.rpc.running_server import SECOND_US, FakeClock, RunningServer

SEEDS = tuple(range(8))
STEPS = 250
#: Kinds that raise whatever they meet.
WRONG = {"create_with_a_wrong_duration", "charge_wrongly"}


def runs_by(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let LiteLLM's class read a clock that tests move."""
    module = sys.modules[litellm.BudgetManager.__module__]
    monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: clock.now_us / SECOND_US))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_sequence_of_calls_distinguishes_budgetd_from_a_dictionary(
    seed: int, dictionary: DictionaryServer, budgetd: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs_by(budgetd.clock, monkeypatch)
    bases = (dictionary.api_base, f"http://127.0.0.1:{budgetd.server.http_port}")

    lockstep = HostedLockstep(*bases, clock=budgetd.clock, seed=seed, looks_on=seed % 2 == 0)

    lockstep.run(STEPS)


@pytest.fixture
def another() -> Iterator[DictionaryServer]:
    """One that loses a single save, of all that a seed makes."""
    server = DictionaryServer(loses=lambda number: number == 40)
    yield server
    server.stop()


def test_a_dictionary_does_not_differ_from_itself_and_every_kind_of_step_is_made(
    dictionary: DictionaryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: Counter[str] = Counter()
    raised: Counter[str] = Counter()

    for seed in SEEDS:
        clock = FakeClock()
        runs_by(clock, monkeypatch)
        dictionary.kept.clear()
        second = DictionaryServer()
        lockstep = HostedLockstep(dictionary.api_base, second.api_base, clock=clock, seed=seed, looks_on=False)
        lockstep.run(STEPS)
        second.stop()
        returned += lockstep.returned
        raised += lockstep.raised

    kinds = {maker.__name__ for maker in WEIGHTS}
    assert returned.total() + raised.total() == len(SEEDS) * STEPS
    assert {kind for kind in kinds if returned[kind] < 15} == WRONG
    assert {kind for kind in WRONG if raised[kind] < 15} == set()


def test_one_lost_save_is_found(
    dictionary: DictionaryServer, another: DictionaryServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = FakeClock()
    runs_by(clock, monkeypatch)

    lockstep = HostedLockstep(dictionary.api_base, another.api_base, clock=clock, seed=0, looks_on=True)

    with pytest.raises(Deviation):
        lockstep.run(STEPS)
