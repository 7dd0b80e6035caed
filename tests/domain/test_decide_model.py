"""Random histories, decided by the rules and by a slow model of them, and what the comparison catches.

After every transaction it compares outcomes, refusals, entries, counts by model, windows, etags and where each budget
stands at several instants, and recomputes invariants 1, 2, 5 and 6 from the entries alone. A refused command must leave
the whole working set as it was.

That such a comparison can fail is shown by planting bugs. Each of these breaks one rule, and each is caught: a counter
that rolls backwards, steps its windows from now, closes them late or by itself, or drops what it has to keep; a replay
that charges again or ignores the content; a reset that erases the lifetime, begins one entry late or keeps the models;
a recount that loses its second step, goes behind a reset or is off by one; a refusal that leaves a trace; an
incarnation that inherits; an etag that does not count.
"""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, example, given, settings

from budgetd_server.domain import counting
from tests.domain.histories import TELLING, Batch, histories
from tests.domain.planted_bugs import PLANTS, Plant
from tests.domain.rehearsal import play

#: Few, so that short histories have more models than that.
MODELS_MAX = 3


@pytest.fixture(autouse=True, scope="module")
def _few_models() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "MODELS_PER_WINDOW_MAX", MODELS_MAX)
        yield


@settings(max_examples=60)
@example(history=TELLING)
@given(history=histories(batches_max=14, batch_max=3))
def test_the_rules_agree_with_a_model_that_recomputes_everything(history: list[Batch]) -> None:
    play(history, models_max=MODELS_MAX)


@pytest.mark.drill
@pytest.mark.timeout(1_200)
@settings(max_examples=1_000)
@given(history=histories(batches_max=40, batch_max=4))
def test_the_rules_agree_with_the_model_over_long_histories(history: list[Batch]) -> None:
    play(history, models_max=MODELS_MAX)


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_caught(plant: Plant) -> None:
    @settings(max_examples=1_000, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate])
    @example(history=TELLING)
    @given(history=histories(batches_max=14, batch_max=3))
    def rehearse(history: list[Batch]) -> None:
        play(history, models_max=MODELS_MAX)

    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises(AssertionError):
            rehearse()
