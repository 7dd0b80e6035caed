"""The rules for one record of `user_cost.json`, each breach by its name."""

import json
from typing import Any

import pytest

from budgetd_server.litellm.files.reading import Reading, read_content

WINDOW = {"total_budget": 1, "duration": 1}


def result_of(record: Any, user: str = "alice") -> Reading:
    """What becomes of one record; a neighbour is read in any case."""
    result = read_content(json.dumps({user: record, "neighbour": {"total_budget": 1}}).encode())
    assert [each.user for each in result.records][-1] == "neighbour"
    assert not result.damages
    return result


@pytest.mark.parametrize(
    ("record", "field", "value"),
    [
        ({}, "total_budget", "nothing"),
        ({"total_budget": None}, "total_budget", "null"),
        ({"total_budget": -1}, "total_budget", "-1"),
        ({"total_budget": float("nan")}, "total_budget", "NaN"),
        ({"total_budget": float("inf")}, "total_budget", "Infinity"),
        ({"total_budget": "10"}, "total_budget", "'10'"),
        ({"total_budget": True}, "total_budget", "true"),
        ({"total_budget": [1]}, "total_budget", "a list"),
        ({"total_budget": 1_000_000_001}, "total_budget", "1000000001"),
        ({"total_budget": 1e-10}, "total_budget", "1E-10"),
        ({"total_budget": 1, "current_cost": -0.1}, "current_cost", "-0.1"),
        ({"total_budget": 1, "current_cost": "1"}, "current_cost", "'1'"),
        ({"total_budget": 1, "current_cost": None}, "current_cost", "null"),
        ({"total_budget": 1, "current_cost": 1, "model_cost": [1]}, "model_cost", "a list"),
        ({"total_budget": 1, "current_cost": 1, "model_cost": {"m": "1"}}, "model_cost['m']", "'1'"),
        ({"total_budget": 1, "current_cost": 1, "model_cost": {"": 1}}, "model of model_cost", "''"),
        ({"total_budget": 1, "current_cost": 1, "model_cost": {"m\n": 1}}, "model of model_cost", "'m\\n'"),
        ({"total_budget": 1, "current_cost": 0.5, "model_cost": {"a": 0.3, "b": 0.3}}, "current_cost", "0.5"),
        ({"total_budget": 1, "model_cost": {"a": 1e9, "b": 1}}, "model_cost", "1000000001"),
        ({"total_budget": 1, "duration": "daily"}, "duration", "'daily'"),
        ({"total_budget": 1, "duration": 0}, "duration", "0"),
        ({"total_budget": 1, "duration": -1}, "duration", "-1"),
        ({"total_budget": 1, "duration": 3_654}, "duration", "3654"),
        ({"total_budget": 1, "duration": 1.00001}, "duration", "1.00001"),
        ({**WINDOW, "last_updated_at": "now"}, "last_updated_at", "'now'"),
        ({**WINDOW, "last_updated_at": -1}, "last_updated_at", "-1"),
        ({**WINDOW, "created_at": 1e12}, "created_at", "1000000000000.0"),
        ("a text", "record", "'a text'"),
        (None, "record", "null"),
    ],
)
def test_a_record_that_breaks_a_rule_is_refused_by_field_and_value(record: Any, field: str, value: str) -> None:
    result = result_of(record)

    assert [(each.user, each.field, each.value) for each in result.faults] == [("alice", field, value)]
    assert len(result.records) == 1
    assert result.faults[0].rule.startswith("must")


@pytest.mark.parametrize("user", ["", "x" * 257, "é" * 129, "a\tb", "a\x7f", "\x85"])
def test_a_name_that_breaks_a_rule_is_refused(user: str) -> None:
    result = result_of({"total_budget": 1}, user)

    assert [(each.user, each.field) for each in result.faults] == [(user, "user")]


def test_every_breach_of_a_record_is_reported() -> None:
    result = result_of({"total_budget": -1, "duration": 0, "current_cost": "x"})

    assert [each.field for each in result.faults] == ["total_budget", "duration", "current_cost"]


