"""Every way of editing a dict that LiteLLM's users have: ours does the same or raises, and drops no edit."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.parity.amended import Amended
from tests.parity.amended_edits import delete_duration, pop_costs, pop_model, set_model_cost, set_part
from tests.parity.comparing import differences, outcome
from tests.parity.drawing import DAY_SECONDS
from tests.parity.sides import Side

CHARGE = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 400, "completion_tokens": 40, "total_tokens": 440}}
ALICES_MODELS = {"gpt-4o-mini": 8.4e-5}

Edit = Callable[[Any], Any]

#: Edits of the whole.
USERS: dict[str, Edit] = {
    "del": lambda manager: manager.user_dict.__delitem__("alice"),
    "pop": lambda manager: manager.user_dict.pop("alice"),
    "pop of a stranger with a default": lambda manager: manager.user_dict.pop("nobody", None),
    "popitem": lambda manager: manager.user_dict.popitem(),
    "clear": lambda manager: manager.user_dict.clear(),
    "item": lambda manager: manager.user_dict.__setitem__("carol", {"total_budget": 3}),
    "update": lambda manager: manager.user_dict.update({"alice": {"total_budget": 1}, "carol": {"total_budget": 3}}),
    "in-place or": lambda manager: manager.user_dict.__ior__({"carol": {"total_budget": 3}}),
    "setdefault of a stranger": lambda manager: manager.user_dict.setdefault("carol", {"total_budget": 3}),
    "setdefault of a user": lambda manager: manager.user_dict.setdefault("alice", {"total_budget": 3}),
    "another dict": lambda manager: setattr(manager, "user_dict", {"carol": {"total_budget": 3}}),
    "a copy of a record": lambda manager: manager.user_dict.update(carol=manager.user_dict["alice"]),
}
#: Edits of a record.
RECORDS: dict[str, Edit] = {
    "total_budget": lambda record: record.__setitem__("total_budget", 5),
    "current_cost": lambda record: record.__setitem__("current_cost", 0.25),
    "current_cost, added to": lambda record: record.__setitem__("current_cost", record["current_cost"] + 0.25),
    "last_updated_at": lambda record: record.__setitem__("last_updated_at", record["last_updated_at"] - DAY_SECONDS),
    "created_at": lambda record: record.__setitem__("created_at", record["created_at"] - DAY_SECONDS),
    "duration": lambda record: record.__setitem__("duration", 28),
    "model_cost": lambda record: record.__setitem__("model_cost", {"o3": 0.5}),
    "update": lambda record: record.update(total_budget=5, current_cost=0.25),
    "in-place or": lambda record: record.__ior__({"total_budget": 5}),
    "setdefault of what is there": lambda record: record.setdefault("current_cost", 7),
    "pop of the models": lambda record: record.pop("model_cost"),
    "pop of the cost": lambda record: record.pop("current_cost"),
    "del of the duration": lambda record: record.__delitem__("duration"),
    "clear": lambda record: record.clear(),
    "a key of one's own": lambda record: record.__setitem__("note", "hello"),
}
#: Edits of the models of a record.
MODELS: dict[str, Edit] = {
    "a model": lambda models: models.__setitem__("gpt-4o-mini", 0.5),
    "another model": lambda models: models.__setitem__("o3", 0.5),
    "update": lambda models: models.update({"o3": 0.5, "gpt-4o": 0.25}),
    "pop": lambda models: models.pop("gpt-4o-mini"),
    "clear": lambda models: models.clear(),
}


def of_record(edit: Edit) -> Edit:
    """An edit of one user's record."""
    return lambda manager: edit(manager.user_dict["alice"])


def of_models(edit: Edit) -> Edit:
    """An edit of one user's models."""
    return lambda manager: edit(manager.user_dict["alice"]["model_cost"])


EDITS: dict[str, Edit] = {
    **{f"users: {name}": edit for name, edit in USERS.items()},
    **{f"record: {name}": of_record(edit) for name, edit in RECORDS.items()},
    **{f"models: {name}": of_models(edit) for name, edit in MODELS.items()},
    "what create_budget returns": lambda manager: manager.create_budget(10, "bob").update(total_budget=5),
    "what update_cost returns": lambda manager: manager.update_cost("alice", CHARGE)["user"].update(total_budget=5),
    "what reset_cost returns": lambda manager: manager.reset_cost("alice")["user"].update(total_budget=5),
    "what get_model_cost returns": lambda manager: manager.get_model_cost("alice").update({"o3": 0.5}),
}
#: What LiteLLM's class, amended, is to do instead, where ours differs on purpose.
AMENDED: dict[str, Edit] = {
    "record: model_cost": lambda theirs: set_part(theirs, "alice", "model_cost", {"o3": 0.5}),
    "record: pop of the models": lambda theirs: pop_costs(theirs, "alice", "model_cost"),
    "record: pop of the cost": lambda theirs: pop_costs(theirs, "alice", "current_cost"),
    "record: del of the duration": lambda theirs: delete_duration(theirs, "alice"),
    "models: a model": lambda theirs: set_model_cost(theirs, "alice", "gpt-4o-mini", 0.5),
    "models: another model": lambda theirs: set_model_cost(theirs, "alice", "o3", 0.5),
    "models: update": lambda theirs: set_part(
        theirs, "alice", "model_cost", {"o3": 0.5, "gpt-4o": 0.25} | ALICES_MODELS
    ),
    "models: pop": lambda theirs: pop_model(theirs, "alice", "gpt-4o-mini"),
    "models: clear": lambda theirs: set_part(theirs, "alice", "model_cost", {}),
    "what get_model_cost returns": lambda theirs: set_model_cost(theirs, "alice", "o3", 0.5),
}


def prepare(manager: Any, begun_at: float) -> None:
    """Two users: one with all that a record can have, one with as little as it can have."""
    manager.create_budget(10, "alice", "daily", created_at=begun_at)
    manager.update_cost("alice", CHARGE)
    manager.create_budget(20, "bob")


def look_at_all(manager: Any) -> dict[str, Any]:
    """Everything that can be seen, by methods and in `user_dict`."""
    users = manager.get_users()
    return {
        "users": users,
        "user_dict": dict(manager.user_dict),
        "figures": {user: [manager.get_current_cost(user), manager.get_model_cost(user)] for user in users},
    }


def test_every_amended_edit_is_one_that_is_made() -> None:
    assert AMENDED.keys() <= EDITS.keys()


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_does_what_it_did_or_raises_and_changes_nothing(name: str, ours: Side, tmp_path: Path) -> None:
    begun_at = int(time.time()) - DAY_SECONDS / 2
    theirs, edited = Amended("project", tmp_path), ours.open()
    for manager in (theirs, edited):
        prepare(manager, begun_at)
    before = outcome(look_at_all, theirs)

    answer = outcome(EDITS[name], edited)
    expected = outcome(AMENDED.get(name, EDITS[name]), theirs)

    now = before if answer.error is not None and expected.error is None else outcome(look_at_all, theirs)
    assert differences(now, outcome(look_at_all, edited)) == []
    assert differences(now, outcome(look_at_all, ours.open())) == []
    assert answer.error is not None or differences(expected, answer) == []
