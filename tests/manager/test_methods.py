"""LiteLLM's methods: what they return, change and raise."""

import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from budgetd import BudgetClient, BudgetManager, UnknownModel
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service

DAY = 86_400
USAGE = {"prompt_tokens": 1_000, "completion_tokens": 500}
COMPLETION = {"id": "c1", "model": "gpt-4o-mini", "usage": USAGE}
#: At 0.15 and 0.60 dollars a million tokens.
COST = 0.00045


def test_a_created_user_has_a_budget_and_no_costs(manager: BudgetManager) -> None:
    record = manager.create_budget(10, "alice")

    assert record == {"total_budget": 10}
    assert manager.is_valid_user("alice")
    assert manager.get_total_budget("alice") == 10
    assert manager.get_current_cost("alice") == 0
    assert manager.get_model_cost("alice") == 0


@pytest.mark.parametrize(("duration", "days"), [("daily", 1), ("weekly", 7), ("monthly", 28), ("yearly", 365)])
def test_a_duration_is_a_window_of_whole_days(manager: BudgetManager, duration: Any, days: int) -> None:
    record = manager.create_budget(10, "alice", duration, created_at=1_700_000_000.25)

    assert record["duration"] == days
    assert record["created_at"] == record["last_updated_at"] == 1_700_000_000.25


def test_a_created_budget_begins_when_it_is_created_and_not_when_the_module_was_imported(
    manager: BudgetManager,
) -> None:
    first = manager.create_budget(10, "alice", "daily")
    second = manager.create_budget(10, "bob", "daily")

    assert first["created_at"] < second["created_at"]


