"""Where ours does something else than LiteLLM's class, on purpose: what, and a small program that shows it.

`test_differences.py` asserts what both sides make of each program. The random sequences of `test_differential.py` have
the same differences in `amended.py` and `amended_edits.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.parity import scenarios
from tests.parity.sides import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: its name, a sentence for users, the program, and what each side makes of it."""

    name: str
    sentence: str
    show: Callable[[Side], Any]
    theirs: Any
    ours: Any


DIFFERENCES = (
    Difference(
        name="created-at",
        sentence="`created_at` is by default the time of the call, not the time at which the module was imported.",
        show=scenarios.age_of_a_new_budget,
        theirs="when the module was imported",
        ours="now",
    ),
    Difference(
        name="bad-duration",
        sentence="A bad duration is refused before anything changes: the user keeps budget, spend and window.",
        show=scenarios.after_a_bad_duration,
        theirs=(99, 0),
        ours=(10, scenarios.CHEAP_COST),
    ),
    Difference(
        name="window-grid",
        sentence="A reset begins a window where the last one ended, or whole windows later: windows do not drift.",
        show=scenarios.start_of_the_next_window,
        theirs=2.5,
        ours=2.0,
    ),
    Difference(
        name="amounts",
        sentence="Budgets that are negative, not finite or no number are refused, with the argument's name.",
        show=scenarios.amounts,
        theirs={"taken"},
        ours={"refused by name"},
    ),
    Difference(
        name="no-user",
        sentence="None is no user: a TypeError, where LiteLLM keeps it as 'null'.",
        show=scenarios.users_without_a_name,
        theirs="taken",
        ours="refused by name",
    ),
    Difference(
        name="damaged-completion",
        sentence="A completion without a usage, or with negative tokens, is refused and not charged as zero or less.",
        show=scenarios.damaged_completions,
        theirs={"taken"},
        ours={"refused by name"},
    ),
    Difference(
        name="saved-without-duration",
        sentence="A budget without a duration is saved when it is created.",
        show=scenarios.a_budget_without_duration_in_a_new_process,
        theirs=False,
        ours=True,
    ),
    Difference(
        name="saved-reset",
        sentence="A reset is saved.",
        show=scenarios.a_reset_in_a_new_process,
        theirs=scenarios.CHEAP_COST,
        ours=0.0,
    ),
    Difference(
        name="saved-edit",
        sentence="An edit of `user_dict` is saved when it is made, without `save_data()`.",
        show=scenarios.an_edit_in_a_new_process,
        theirs=1.0,
        ours=2.0,
    ),
    Difference(
        name="projects-apart",
        sentence="Projects do not share their users, even in one folder.",
        show=scenarios.two_projects,
        theirs=["alice"],
        ours=[],
    ),
    Difference(
        name="managers-together",
        sentence="Two managers of one project, in one process or in two, add to the same sums.",
        show=scenarios.two_managers,
        theirs=2.0,
        ours=4.0,
    ),
    Difference(
        name="exact-sums",
        sentence="Sums are exact to the nano-dollar; a float's error does not grow with the number of charges.",
        show=scenarios.a_sum_of_many,
        theirs=False,
        ours=True,
    ),
    Difference(
        name="unknown-model",
        sentence="A model without a price is refused by the same exception, with a message about its price.",
        show=scenarios.what_is_said_of_an_unknown_model,
        theirs="its provider",
        ours="its name",
    ),
    Difference(
        name="model-cost-edit",
        sentence="An edit of what a model cost changes the current cost by as much.",
        show=scenarios.an_edit_of_a_models_cost,
        theirs=scenarios.CHEAP_COST,
        ours=0.5 + scenarios.CHEAP_COST,
    ),
    Difference(
        name="models-left-out",
        sentence="Models that are left out of a new `model_cost` are listed at zero.",
        show=scenarios.a_model_that_is_left_out,
        theirs={"o3": 0.5},
        ours={"o3": 0.5, "gpt-4o-mini": 0},
    ),
    Difference(
        name="model-at-zero",
        sentence="A model that cost nothing, and is set to zero, is not listed.",
        show=scenarios.a_model_at_zero,
        theirs=["gpt-4o-mini", "o3"],
        ours=["gpt-4o-mini"],
    ),
    Difference(
        name="current-cost-zero",
        sentence="A current cost that is set to zero is a reset: the models begin at zero, too.",
        show=scenarios.a_current_cost_of_zero,
        theirs={"gpt-4o-mini": scenarios.CHEAP_COST},
        ours={},
    ),
    Difference(
        name="current-cost-below-models",
        sentence="A current cost cannot be set below the sum of the models.",
        show=scenarios.a_current_cost_below_the_models,
        theirs=("taken", 1e-7),
        ours=("refused by name", scenarios.CHEAP_COST),
    ),
    Difference(
        name="costs-together",
        sentence="A record has both costs or neither: who is given a current cost has models, if none yet.",
        show=scenarios.a_current_cost_without_models,
        theirs=0,
        ours={},
    ),
    Difference(
        name="deleted-duration",
        sentence="A budget whose duration is deleted has no window, whose times could be shown.",
        show=scenarios.a_deleted_duration,
        theirs=["created_at", "last_updated_at", "total_budget"],
        ours=["total_budget"],
    ),
    Difference(
        name="deleted-costs",
        sentence="A cost that is deleted is zero, and the other one with it.",
        show=scenarios.a_deleted_cost,
        theirs=["model_cost", "total_budget"],
        ours=["current_cost", "model_cost", "total_budget"],
    ),
    Difference(
        name="keys-of-ones-own",
        sentence="A record cannot be given keys of one's own.",
        show=scenarios.a_key_of_ones_own,
        theirs="taken",
        ours="refused by name",
    ),
    Difference(
        name="records-are-copies",
        sentence="A record is a copy of the moment, and does not change with later charges.",
        show=scenarios.a_record_that_is_kept,
        theirs=scenarios.CHEAP_COST,
        ours=0.0,
    ),
    Difference(
        name="number-as-user",
        sentence="A whole number as a user is its digits, as it is after LiteLLM has read its file.",
        show=scenarios.a_number_as_user,
        theirs=[5],
        ours=["5"],
    ),
    Difference(
        name="content-parts",
        sentence="Of a content that is a list of parts, the texts are projected.",
        show=scenarios.a_projection_of_parts,
        theirs="refused",
        ours=2 * 30e-6,
    ),
)
