"""What a manager charges for an answer that reports its cost, or has an unknown count."""

import linecache
import warnings
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from budgetd import AsyncBudgetManager, BudgetManager
from budgetd.usage import UnreadUsageWarning
from tests.usage.test_iterations import COMPACTION, MESSAGE, runs

CHAT = {"prompt_tokens": 1_000, "completion_tokens": 1_000, "total_tokens": 2_000}


def cost_of(manager: BudgetManager, answer: Any = None, **more: Any) -> float:
    """The cost of one charge."""
    manager.create_budget(10, "alice")
    manager.update_cost("alice", answer, **more)
    return manager.get_current_cost("alice")


def pointed_at(caught: pytest.WarningsRecorder) -> list[str]:
    """The lines that warnings point at."""
    return [linecache.getline(each.filename, each.lineno).strip() for each in caught]


@pytest.mark.parametrize(("cost", "counted"), [(0.5, 0.5), (2, 2), (Decimal("0.000000001"), 1e-9), (0, 0)], ids=repr)
def test_what_the_caller_says_comes_before_everything(manager: BudgetManager, cost: Any, counted: float) -> None:
    answer = {"model": "gpt-4o", "usage": CHAT, "_hidden_params": {"response_cost": 3}}

    assert cost_of(manager, answer, cost_usd=cost) == counted


def test_a_cost_needs_nothing_else(manager: BudgetManager) -> None:
    assert cost_of(manager, cost_usd=0.25) == 0.25


def test_a_cost_may_name_its_model(manager: BudgetManager) -> None:
    cost_of(manager, model="my-own", cost_usd=0.25)

    assert manager.get_model_cost("alice") == {"my-own": 0.25}


@pytest.mark.parametrize("cost", [-1, float("nan"), float("inf"), "1", True, 10**10])
def test_an_invalid_cost_is_refused_by_name(manager: BudgetManager, cost: Any) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises((ValueError, TypeError), match="cost_usd"):
        manager.update_cost("alice", cost_usd=cost)
    assert manager.get_current_cost("alice") == 0


def test_the_model_may_be_given_for_an_answer_that_has_none(manager: BudgetManager) -> None:
    answer = {"usage": {"inputTokens": 1_000, "outputTokens": 1_000, "totalTokens": 2_000}}

    assert cost_of(manager, answer, model="gpt-4o") == 0.0125
    assert manager.get_model_cost("alice") == {"gpt-4o": 0.0125}


def test_an_answer_without_a_model_is_refused_with_what_to_do(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(ValueError, match="if the answer does not name its model, pass model="):
        manager.update_cost("alice", {"usage": {"inputTokens": 1, "outputTokens": 1}})


def test_runs_of_a_message_cost_what_each_of_them_costs_by_its_own_length(manager: BudgetManager) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        # Together they are longer than the 200,000 tokens above which the price doubles.
        assert cost_of(manager, runs(COMPACTION, MESSAGE, model="vertex_ai/claude-sonnet-4-5")) == 0.6765


def test_what_no_dialect_knows_is_sent_and_warned_of_once(manager: BudgetManager) -> None:
    field = f"wonder_{id(manager)}_tokens"
    answer = {"model": "gpt-4o", "usage": {**CHAT, field: 7}}

    with pytest.warns(UnreadUsageWarning, match=field):
        assert cost_of(manager, answer) == 0.0125
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        manager.update_cost("alice", answer)


def test_the_warning_comes_after_the_charge(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    answer = {"model": "gpt-4o", "usage": {**CHAT, f"late_{id(manager)}": 7}}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnreadUsageWarning):
            manager.update_cost("alice", answer)
    assert manager.get_current_cost("alice") == 0.0125


@pytest.mark.parametrize(
    ("name", "count"),
    [("requests", 3), ("iterations", [COMPACTION] * 65)],
)
def test_a_warning_of_what_was_charged_as_one_request_says_so(
    manager: BudgetManager, name: str, count: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budgetd.usage.unread._warned", set())
    manager.create_budget(10_000, "alice")
    usage = {"input_tokens": 100, "output_tokens": 10, "cache_read_tokens": 0, "cache_write_tokens": 0}
    answer = {"model": "gpt-4o", "usage": {**usage, name: count}} if name == "requests" else runs(*count)

    with pytest.warns(UnreadUsageWarning, match=f"has {name}, .* their sum was charged as one request") as caught:
        manager.update_cost("alice", answer)

    assert "nothing was charged for it" not in str(caught[0].message)


def test_a_bad_usage_records_nothing_however_often_it_is_sent(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    answer = {"model": "gpt-4o", "usage": {**CHAT, "total_tokens": 1}}

    for _ in range(2):
        with pytest.raises(ValueError, match="must be at least 2000"):
            manager.update_cost("alice", answer, request_id="r1")
    assert manager.get_current_cost("alice") == 0
    manager.update_cost("alice", {"model": "gpt-4o", "usage": CHAT}, request_id="r1")
    assert manager.get_current_cost("alice") == 0.0125


def test_the_warning_points_at_the_line_that_charges(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    answer = {"model": "gpt-4o", "usage": {**CHAT, f"pointed_{id(manager)}": 7}}

    with pytest.warns(UnreadUsageWarning, match=r"See 'Read what was unread' in docs/client\.md") as caught:
        manager.update_cost("alice", answer)  # Here.

    assert pointed_at(caught) == ['manager.update_cost("alice", answer)  # Here.']


async def test_the_warning_points_at_the_line_that_awaits_the_charge(tmp_path: Path) -> None:
    answer = {"model": "gpt-4o", "usage": {**CHAT, f"awaited_{id(tmp_path)}": 7}}

    async with AsyncBudgetManager("chat", database=tmp_path / "budgetd.db") as manager:
        await manager.create_budget(10, "alice")
        with pytest.warns(UnreadUsageWarning) as caught:
            await manager.update_cost("alice", answer)  # And here.

    assert pointed_at(caught) == ['await manager.update_cost("alice", answer)  # And here.']


@pytest.mark.parametrize(
    ("answer", "got"), [("hello", "a text"), (b"hello", "b'hello'"), (3, "3"), ([{"model": "gpt-4o"}], ".*gpt-4o.*")]
)
def test_what_has_no_fields_is_refused_by_its_kind(manager: BudgetManager, answer: Any, got: str) -> None:
    manager.create_budget(10, "alice")

    with pytest.raises(TypeError, match=f"^completion_obj must be an object or a dictionary, got {got}$"):
        manager.update_cost("alice", answer)
    assert manager.get_current_cost("alice") == 0