def test_keys_that_are_no_part_of_a_record_are_reported_and_left_out() -> None:
    result = result_of({"total_budget": 1, "soft_budget": 2})

    assert [(note.user, note.sentence) for note in result.notes] == [
        ("alice", "'soft_budget' is no part of a record, and is left out")
    ]
    assert len(result.records) == 2


@pytest.mark.parametrize(
    ("record", "costs"),
    [
        pytest.param({}, [], id="nothing was ever counted"),
        pytest.param({"current_cost": 0, "model_cost": {}}, [("", 0)], id="it was, and comes to nothing"),
        pytest.param({"model_cost": None}, [], id="null"),
        pytest.param({"current_cost": 2}, [("", 2_000_000_000)], id="without models"),
        pytest.param({"model_cost": {"a": 0.5}}, [("a", 500_000_000)], id="without the sum"),
        pytest.param(
            {"current_cost": 0.75, "model_cost": {"a": 0.5}}, [("a", 500_000_000), ("", 250_000_000)], id="with a rest"
        ),
        pytest.param(
            {"current_cost": 0.5, "model_cost": {"a": 0.5, "b": 0}}, [("a", 500_000_000), ("b", 0)], id="zero"
        ),
        pytest.param(
            {"current_cost": 0.1 + 0.2, "model_cost": {"a": 0.1, "b": 0.2}},
            [("a", 100_000_000), ("b", 200_000_000)],
            id="a sum of floats that is a little more",
        ),
        pytest.param(
            {"current_cost": 9_999.999999, "model_cost": {"a": 10_000.0}},
            [("a", 10_000_000_000_000)],
            id="a sum of a hundred thousand floats, off by less than a billionth",
        ),
    ],
)
def test_costs_become_charges_by_model_and_the_rest(record: dict[str, Any], costs: list[tuple[str, int]]) -> None:
    assert list(result_of({"total_budget": 1, **record}).records[0].costs) == costs


@pytest.mark.parametrize(("days", "seconds"), [(28, 2_419_200), (28.0, 2_419_200), (1 / 24, 3_600), (1 / 86_400, 1)])
def test_a_duration_is_whole_seconds(days: float, seconds: int) -> None:
    assert result_of({"total_budget": 1, "duration": days}).records[0].duration_seconds == seconds


def test_a_window_begins_at_the_last_reset_and_without_one_at_the_creation() -> None:
    first = result_of({**WINDOW, "created_at": 5, "last_updated_at": 7}).records[0]
    second = result_of({**WINDOW, "created_at": 5}).records[0]
    third = result_of(WINDOW).records[0]

    assert [each.window_start_us for each in (first, second, third)] == [7_000_000, 5_000_000, None]


def test_an_amount_is_rounded_once_half_to_even() -> None:
    result = read_content(b'{"a": {"total_budget": 0.0000000025}, "b": {"total_budget": 123456789.1234567895000001}}')

    assert [each.total_nano_usd for each in result.records] == [2, 123456789123456790]


def test_a_digest_distinguishes_figures_and_not_the_order_of_models() -> None:
    def digest(**record: Any) -> str:
        return result_of({"total_budget": 1, **record}).records[0].digest

    one = digest(model_cost={"a": 1, "b": 2})

    assert digest(model_cost={"b": 2, "a": 1}) == one
    others = [digest(), digest(model_cost={"a": 2, "b": 1}), digest(model_cost={"a": 1, "b": 2.000000001})]
    others += [digest(model_cost={"a": 1, "b": 2}, duration=1)]
    assert len({one, *others}) == 5


def test_a_message_shows_no_more_of_a_value_than_a_line() -> None:
    result = result_of({"total_budget": "x\n" * 1_000})

    assert len(result.faults[0].sentence) < 150
    assert "\n" not in result.faults[0].sentence
    assert result.faults[0].sentence.startswith("total_budget must be a number of dollars")
