"""Where ours does something else than LiteLLM's class, on purpose: what, and a small program that shows it.

Each program returns what can be seen; `test_differences.py` asserts it of both sides. The comparisons of
`test_differential.py` have the same differences in `amended.py`.
"""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.parity.completions import UNKNOWN_MODEL, Tokens, response
from tests.parity.drawing import DAY_SECONDS
from tests.parity.sides import Side

CHEAP = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}
CHEAP_COST = 6e-7


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference: its name, a sentence for users, the program, and what each side makes of it."""

    name: str
    sentence: str
    show: Callable[[Side], Any]
    theirs: Any
    ours: Any


def _age_of_a_new_budget(side: Side) -> str:
    called_at = time.time()
    created_at = side.open().create_budget(1, "alice", "daily")["created_at"]
    return "now" if called_at - 0.001 <= created_at <= time.time() + 0.001 else "when the module was imported"


def _after_a_bad_duration(side: Side) -> Any:
    manager = side.open()
    manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", CHEAP)
    with contextlib.suppress(ValueError):
        manager.create_budget(99, "alice", "hourly")
    return manager.get_total_budget("alice"), manager.get_current_cost("alice")


def _start_of_the_next_window(side: Side) -> float:
    manager = side.open()
    created_at = float(int(time.time()) - 2.5 * DAY_SECONDS)
    manager.create_budget(1, "alice", "daily", created_at=created_at)
    manager.reset_on_duration("alice")
    begun_at = float(manager.user_dict["alice"]["last_updated_at"])
    return round((begun_at - created_at) / DAY_SECONDS, 3)


def _what_becomes_of(call: Callable[[], Any], argument: str) -> str:
    try:
        call()
    except (TypeError, ValueError) as error:
        return "refused by name" if argument in str(error) else f"refused: {error}"
    return "taken"


def _amounts(side: Side) -> set[str]:
    manager = side.open()
    amounts = (-1, float("nan"), float("inf"), float("-inf"), "ten dollars", None)
    return {_what_becomes_of(lambda: manager.create_budget(each, "alice"), "total_budget") for each in amounts}  # noqa: B023


def _users_without_a_name(side: Side) -> str:
    manager = side.open()
    return _what_becomes_of(lambda: manager.create_budget(1, None), "user")


def _damaged_completions(side: Side) -> set[str]:
    manager = side.open()
    manager.create_budget(1, "alice")
    damaged = ({"model": "gpt-4o"}, {"model": "gpt-4o", "usage": {"prompt_tokens": -8, "completion_tokens": 0}})
    return {_what_becomes_of(lambda: manager.update_cost("alice", each), "completion_obj") for each in damaged}  # noqa: B023


def _a_budget_without_duration_in_a_new_process(side: Side) -> bool:
    side.open().create_budget(1, "alice")
    return bool(side.open().is_valid_user("alice"))


def _a_reset_in_a_new_process(side: Side) -> float:
    manager = side.open()
    manager.create_budget(1, "alice", "daily")
    manager.update_cost("alice", CHEAP)
    manager.reset_cost("alice")
    return float(side.open().get_current_cost("alice"))


def _an_edit_in_a_new_process(side: Side) -> float:
    manager = side.open()
    manager.create_budget(1, "alice", "daily")
    manager.user_dict["alice"]["total_budget"] = 2
    return float(side.open().get_total_budget("alice"))


def _two_projects(side: Side) -> list[str]:
    side.open("first").create_budget(1, "alice", "daily")
    return list(side.open("second").get_users())


def _two_managers(side: Side) -> float:
    first = side.open()
    first.create_budget(1, "alice", "daily")
    second = side.open()
    for manager in (first, second, first, second):
        manager.update_cost("alice", CHEAP)
    return round(float(side.open().get_current_cost("alice")) / CHEAP_COST, 3)


def _a_sum_of_many(side: Side) -> bool:
    manager = side.open()
    manager.create_budget(1, "alice")
    for _ in range(100):
        manager.update_cost("alice", CHEAP)
    return bool(manager.get_current_cost("alice") == 100 * 600 / 1e9)


def _what_is_said_of_an_unknown_model(side: Side) -> str:
    manager = side.open()
    manager.create_budget(1, "alice")
    try:
        manager.update_cost("alice", response(UNKNOWN_MODEL, Tokens(prompt=1, completion=1)))
    except Exception as error:  # noqa: BLE001 - LiteLLM's class is not ours.
        return "its provider" if "Provider" in str(error) else "its name" if UNKNOWN_MODEL in str(error) else str(error)
    return "nothing"


DIFFERENCES = (
    Difference(
        name="created-at",
        sentence="`created_at` is by default the time of the call, not the time at which the module was imported.",
        show=_age_of_a_new_budget,
        theirs="when the module was imported",
        ours="now",
    ),
    Difference(
        name="bad-duration",
        sentence="A bad duration is refused before anything changes: the user keeps budget, spend and window.",
        show=_after_a_bad_duration,
        theirs=(99, 0),
        ours=(10, CHEAP_COST),
    ),
    Difference(
        name="window-grid",
        sentence="A reset begins a window where the last one ended, or whole windows later: windows do not drift.",
        show=_start_of_the_next_window,
        theirs=2.5,
        ours=2.0,
    ),
    Difference(
        name="amounts",
        sentence="Budgets that are negative, not finite or no number are refused, with the argument's name.",
        show=_amounts,
        theirs={"taken"},
        ours={"refused by name"},
    ),
    Difference(
        name="no-user",
        sentence="None is no user: a TypeError, where LiteLLM keeps it as 'null'.",
        show=_users_without_a_name,
        theirs="taken",
        ours="refused by name",
    ),
    Difference(
        name="damaged-completion",
        sentence="A completion without a usage, or with negative tokens, is refused and not charged as zero or less.",
        show=_damaged_completions,
        theirs={"taken"},
        ours={"refused by name"},
    ),
    Difference(
        name="saved-without-duration",
        sentence="A budget without a duration is saved when it is created.",
        show=_a_budget_without_duration_in_a_new_process,
        theirs=False,
        ours=True,
    ),
    Difference(
        name="saved-reset",
        sentence="A reset is saved.",
        show=_a_reset_in_a_new_process,
        theirs=CHEAP_COST,
        ours=0.0,
    ),
    Difference(
        name="saved-edit",
        sentence="An edit of `user_dict` is saved when it is made, without `save_data()`.",
        show=_an_edit_in_a_new_process,
        theirs=1.0,
        ours=2.0,
    ),
    Difference(
        name="projects-apart",
        sentence="Projects do not share their users, even in one folder.",
        show=_two_projects,
        theirs=["alice"],
        ours=[],
    ),
    Difference(
        name="managers-together",
        sentence="Two managers of one project, in one process or in two, add to the same sums.",
        show=_two_managers,
        theirs=2.0,
        ours=4.0,
    ),
    Difference(
        name="exact-sums",
        sentence="Sums are exact to the nano-dollar; a float's error does not grow with the number of charges.",
        show=_a_sum_of_many,
        theirs=False,
        ours=True,
    ),
    Difference(
        name="unknown-model",
        sentence="A model without a price is refused by the same exception, with a message about its price.",
        show=_what_is_said_of_an_unknown_model,
        theirs="its provider",
        ours="its name",
    ),
)
