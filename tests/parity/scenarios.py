"""Small programs that show where the two classes differ; each returns what can be seen."""

import contextlib
import time
from collections.abc import Callable
from typing import Any

from tests.parity.completions import UNKNOWN_MODEL, Tokens, response
from tests.parity.drawing import DAY_SECONDS
from tests.parity.sides import Side

CHEAP = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 4, "completion_tokens": 0, "total_tokens": 4}}
CHEAP_COST = 6e-7


def age_of_a_new_budget(side: Side) -> str:
    """When a budget was created, in words."""
    called_at = time.time()
    created_at = side.open().create_budget(1, "alice", "daily")["created_at"]
    return "now" if called_at - 0.001 <= created_at <= time.time() + 0.001 else "when the module was imported"


def after_a_bad_duration(side: Side) -> Any:
    """Budget and cost of a user whose new duration was wrong."""
    manager = side.open()
    manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", CHEAP)
    with contextlib.suppress(ValueError):
        manager.create_budget(99, "alice", "hourly")
    return manager.get_total_budget("alice"), manager.get_current_cost("alice")


def start_of_the_next_window(side: Side) -> float:
    """How many days after the first window, of one day, the one after the reset begins."""
    manager = side.open()
    created_at = float(int(time.time()) - 2.5 * DAY_SECONDS)
    manager.create_budget(1, "alice", "daily", created_at=created_at)
    manager.reset_on_duration("alice")
    begun_at = float(manager.user_dict["alice"]["last_updated_at"])
    return round((begun_at - created_at) / DAY_SECONDS, 3)


def amounts(side: Side) -> set[str]:
    """What becomes of amounts that are none."""
    manager = side.open()
    amounts = (-1, float("nan"), float("inf"), float("-inf"), "ten dollars", None)
    return {_what_becomes_of(lambda: manager.create_budget(each, "alice"), "total_budget") for each in amounts}  # noqa: B023


def users_without_a_name(side: Side) -> str:
    """What becomes of None as a user."""
    manager = side.open()
    return _what_becomes_of(lambda: manager.create_budget(1, None), "user")


def damaged_completions(side: Side) -> set[str]:
    """What becomes of completions without tokens, or with too few."""
    manager = side.open()
    manager.create_budget(1, "alice")
    damaged = ({"model": "gpt-4o"}, {"model": "gpt-4o", "usage": {"prompt_tokens": -8, "completion_tokens": 0}})
    return {_what_becomes_of(lambda: manager.update_cost("alice", each), "completion_obj") for each in damaged}  # noqa: B023


def a_budget_without_duration_in_a_new_process(side: Side) -> bool:
    """Whether the next manager knows it."""
    side.open().create_budget(1, "alice")
    return bool(side.open().is_valid_user("alice"))


def a_reset_in_a_new_process(side: Side) -> float:
    """What the next manager says of the cost."""
    manager = side.open()
    manager.create_budget(1, "alice", "daily")
    manager.update_cost("alice", CHEAP)
    manager.reset_cost("alice")
    return float(side.open().get_current_cost("alice"))


def an_edit_in_a_new_process(side: Side) -> float:
    """What the next manager says of the budget."""
    manager = side.open()
    manager.create_budget(1, "alice", "daily")
    manager.user_dict["alice"]["total_budget"] = 2
    return float(side.open().get_total_budget("alice"))


def two_projects(side: Side) -> list[str]:
    """The users of the second project."""
    side.open("first").create_budget(1, "alice", "daily")
    return list(side.open("second").get_users())


def two_managers(side: Side) -> float:
    """How many of four charges are left."""
    first = side.open()
    first.create_budget(1, "alice", "daily")
    second = side.open()
    for manager in (first, second, first, second):
        manager.update_cost("alice", CHEAP)
    return round(float(side.open().get_current_cost("alice")) / CHEAP_COST, 3)


def a_sum_of_many(side: Side) -> bool:
    """Whether a hundred charges are a hundred times one."""
    manager = side.open()
    manager.create_budget(1, "alice")
    for _ in range(100):
        manager.update_cost("alice", CHEAP)
    return bool(manager.get_current_cost("alice") == 100 * 600 / 1e9)


