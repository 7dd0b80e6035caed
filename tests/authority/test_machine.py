"""Runs every command in random order on a store, and compares it with a slow model of the rules.

After every transaction it compares answers and refusals, the entries that were written, what each budget has spent,
held and counts, in all and by model, and every reservation; and it recomputes the invariants of the design from what
the store has kept. A refused command must leave the whole working set as it was.

That such a comparison can fail is shown by planting bugs. Each of these breaks one rule, and each is caught: a hold
that is not released at its expiry, or kept as a whole after a part; a parent charged twice, an additional budget
charged twice because it is an ancestor, too; a window stepped and not computed, a counter that rolls backwards; a
replay that is charged again; a settlement that uses today's tree; a refund that counts in a later window; a hold given
free where its commit's model matches; an admission that ignores what is held, or refuses because of a hold that is due;
a refused hold that leaves the budget made of its template; a recount without the open holds; a forced deletion that
keeps holds. A window that closes late or by itself, or drops what it has to keep; a replay that ignores the content; a
reset that erases the lifetime, begins one entry late or keeps the models; a recount that loses its second step, goes
behind a reset or is off by one; a refusal that leaves a trace; an incarnation that inherits; an etag that does not
count. On the way to a file: request ids, sums of the rest or a recount's later slices that are not loaded, and models,
bounds or deleted rows that are not written.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from budgetd_server.domain import configure, counting
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.ledger import loading
from tests.authority.drawing import DEPTH_MAX, MODELS_MAX, steps_made
from tests.authority.machine import Machine
from tests.authority.planted_bugs import PLANTS, Plant
from tests.authority.planted_count_bugs import COUNT_PLANTS
from tests.authority.planted_store_bugs import STORE_PLANTS
from tests.authority.stores import LedgerStore, MemoryStore
from tests.ledger.stores import STORES

#: A failure is reported as it was found: to shrink one takes minutes. Add Phase.shrink to have it in short.
quick = settings(
    deadline=None,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


class MemoryMachine(Machine):
    """On a working set in memory."""

    make_store = MemoryStore


class SqliteMachine(Machine):
    """On a file, which is recounted as a whole in the end."""

    make_store = staticmethod(lambda _: LedgerStore("sqlite"))


class ToyMachine(Machine):
    """On the second kind of ledger, which keeps its rows in memory."""

    make_store = staticmethod(lambda _: LedgerStore("toy"))


#: Planted bugs that only rare histories show: to find one may take ten seconds or more, so they belong to the drills.
RARE = {
    "accepts_any_etag",
    "charges_again",
    "ends_by_itself",
    "ends_chains_early",
    "forgets_refused_content",
    "frees_where_the_commit_matches",
    "inherits_lifetime",
    "keeps_nothing_open",
    "keeps_old_models",
    "leaves_the_copy_of_a_template",
    "loads_no_rest",
    "loses_the_second_step",
    "recounts_what_was_reset",
    "refunds_into_later_windows",
    "settles_with_the_tree_of_today",
}


def planted(plants: Iterable[Plant]) -> list[Any]:
    """Return the parameters of a test of planted bugs; those of rare ones are drills."""
    return [
        pytest.param(each, id=each.__name__, marks=pytest.mark.drill if each.__name__ in RARE else ())
        for each in plants
    ]


MACHINES = {"sqlite": SqliteMachine, "toy": ToyMachine}


@pytest.fixture(autouse=True, scope="module")
def _narrow_bounds() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configure, "DEPTH_MAX", DEPTH_MAX)
        patch.setattr(counting, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        patch.setattr(loading, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        yield


def test_the_rules_agree_with_a_model_that_recomputes_everything() -> None:
    run_state_machine_as_test(MemoryMachine, settings=settings(quick, max_examples=100))


@pytest.mark.parametrize("name", sorted(STORES))
def test_a_ledger_agrees_with_a_model_that_recomputes_everything(name: str) -> None:
    run_state_machine_as_test(MACHINES[name], settings=settings(quick, max_examples=20))


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("machine", "examples", "steps_min"),
    [(MemoryMachine, 1_000, 20_000), (SqliteMachine, 350, 10_000), (ToyMachine, 100, 3_000)],
)
def test_they_agree_over_tens_of_thousands_of_steps(machine: type[Machine], examples: int, steps_min: int) -> None:
    before = steps_made[0]
    run_state_machine_as_test(machine, settings=settings(quick, max_examples=examples, stateful_step_count=60))
    assert steps_made[0] - before >= steps_min


def search(machine: type[Machine]) -> None:
    """Play histories until store and model disagree."""
    thorough = settings(
        quick, max_examples=3_000, stateful_step_count=120, derandomize=True, database=None, phases=[Phase.generate]
    )
    run_state_machine_as_test(machine, settings=settings(thorough, report_multiple_bugs=False))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", planted([*PLANTS, *COUNT_PLANTS]))
def test_a_planted_bug_is_caught(plant: Plant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            search(MemoryMachine)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", planted(STORE_PLANTS))
def test_a_bug_planted_on_the_way_to_sqlite_is_caught(plant: Plant) -> None:
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, StoreUnavailable)):
            search(SqliteMachine)
