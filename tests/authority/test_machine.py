"""Every command in random order on a store, beside a slow model of the rules.

After every transaction it compares answers and refusals, the entries that were written, what each budget has spent,
held and counts, and every reservation; and it recomputes the invariants of the design from what the store has kept.

That such a comparison can fail is shown by planting bugs. Each of these breaks one rule, and each is caught: a hold
that is not released at its expiry, or kept as a whole after a part; a parent charged twice, an additional budget
charged twice because it is an ancestor, too; a window stepped and not computed, a counter that rolls backwards; a
replay that is charged again; a settlement that uses today's tree; a refund that counts in a later window; a hold given
free where its commit's model matches; an admission that ignores what is held, or refuses because of a hold that is due;
a refused hold that leaves the budget made of its template; a recount without the open holds; a forced deletion that
keeps holds.
"""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from budgetd_server.domain import configure
from tests.authority.drawing import DEPTH_MAX, steps_made
from tests.authority.machine import Machine
from tests.authority.planted_bugs import PLANTS, Plant
from tests.authority.stores import MemoryStore, SqliteStore

#: A failure is told as it was found: to shrink one takes minutes. Add Phase.shrink to have it in short.
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

    make_store = SqliteStore


@pytest.fixture(autouse=True, scope="module")
def _shallow_trees() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(configure, "DEPTH_MAX", DEPTH_MAX)
        yield


def test_the_rules_agree_with_a_model_that_recomputes_everything() -> None:
    run_state_machine_as_test(MemoryMachine, settings=settings(quick, max_examples=100))


def test_a_ledger_agrees_with_a_model_that_recomputes_everything() -> None:
    run_state_machine_as_test(SqliteMachine, settings=settings(quick, max_examples=30))


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize(
    ("machine", "examples", "steps_min"), [(MemoryMachine, 1_000, 20_000), (SqliteMachine, 350, 10_000)]
)
def test_they_agree_over_tens_of_thousands_of_steps(machine: type[Machine], examples: int, steps_min: int) -> None:
    before = steps_made[0]
    run_state_machine_as_test(machine, settings=settings(quick, max_examples=examples, stateful_step_count=60))
    assert steps_made[0] - before >= steps_min


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Plant) -> None:
    thorough = settings(
        quick, max_examples=3_000, stateful_step_count=120, derandomize=True, database=None, phases=[Phase.generate]
    )
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            run_state_machine_as_test(MemoryMachine, settings=settings(thorough, report_multiple_bugs=False))
