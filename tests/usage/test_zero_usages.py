"""Zeros next to content are refused: it would be charged as nothing, and nothing is made for nothing."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from budgetd.v1.budget_pb2 import COST_SOURCE_CALLER, COST_SOURCE_GATEWAY, COST_SOURCE_PROVIDER, Usage
from tests.usage.cases import as_object, message, of

CHAT = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
BLOCKS = {"input_tokens": 0, "output_tokens": 0}
GOOGLE = {"promptTokenCount": 0, "candidatesTokenCount": 0, "totalTokenCount": 0}
VECTORS = [{"object": "embedding", "embedding": [0.1, 0.2]}]


def said(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}]


ANSWERS = [
    pytest.param(of("gpt-4o", CHAT, choices=said({"content": "Hello"})), id="a chat"),
    pytest.param(of("gpt-4o", CHAT, choices=said({"tool_calls": [{"id": "1"}]})), id="a call of a tool"),
    pytest.param(of("gpt-3.5-turbo-instruct", CHAT, choices=[{"text": "Hello"}]), id="a completion"),
    pytest.param(of("text-embedding-3-small", CHAT, data=VECTORS), id="an embedding"),
    pytest.param(of("claude-sonnet-4-5", BLOCKS, content=[{"type": "text", "text": "Hello"}]), id="a message"),
    pytest.param(of("gpt-5", BLOCKS, object="response", output=[{"type": "message"}]), id="a response"),
    pytest.param(
        {
            "modelVersion": "gemini-2.5-flash",
            "usageMetadata": GOOGLE,
            "candidates": [{"finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "Hello"}]}}],
        },
        id="Google's candidates",
    ),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_zeros_next_to_content_are_refused(answer: dict[str, Any], shape: Any) -> None:
    with pytest.raises(UsageValueError, match="must count something"):
        read_answer(shape(answer))


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_cost_that_is_given_is_charged_also_with_zeros(answer: dict[str, Any]) -> None:
    read = read_answer(answer, cost_nano_usd=0)

    assert (read.cost_nano_usd, read.cost_source) == (0, COST_SOURCE_CALLER)


def test_a_cost_of_the_provider_is_charged_also_with_zeros() -> None:
    read = read_answer(of("x/y", {**CHAT, "cost": 0.25}, choices=said({"content": "Hello"})))

    assert (read.cost_nano_usd, read.cost_source) == (250_000_000, COST_SOURCE_PROVIDER)


def test_an_answer_of_litellms_cache_costs_nothing() -> None:
    answer = of("gpt-4o", CHAT, choices=said({"content": "Hello"}), _hidden_params={"cache_hit": True})

    read = read_answer(answer)

    assert (read.cost_nano_usd, read.cost_source) == (0, COST_SOURCE_GATEWAY)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(of("gpt-4o", CHAT, choices=said({"content": None})), id="a message without content"),
        pytest.param(of("gpt-4o", CHAT, choices=[]), id="no choices"),
        pytest.param(of("claude-sonnet-4-5", BLOCKS, content=[]), id="no blocks"),
    ],
)
def test_zeros_without_content_are_charged_as_nothing(answer: dict[str, Any]) -> None:
    assert read_answer(answer).cost_nano_usd is None


TEXT = said({"content": "Hello"})
PROMPT = {"prompt_tokens": 9, "total_tokens": 9}
TEN = {"promptTokenCount": 10, "totalTokenCount": 10}
PARTS = [{"finishReason": "STOP", "content": {"role": "model", "parts": [{"text": "Hello"}]}}]
BLOCK = [{"type": "text", "text": "Hello"}]
WITHOUT_OUTPUT = [
    pytest.param(of("gpt-4o", {**CHAT, **PROMPT}, choices=TEXT), "usage.completion_tokens", id="a chat of zero"),
    pytest.param(of("gpt-4o", PROMPT, choices=TEXT), "usage.completion_tokens", id="a chat whose total leaves none"),
    pytest.param(
        of("gpt-4o", {**CHAT, **PROMPT}, choices=said({"content": None, "tool_calls": [{"id": "1"}]})),
        "usage.completion_tokens",
        id="a call of a tool",
    ),
    pytest.param(
        of("gpt-3.5-turbo-instruct", {**CHAT, **PROMPT}, choices=[{"text": "Hello"}]),
        "usage.completion_tokens",
        id="a completion",
    ),
    pytest.param(
        message("claude-sonnet-4-5", {"input_tokens": 100, "output_tokens": 0}) | {"content": BLOCK},
        "usage.output_tokens",
        id="a message",
    ),
    pytest.param(
        of("gpt-5", {"input_tokens": 9, "output_tokens": 0}, object="response", output=[{"content": BLOCK}]),
        "usage.output_tokens",
        id="a response",
    ),
    pytest.param(
        {"modelVersion": "gemini-2.5-flash", "usageMetadata": TEN, "candidates": PARTS},
        "usage.candidatesTokenCount",
        id="Google's candidates",
    ),
    pytest.param(
        of("nova", {"inputTokens": 9, "outputTokens": 0}, output={"message": {"content": [{"text": "Hello"}]}}),
        "usage.outputTokens",
        id="Converse's message",
    ),
    pytest.param(
        of("command-a", {"billed_units": {"input_tokens": 9, "output_tokens": 0}}, message={"content": BLOCK}),
        "usage.billed_units.output_tokens",
        id="Cohere's message",
    ),
    pytest.param(
        {"model": "command-r", "text": "Hello", "meta": {"billed_units": {"input_tokens": 9, "output_tokens": 0}}},
        "usage.billed_units.output_tokens",
        id="Cohere's text",
    ),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "field"), WITHOUT_OUTPUT)
def test_a_text_without_output_is_refused_by_the_name_of_the_output(
    answer: dict[str, Any], field: str, shape: Any
) -> None:
    with pytest.raises(UsageValueError, match=r"pass the whole usage, or cost_usd=") as refused:
        read_answer(shape(answer))

    assert refused.value.field == field
    assert read_answer(shape(answer), cost_nano_usd=0).cost_nano_usd == 0


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(of("gpt-4o", {**CHAT, **PROMPT}, choices=said({"content": ""})), id="an empty text"),
        pytest.param(
            of("gpt-4o", {**CHAT, **PROMPT}, choices=said({"content": None, "tool_calls": []})), id="no message"
        ),
        pytest.param(of("text-embedding-3-small", PROMPT, data=VECTORS), id="an embedding"),
        pytest.param(
            of("gpt-4o", {**CHAT, **PROMPT}, choices=[{**TEXT[0], "finish_reason": "content_filter"}]),
            id="the notice of a filter",
        ),
    ],
)
def test_an_input_is_enough_where_no_text_was_made(answer: dict[str, Any]) -> None:
    assert read_answer(answer).usage == Usage(input_tokens=9)


BLOCKED = [
    pytest.param(
        {
            "modelId": "amazon.nova-pro-v1:0",
            "stopReason": "guardrail_intervened",
            "output": {"message": {"role": "assistant", "content": [{"text": "Sorry"}]}},
            "usage": {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0},
        },
        id="Bedrock's guardrail",
    ),
    pytest.param(
        message("claude-sonnet-4-5", BLOCKS) | {"content": BLOCK, "amazon-bedrock-guardrailAction": "INTERVENED"},
        id="Bedrock's guardrail in front of a message",
    ),
    pytest.param(
        of("gpt-4o", CHAT, choices=[{**TEXT[0], "finish_reason": "content_filter"}]), id="a filter of contents"
    ),
]


@pytest.mark.parametrize("answer", BLOCKED)
def test_a_notice_that_a_call_was_blocked_costs_what_its_zeros_say(answer: dict[str, Any]) -> None:
    assert read_answer(answer).usage == Usage()


def test_of_several_choices_one_that_was_blocked_explains_no_zeros() -> None:
    blocked = {**TEXT[0], "finish_reason": "content_filter"}

    with pytest.raises(UsageValueError, match="must count something"):
        read_answer(of("gpt-4o", CHAT, choices=[*TEXT, blocked]))
