"""Whatever an answer counts is priced, refused or reported as unread: no number is dropped silently."""

import dataclasses
import random
from pathlib import Path

import pytest

from budgetd import BudgetManager
from budgetd.usage import UnreadUsageWarning, read_answer
from budgetd.usage.answers import UNREAD_FIELDS_MAX
from budgetd.usage.recogniser import ORDER
from tests.usage.cases import U, of
from tests.usage.drawing import CASES, DIALECTS, draw, lost


def lost_of(seeds: range) -> list[str]:
    """What random usages lose, with the answer that loses it."""
    found = []
    for seed in seeds:
        answer = draw(random.Random(seed))
        found += [f"seed {seed}: {path} of {answer}" for path in lost(answer)]
    return found


def test_no_case_loses_a_number() -> None:
    assert [(case.name, lost(case.answer)) for case in CASES if lost(case.answer)] == []


@pytest.mark.parametrize("first", range(0, 4_000, 1_000))
def test_random_usages_lose_no_number(first: int) -> None:
    assert lost_of(range(first, first + 1_000))[:5] == []


@pytest.mark.drill
@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(0, 200_000, 20_000))
def test_two_hundred_thousand_random_usages_lose_no_number(first: int) -> None:
    assert lost_of(range(first, first + 20_000))[:5] == []


def test_a_planted_count_that_is_read_and_dropped_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = DIALECTS["openai_chat"]
    planted = dataclasses.replace(chat, parts={**chat.parts, "completion_tokens_details.audio_tokens": "_planted"})
    monkeypatch.setattr("budgetd.usage.recogniser.openai_chat.DIALECT", planted)
    monkeypatch.setattr("budgetd.usage.recogniser.ORDER", [planted if each is chat else each for each in ORDER])

    assert any("audio_tokens" in each for each in lost_of(range(1_000)))


def test_random_usages_are_read_often_enough_to_tell_anything() -> None:
    def is_read(seed: int) -> bool:
        try:
            read_answer(draw(random.Random(seed)))
        except (ValueError, TypeError):
            return False
        return True

    assert sum(is_read(seed) for seed in range(500)) > 150


def test_more_unread_fields_than_are_sent_are_counted() -> None:
    usage = {**U, **{f"new_{index:02}": 1 for index in range(20)}}

    unread = read_answer(of("gpt-4o", usage)).unread_fields

    assert len(unread) == UNREAD_FIELDS_MAX
    assert unread[0] == "new_00"
    assert unread[-1] == "and 5 more"


def test_unread_fields_are_paths_and_never_values() -> None:
    usage = {**U, "new": {"secret": 12345, "text": "67890", "list": [1, 2]}, "zero": 0}

    assert read_answer(of("gpt-4o", usage)).unread_fields == ("new.secret", "new.list.0", "new.list.1")


@pytest.mark.parametrize(
    ("names", "sent"),
    [
        pytest.param([""], ("''",), id="an empty name"),
        pytest.param(["  "], ("'  '",), id="blanks"),
        pytest.param(["a\nb"], ("a\\nb",), id="a line break"),
        pytest.param(["\x85"], ("\\x85",), id="a control character alone"),
        pytest.param(["\ud800"], ("\\ud800",), id="half of a character"),
        pytest.param(
            ["x" * 128 + "1", "x" * 128 + "2"], ("x" * 128,), id="two that are the same as far as they are sent"
        ),
    ],
)
def test_a_name_that_no_path_may_have_is_escaped_so_that_no_charge_is_lost(
    names: list[str], sent: tuple[str, ...], tmp_path: Path
) -> None:
    answer = of("gpt-4o", {"prompt_tokens": 10, "completion_tokens": 1, **dict.fromkeys(names, 5)})

    with BudgetManager("p", database=tmp_path / "b.db") as manager:
        manager.create_budget(10, "alice")
        with pytest.warns(UnreadUsageWarning):
            manager.update_cost("alice", answer)
        spent = manager.get_current_cost("alice")

    assert read_answer(answer).unread_fields == sent
    assert spent == pytest.approx(10 * 2.5e-6 + 10e-6)
