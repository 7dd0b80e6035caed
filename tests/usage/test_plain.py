"""Plain chat completions are read at once, and exactly as their dialect reads them."""

import random
from typing import Any

import pytest

from budgetd.usage import Answer, UsageError, answers, plain, read_answer
from budgetd.usage.openai_chat import INPUT_DETAILS, OUTPUT_DETAILS
from tests.usage.cases import U, as_object, of
from tests.usage.drawing import CASES, draw

COUNTS: tuple[Any, ...] = (0, 1, 5, 30, 50, 60, 100, 10**12, 10**12 + 1, -1, 1.0, True, None, "9", [], {"deep": 1})
NAMES = ("prompt_tokens", "completion_tokens", "total_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


def draw_plain(choose: random.Random) -> dict[str, Any]:
    """A chat completion of few forms, nearly plain: mostly right counts, sometimes a wrong one or a strange name."""
    usage: dict[str, Any] = {"prompt_tokens": 100, "completion_tokens": 60, "total_tokens": 160}
    for name, parts in (("prompt_tokens_details", INPUT_DETAILS), ("completion_tokens_details", OUTPUT_DETAILS)):
        if choose.random() < 0.7:
            given = choose.sample(sorted(parts), choose.randint(0, 3))
            usage[name] = {part: choose.choice((0, None, 1, 30, 60)) for part in given}
    if choose.random() < 0.3:
        usage[choose.choice(NAMES)] = choose.choice(COUNTS)
    if choose.random() < 0.2:
        holder = choose.choice([usage, *(each for each in usage.values() if isinstance(each, dict))])
        holder[choose.choice((*NAMES, "cached_tokens", "wonder_tokens", "cost"))] = choose.choice(COUNTS)
    model = choose.choice(("gpt-4o", "claude-sonnet-4-5", "gemini/gemini-2.5-pro", "xai/grok-4", "sonar"))
    return of(model, usage, choices=[], service_tier=choose.choice((None, "flex")))


def outcome(answer: Any) -> Answer | str:
    """What is read, or what is said against it."""
    try:
        return read_answer(answer)
    except UsageError as error:
        return str(error)


def differing(seeds: range, draw_one: Any) -> list[Any]:
    """Drawn answers that are not read alike with and without the quick reading."""
    drawn = [draw_one(random.Random(seed)) for seed in seeds]
    quick = [outcome(answer) for answer in drawn]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "plain_counts", lambda _: None)
        return [each for each, read in zip(drawn, quick, strict=True) if outcome(each) != read]


@pytest.mark.parametrize("draw_one", [draw_plain, draw], ids=["nearly plain answers", "answers of every form"])
def test_answers_are_read_alike_with_and_without_the_quick_reading(draw_one: Any) -> None:
    assert differing(range(4_000), draw_one)[:3] == []


def test_every_case_is_read_alike_with_and_without_the_quick_reading() -> None:
    cases = [form for case in CASES for form in (case.answer, as_object(case.answer))]

    made = iter(cases)
    assert differing(range(len(cases)), lambda _: next(made)) == []


def test_a_planted_quick_reading_that_drops_a_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plain.DETAILS["prompt_tokens_details"], "cached_tokens", "_planted")

    assert differing(range(800), draw_plain)


def test_a_planted_quick_reading_that_believes_every_total_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plain.TOP, "total_tokens", "_planted")

    assert differing(range(400), draw_plain)


@pytest.mark.parametrize(
    "details", [None, {"cached_tokens": 30}, {"cached_tokens": 30, "audio_tokens": 0, "text_tokens": None}]
)
def test_common_answers_are_read_quickly(details: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "recognise", lambda _: pytest.fail("the dialects were asked"))
    answer = of("gpt-4o", {**U, "prompt_tokens_details": details}, choices=[])

    assert read_answer(answer) == read_answer(as_object(answer))