def what_is_said_of_an_unknown_model(side: Side) -> str:
    """What the message is about."""
    manager = side.open()
    manager.create_budget(1, "alice")
    try:
        manager.update_cost("alice", response(UNKNOWN_MODEL, Tokens(prompt=1, completion=1)))
    except Exception as error:  # noqa: BLE001 - LiteLLM's class is not ours.
        return "its provider" if "Provider" in str(error) else "its name" if UNKNOWN_MODEL in str(error) else str(error)
    return "nothing"


def an_edit_of_a_models_cost(side: Side) -> float:
    """The current cost afterwards."""
    manager = _charged(side)
    manager.user_dict["alice"]["model_cost"]["o3"] = 0.5
    return float(manager.get_current_cost("alice"))


def a_model_that_is_left_out(side: Side) -> dict[str, float]:
    """The models, once others were put in their place."""
    manager = _charged(side)
    manager.user_dict["alice"]["model_cost"] = {"o3": 0.5}
    return dict(manager.get_model_cost("alice"))


def a_model_at_zero(side: Side) -> list[str]:
    """The models, once one that cost nothing was set to zero."""
    manager = _charged(side)
    manager.user_dict["alice"]["model_cost"]["o3"] = 0
    return list(manager.get_model_cost("alice"))


def a_current_cost_of_zero(side: Side) -> dict[str, float]:
    """The models afterwards."""
    manager = _charged(side)
    manager.user_dict["alice"]["current_cost"] = 0
    return dict(manager.get_model_cost("alice"))


def a_current_cost_below_the_models(side: Side) -> tuple[str, float]:
    """What becomes of it, and the current cost."""
    manager = _charged(side)
    becomes = _what_becomes_of(lambda: manager.user_dict["alice"].update(current_cost=1e-7), "current_cost")
    return becomes, float(manager.get_current_cost("alice"))


def a_current_cost_without_models(side: Side) -> Any:
    """The models of a user who was never charged, once its current cost was set."""
    manager = side.open()
    manager.create_budget(1, "alice")
    manager.user_dict["alice"]["current_cost"] = 0.5
    return dict(models) if (models := manager.get_model_cost("alice")) != 0 else 0


def a_deleted_duration(side: Side) -> list[str]:
    """What is left of the record."""
    manager = side.open()
    manager.create_budget(1, "alice", "daily")
    del manager.user_dict["alice"]["duration"]
    return sorted(manager.user_dict["alice"])


def a_deleted_cost(side: Side) -> list[str]:
    """What is left of the record."""
    manager = _charged(side)
    del manager.user_dict["alice"]["current_cost"]
    return sorted(manager.user_dict["alice"])


def a_key_of_ones_own(side: Side) -> str:
    """What becomes of it."""
    manager = _charged(side)
    return _what_becomes_of(lambda: manager.user_dict["alice"].update(note="hello"), "note")


def a_record_that_is_kept(side: Side) -> float:
    """The cost that it shows after a charge."""
    manager = side.open()
    record = manager.create_budget(1, "alice")
    manager.update_cost("alice", CHEAP)
    return float(record.get("current_cost", 0))


def a_number_as_user(side: Side) -> list[Any]:
    """The users."""
    manager = side.open()
    manager.create_budget(1, 5)
    return list(manager.get_users())


def a_projection_of_parts(side: Side) -> Any:
    """What a prompt costs whose content is a list of parts."""
    manager = side.open()
    manager.create_budget(1, "alice")
    parts = [{"type": "text", "text": "hello "}, {"type": "text", "text": "world"}]
    try:
        return round(manager.projected_cost("gpt-4", [{"role": "user", "content": parts}], "alice"), 9)
    except TypeError:
        return "refused"


def _charged(side: Side) -> Any:
    manager = side.open()
    manager.create_budget(1, "alice")
    manager.update_cost("alice", CHEAP)
    return manager


def _what_becomes_of(call: Callable[[], Any], argument: str) -> str:
    try:
        call()
    except (TypeError, ValueError) as error:
        return "refused by name" if argument in str(error) else f"refused: {error}"
    return "taken"