def test_a_user_that_is_created_again_begins_at_zero_and_keeps_its_place(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.create_budget(10, "bob")
    manager.update_cost("alice", COMPLETION)

    manager.create_budget(20, "alice")

    assert manager.get_users() == ["alice", "bob"]
    assert manager.user_dict["alice"] == {"total_budget": 20}


def test_a_bad_duration_leaves_the_user_as_it_was(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.update_cost("alice", COMPLETION)

    with pytest.raises(ValueError, match="duration needs to be one of"):
        manager.create_budget(20, "alice", "hourly")  # type: ignore[arg-type]

    assert manager.get_total_budget("alice") == 10
    assert manager.get_current_cost("alice") == COST


def test_a_completion_is_charged_by_its_usage(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    answer = manager.update_cost(user="alice", completion_obj=COMPLETION)

    expected = {"total_budget": 10, "current_cost": COST, "model_cost": {"gpt-4o-mini": COST}}
    assert answer == {"user": expected}
    assert manager.get_current_cost("alice") == COST
    assert manager.get_model_cost("alice") == {"gpt-4o-mini": COST}


def test_texts_are_counted_by_the_server(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost(
        "alice",
        model="gpt-3.5-turbo",
        input_text="hello world",
        output_text="it's a sunny day in san francisco",
    )

    # 9 tokens at 1.50 and 16 at 2.00 dollars a million tokens: each text is counted as a chat of one message.
    assert manager.get_current_cost("alice") == pytest.approx(2.85e-05, abs=1e-12)


def test_texts_come_before_the_completion(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", COMPLETION, model="gpt-4", input_text="a", output_text="b")

    assert list(manager.user_dict["alice"]["model_cost"]) == ["gpt-4"]


def test_the_cost_that_litellm_has_put_into_a_completion_is_the_cost(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    completion = SimpleNamespace(model="nobody-knows", usage=USAGE, _hidden_params={"response_cost": 0.1})

    manager.update_cost("alice", completion)

    assert manager.get_current_cost("alice") == 0.1


def test_a_completion_counts_each_time_it_is_given(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    for _ in range(3):
        manager.update_cost("alice", COMPLETION)

    assert manager.get_current_cost("alice") == pytest.approx(3 * COST, abs=1e-12)


def test_a_request_id_counts_once(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    for _ in range(3):
        manager.update_cost("alice", COMPLETION, request_id="r1")

    assert manager.get_current_cost("alice") == COST


def test_a_projected_cost_is_that_of_the_prompt_and_what_was_spent(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    manager.update_cost("alice", COMPLETION)

    cost = manager.projected_cost("gpt-4", [{"role": "user", "content": "hello world"}], "alice")

    assert cost == pytest.approx(COST + 2 * 30e-6, abs=1e-9)
    assert manager.projected_cost("gpt-4", [], "alice") == COST


def test_a_reset_begins_at_zero_and_leaves_the_window(manager: BudgetManager) -> None:
    before = manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", COMPLETION)

    answer = manager.reset_cost("alice")

    assert answer == {"user": {**before, "current_cost": 0, "model_cost": {}}}
    assert manager.get_model_cost("alice") == {}


def test_a_window_that_is_not_over_is_not_reset(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", COMPLETION)

    manager.reset_on_duration("alice")

    assert manager.get_current_cost("alice") == COST


def test_a_window_that_is_over_is_reset_on_its_grid(manager: BudgetManager) -> None:
    created = manager.create_budget(10, "alice", "daily")
    manager.update_cost("alice", COMPLETION)
    manager.user_dict["alice"]["last_updated_at"] -= 3 * DAY

    assert manager.get_current_cost("alice") == COST, "it is over when it is asked to be"
    manager.reset_on_duration("alice")

    record = manager.user_dict["alice"]
    assert (record["current_cost"], record["model_cost"]) == (0, {})
    assert record["last_updated_at"] == pytest.approx(created["last_updated_at"], abs=1e-6)


def test_all_users_whose_windows_are_over_are_reset(manager: BudgetManager) -> None:
    for user in ("alice", "bob", "carol"):
        manager.create_budget(10, user, None if user == "carol" else "daily")
        manager.update_cost(user, COMPLETION)
    manager.user_dict["alice"]["last_updated_at"] -= DAY

    manager.update_budget_all_users()

    assert [manager.get_current_cost(user) for user in manager.get_users()] == [0, COST, COST]


def test_saving_and_loading_keep_their_answers(manager: BudgetManager) -> None:
    assert manager.save_data() == {"status": "success"}
    assert manager.load_data() is None


@pytest.mark.parametrize(
    "call",
    [
        lambda manager: manager.get_total_budget("nobody"),
        lambda manager: manager.get_current_cost("nobody"),
        lambda manager: manager.get_model_cost("nobody"),
        lambda manager: manager.reset_cost("nobody"),
        lambda manager: manager.reset_on_duration("nobody"),
        lambda manager: manager.update_cost("nobody", COMPLETION),
        lambda manager: manager.projected_cost("gpt-4", [{"role": "user", "content": "a"}], "nobody"),
        lambda manager: manager.user_dict["nobody"],
    ],
)
def test_an_unknown_user_is_a_key_error(manager: BudgetManager, call: Any) -> None:
    with pytest.raises(KeyError, match="'nobody'"):
        call(manager)


def test_a_user_without_a_duration_cannot_be_reset_on_it(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(KeyError, match="'last_updated_at'"):
        manager.reset_on_duration("alice")


def test_an_unknown_model_is_never_free(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(UnknownModel):
        manager.update_cost("alice", {"model": "nobody-knows", "usage": USAGE})

    assert manager.get_model_cost("alice") == 0


@pytest.mark.parametrize(
    ("amount", "error"),
    [
        (-1, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        (1e10, ValueError),
        (1e-10, ValueError),
        (Decimal("0.0000000009"), ValueError),
        ("10", TypeError),
        (None, TypeError),
        (True, TypeError),
    ],
)
def test_an_invalid_amount_is_refused_by_name(manager: BudgetManager, amount: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="total_budget"):
        manager.create_budget(amount, "alice")

    assert not manager.is_valid_user("alice")


@pytest.mark.parametrize(
    ("user", "error"), [(None, TypeError), (1.5, TypeError), ("", ValueError), ("a\n", ValueError)]
)
def test_an_invalid_user_is_refused_by_name(manager: BudgetManager, user: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="user"):
        manager.create_budget(10, user)

    assert not manager.is_valid_user(user)


def test_a_user_that_could_be_no_key_is_a_type_error(manager: BudgetManager) -> None:
    with pytest.raises(TypeError, match="unhashable"):
        manager.is_valid_user([])


def test_a_number_is_the_user_of_its_digits(manager: BudgetManager) -> None:
    manager.create_budget(10, 5)  # type: ignore[arg-type]

    assert manager.is_valid_user(5)
    assert manager.get_users() == ["5"]


def test_neither_completion_nor_all_texts_is_litellms_error(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(ValueError, match="Either a chat completion object or the text response"):
        manager.update_cost("alice", model="gpt-4", input_text="a", output_text="")


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0.1, 0.1), (1 / 3, 0.333333333), (Decimal("0.000000001"), 1e-9), (0, 0), (1_000_000_000, 1e9)],
)
def test_an_amount_is_kept_to_the_nano_dollar(manager: BudgetManager, amount: Any, shown: float) -> None:
    manager.create_budget(amount, "alice")

    assert manager.get_total_budget("alice") == shown


@pytest.mark.parametrize(
    ("message", "error", "named"),
    [
        ({"role": "user"}, KeyError, "content"),
        ({"content": None}, TypeError, r"messages\[1\]\['content'\] must be a text or a list of parts, got None"),
        ({"content": 5}, TypeError, r"messages\[1\]\['content'\] must be a text or a list of parts, got 5"),
        ({"content": ["a", 5]}, ValueError, r"messages\[1\]\['content'\]\[1\] must be a part of type 'text'"),
        ({"content": [{"type": "image_url", "image_url": {}}]}, ValueError, r"'content'\]\[0\] must be .*image_url"),
        ({"content": [{"type": "text", "text": None}]}, ValueError, r"'content'\]\[0\] must be a part of type 'text'"),
        (
            {"content": [{"type": "refusal", "text": "a"}]},
            ValueError,
            r"'content'\]\[0\] must be a part of type 'text'",
        ),
    ],
    ids=str,
)
def test_a_content_that_cannot_be_projected_is_refused_by_name(
    manager: BudgetManager, message: dict[str, Any], error: type[Exception], named: str
) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(error, match=named):
        manager.projected_cost("gpt-4", [{"role": "system", "content": "a"}, message], "alice")


@pytest.mark.parametrize(
    "content",
    [
        [{"type": "text", "text": "hello "}, {"type": "input_text", "text": "world"}],
        ["hello ", {"text": "world"}],
        ({"type": "text", "text": "hello world"},),
    ],
    ids=str,
)
def test_the_texts_among_the_parts_of_a_content_are_projected(manager: BudgetManager, content: Any) -> None:
    manager.create_budget(10, "alice")

    cost = manager.projected_cost("gpt-4", [{"role": "user", "content": content}], "alice")

    assert cost == pytest.approx(2 * 30e-6, abs=1e-9)


def test_limits_other_than_the_main_one_are_kept_and_hidden_from_the_class(address: str) -> None:
    calls = pb.Limit(limit_id="calls", unit=pb.UNIT_CALLS, amount=50)
    budget = pb.Budget(project_id="limits", budget_id="alice", limits=[calls])
    with BudgetClient(address) as client:
        client.create_budget(service.CreateBudgetRequest(budget=budget))
        manager = BudgetManager("limits", client_type="hosted", api_base=address)

        before = manager.get_total_budget("alice")
        manager.user_dict["alice"]["total_budget"] = 7.0
        after = manager.get_total_budget("alice")

        limits = client.get_budget(service.GetBudgetRequest(project_id="limits", budget_id="alice")).budget.limits
    assert (before, after) == (math.inf, 7.0)
    assert [(limit.limit_id, limit.amount) for limit in limits] == [("", 7 * 10**9), ("calls", 50)]
