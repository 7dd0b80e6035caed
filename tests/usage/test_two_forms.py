"""One usage in two forms is refused where they give different numbers, whichever of them is read."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, answers, dialect, read_answer
from tests.usage.cases import as_object, message, of

CHAT = {"prompt_tokens": 1_000, "completion_tokens": 100}
BEDROCK = {"inputTokens": 10, "outputTokens": 20}
GEMINI = {"prompt_token_count": 10, "candidates_token_count": 20, "total_token_count": 30}
DASHSCOPE = {"input_tokens": 3_019, "output_tokens": 104, "prompt_tokens_details": {"cached_tokens": 2_048}}
ANTHROPIC = {"input_tokens": 10, "output_tokens": 20, "cache_read_input_tokens": 5}

DIFFERING = [
    pytest.param(of("nova", {"inputTokens": 10, "prompt_tokens": 1_000}), "prompt_tokens", id="input alone"),
    pytest.param(of("nova", {**BEDROCK, **CHAT}), "prompt_tokens", id="Converse with a chat's counts"),
    pytest.param(of("nova", {**CHAT, **BEDROCK}, choices=[]), "inputTokens", id="a chat with Converse's counts"),
    pytest.param(of("nova", {**BEDROCK, "total_tokens": 31}), "total_tokens", id="Converse with another total"),
    pytest.param(of("gemini-2.5-pro", {**GEMINI, **CHAT}), "prompt_tokens", id="Gemini with a chat's counts"),
    pytest.param(of("gemini-2.5-pro", {**GEMINI, "output_tokens": 21}), "output_tokens", id="Gemini with responses'"),
    pytest.param(message("claude", {**ANTHROPIC, "completion_tokens": 21}), "completion_tokens", id="Anthropic's"),
    pytest.param(
        of("command-a", {"billed_units": {"input_tokens": 5}, "prompt_tokens": 71}), "prompt_tokens", id="Cohere's"
    ),
    pytest.param(of("gpt-4o", {**CHAT, "cacheReadInputTokens": 900}), "cacheReadInputTokens", id="cached tokens"),
    pytest.param(of("gpt-4o", {**CHAT, "thoughtsTokenCount": 9}), "thoughtsTokenCount", id="reasoning"),
    pytest.param(of("qwen-plus", {**DASHSCOPE, "inputTokens": 3_018}), "input_tokens", id="DashScope with Converse's"),
]
EQUAL = [
    pytest.param(
        of("nova", {**BEDROCK, "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30}), id="Converse"
    ),
    pytest.param(
        of("nova", {**BEDROCK, "cacheReadInputTokens": 90, "prompt_tokens": 100, "cached_tokens": 90}),
        id="input with and without the cache",
    ),
    pytest.param(of("gemini-2.5-pro", {**GEMINI, "prompt_tokens": 10, "total_tokens": 30}), id="Gemini"),
    pytest.param(
        of("nova", {"prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30, **BEDROCK}, choices=[]),
        id="a chat",
    ),
    pytest.param(message("claude", {**ANTHROPIC, "completion_tokens": 20, "total_tokens": 35}), id="Anthropic"),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "path"), DIFFERING)
def test_two_forms_with_different_numbers_are_refused(answer: dict[str, Any], path: str, shape: Any) -> None:
    with pytest.raises(UsageValueError, match="two forms of usage") as refused:
        read_answer(shape(answer))

    assert refused.value.field == f"usage.{path}"


@pytest.mark.parametrize(
    ("more", "path"),
    [
        pytest.param({"prompt_tokens": 3_018}, "input_tokens", id="another input"),
        pytest.param({"completion_tokens": 105}, "output_tokens", id="another output"),
        pytest.param(
            {"input_tokens_details": {"cached_tokens": 2_047}}, "input_tokens_details.cached_tokens", id="another cache"
        ),
        pytest.param(
            {"prompt_tokens_details": {"cached_tokens": 3_020}},
            "prompt_tokens_details.cached_tokens",
            id="a cache above the input",
        ),
    ],
)
def test_names_of_two_forms_in_one_are_refused_where_they_contradict_each_other(
    more: dict[str, Any], path: str
) -> None:
    assert read_answer(of("qwen-plus", DASHSCOPE)).unread_fields == ()

    with pytest.raises(UsageValueError) as refused:
        read_answer(of("qwen-plus", {**DASHSCOPE, **more}))

    assert refused.value.field == f"usage.{path}"


@pytest.mark.parametrize("answer", EQUAL)
def test_two_forms_with_the_same_numbers_are_one_usage(answer: dict[str, Any]) -> None:
    read = read_answer(answer)

    assert read.unread_fields == ()
    assert read.usage is not None
    assert read.usage.output_tokens in {0, 20}


@pytest.mark.parametrize(("answer", "path"), DIFFERING)
def test_a_second_form_is_unread_where_the_cost_is_given(answer: dict[str, Any], path: str) -> None:
    read = read_answer(answer, cost_nano_usd=5)

    assert read.cost_nano_usd == 5
    assert path in read.unread_fields


@pytest.mark.parametrize(
    ("holder", "usage"),
    [
        ("usage_metadata", {"prompt_token_count": 10}),
        ("usage_info", {"pages_processed": 3}),
        ("meta", {"billed_units": {"search_units": 1}}),
    ],
)
def test_two_usages_in_one_answer_are_refused(holder: str, usage: dict[str, Any]) -> None:
    with pytest.raises(UsageValueError, match="only one of them can be charged") as refused:
        read_answer(of("gpt-4o", CHAT, **{holder: usage}))

    assert refused.value.field == holder


def test_what_else_an_answer_calls_meta_is_no_usage() -> None:
    assert read_answer(of("gpt-4o", CHAT, meta={"billed_units": None, "page": 3})).dialect == "openai_chat"


def test_a_planted_reading_that_believes_the_first_form_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "check_one_form", lambda _: None)
    monkeypatch.setattr(dialect, "_missing", lambda *_: None)

    assert all(read_answer(case.values[0]).unread_fields for case in DIFFERING)
