"""`user_dict`: a dictionary to look at, and the service to change."""

import copy
import json
import math
import pickle
from typing import Any

import pytest

from budgetd import BudgetManager
from budgetd.v1 import cost_pb2

COMPLETION = {"model": "gpt-4o-mini", "usage": {"prompt_tokens": 1_000, "completion_tokens": 500}}
COST = 0.00045


def test_it_looks_like_the_dictionary_that_it_replaces(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.create_budget(20, "bob")
    manager.update_cost("alice", COMPLETION)
    expected = {
        "alice": {"total_budget": 10, "current_cost": COST, "model_cost": {"gpt-4o-mini": COST}},
        "bob": {"total_budget": 20},
    }

    users = manager.user_dict

    assert isinstance(users, dict)
    assert users == expected
    assert expected == users
    assert users != {}
    assert json.loads(json.dumps(users)) == json.loads(json.dumps(users, indent=4)) == expected
    assert (
        {**users}
        == dict(users)
        == users.copy()
        == copy.deepcopy(users)
        == pickle.loads(pickle.dumps(users))
        == expected
    )
    assert list(users) == list(users.keys()) == ["alice", "bob"]
    assert list(users.values()) == list(expected.values())
    assert list(reversed(users)) == ["bob", "alice"]
    assert len(users) == 2
    assert users | {} == {} | users == expected
    assert repr(users) == repr({user: dict(users[user]) for user in users})
    assert "alice" in users
    assert "carol" not in users
    assert users.get("carol") is None
    assert users.get("bob") == {"total_budget": 20}


def test_an_empty_one_is_empty(manager: BudgetManager) -> None:
    assert manager.user_dict == {}
    assert not manager.user_dict
    assert json.dumps(manager.user_dict) == "{}"


def test_a_view_that_is_kept_shows_what_comes_later(manager: BudgetManager) -> None:
    users = manager.user_dict

    manager.create_budget(10, "alice")

    assert users == {"alice": {"total_budget": 10}}


@pytest.mark.parametrize(
    ("key", "value"),
    [("total_budget", 12.5), ("duration", 3), ("created_at", 1.6e9), ("last_updated_at", 1.6e9), ("current_cost", 3)],
)
def test_a_part_of_a_record_can_be_set(manager: BudgetManager, key: str, value: float) -> None:
    record = manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", COMPLETION)

    manager.user_dict["alice"][key] = value
    record[key] = value

    assert manager.user_dict["alice"][key] == record[key] == value
    assert manager.user_dict["alice"]["model_cost"] == {"gpt-4o-mini": COST}


def test_a_record_that_a_method_has_returned_can_be_edited(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", COMPLETION)["user"]["total_budget"] = 5

    assert manager.get_total_budget("alice") == 5


def test_an_edit_of_a_models_cost_changes_the_current_cost_by_as_much(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.update_cost("alice", COMPLETION)
    record = manager.user_dict["alice"]

    record["model_cost"]["gpt-4o-mini"] += 1
    record["model_cost"]["gpt-4"] = 2

    assert record["model_cost"] == {"gpt-4": 2, "gpt-4o-mini": 1 + COST}
    assert record == manager.user_dict["alice"]
    assert manager.get_current_cost("alice") == 3 + COST


def test_a_cost_of_zero_is_a_reset(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.update_cost("alice", COMPLETION)

    manager.user_dict["alice"]["current_cost"] = 0

    assert manager.user_dict["alice"] == {"total_budget": 10, "current_cost": 0, "model_cost": {}}


def test_models_can_be_set_all_at_once(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.update_cost("alice", COMPLETION)

    manager.user_dict["alice"]["model_cost"] = {"gpt-4": 1.5}

    assert manager.user_dict["alice"]["model_cost"] == {"gpt-4": 1.5, "gpt-4o-mini": 0}
    assert manager.get_current_cost("alice") == 1.5


def test_a_duration_can_be_deleted(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice", "daily")

    del manager.user_dict["alice"]["duration"]

    assert manager.user_dict["alice"] == {"total_budget": 10}


def test_a_whole_record_can_be_put(manager: BudgetManager) -> None:
    record = {
        "total_budget": 5,
        "duration": 7,
        "created_at": 1.7e9,
        "last_updated_at": 1.71e9,
        "current_cost": 1.75,
        "model_cost": {"gpt-4": 1.5},
    }

    manager.user_dict["alice"] = record

    assert manager.user_dict == {"alice": record}


@pytest.mark.parametrize(
    ("costs", "kept"),
    [
        pytest.param({"current_cost": 0, "model_cost": {}}, {"current_cost": 0, "model_cost": {}}, id="zero"),
        pytest.param({"model_cost": None}, {}, id="null"),
        pytest.param(
            {"current_cost": 9_999.999999, "model_cost": {"a": 10_000.0}},
            {"current_cost": 10_000.0, "model_cost": {"a": 10_000.0}},
            id="a sum of a hundred thousand floats, off by less than a billionth",
        ),
    ],
)
def test_costs_that_are_put_are_those_that_an_import_keeps(
    manager: BudgetManager, costs: dict[str, Any], kept: dict[str, Any]
) -> None:
    manager.user_dict["alice"] = {"total_budget": 5, **costs}

    assert manager.user_dict["alice"] == {"total_budget": 5, **kept}


def test_a_record_that_is_put_is_history_and_no_spending_of_now(manager: BudgetManager) -> None:
    manager.user_dict["alice"] = {"total_budget": 5, "current_cost": 1.75, "model_cost": {"gpt-4": 1.5}}

    request = cost_pb2.GetCurrentCostRequest(project_id=manager._project_id, budget_id="alice")  # noqa: SLF001
    answer = manager._caller.get_current_cost(request)  # noqa: SLF001 - records have no rate.

    assert answer.current_cost_nano_usd == 1_750_000_000
    assert not answer.limits[0].HasField("burn_rate_per_hour")


def test_users_can_be_deleted(manager: BudgetManager) -> None:
    for user in ("alice", "bob", "carol"):
        manager.create_budget(10, user)

    del manager.user_dict["alice"]
    popped = manager.user_dict.pop("bob")
    manager.user_dict.pop("nobody", None)

    assert popped == {"total_budget": 10}
    assert manager.get_users() == ["carol"]
    manager.user_dict.clear()
    assert manager.user_dict == {}


def test_all_can_be_set_at_once(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    manager.user_dict = {"bob": {"total_budget": 1}}
    manager.user_dict.update({"carol": {"total_budget": 2}})
    manager.user_dict.setdefault("carol", {"total_budget": 3})
    manager.user_dict |= {"dave": {"total_budget": 4}}

    assert manager.user_dict == {
        "bob": {"total_budget": 1},
        "carol": {"total_budget": 2},
        "dave": {"total_budget": 4},
    }


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("note", "hello", ValueError),
        ("total_budget", -1, ValueError),
        ("total_budget", "x", TypeError),
        ("current_cost", math.nan, ValueError),
        ("current_cost", 0.0001, ValueError),
        ("duration", 0, ValueError),
        ("duration", 1.5, TypeError),
        ("last_updated_at", "now", TypeError),
        ("model_cost", 5, TypeError),
    ],
)
def test_an_edit_that_cannot_be_kept_raises_and_changes_nothing(
    manager: BudgetManager, key: str, value: Any, error: type[Exception]
) -> None:
    manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", COMPLETION)
    before = dict(manager.user_dict["alice"])

    with pytest.raises(error, match=key):
        manager.user_dict["alice"][key] = value

    assert manager.user_dict["alice"] == before


@pytest.mark.parametrize(
    "record",
    [{}, {"total_budget": 1, "note": "x"}, {"total_budget": 1, "current_cost": 1, "model_cost": {"a": 2}}, None],
)
def test_a_record_that_cannot_be_kept_is_refused_whole(manager: BudgetManager, record: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        manager.user_dict["alice"] = record

    assert manager.user_dict == {}


def test_a_deletion_that_cannot_be_kept_raises(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(ValueError, match="total_budget"):
        del manager.user_dict["alice"]["total_budget"]
    with pytest.raises(KeyError):
        del manager.user_dict["alice"]["duration"]
    with pytest.raises(KeyError):
        del manager.user_dict["nobody"]
