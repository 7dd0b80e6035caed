"""A usage of zeros next to content is refused: it would be charged as nothing, and nothing is made for nothing."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from budgetd.v1.budget_pb2 import COST_SOURCE_CALLER, COST_SOURCE_GATEWAY, COST_SOURCE_PROVIDER
from tests.usage.cases import as_object, of

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


def test_one_count_next_to_zeros_is_enough() -> None:
    usage = {**CHAT, "prompt_tokens": 9, "total_tokens": 9}

    read = read_answer(of("gpt-4o", usage, choices=said({"content": "Hello"})))

    assert read.usage is not None
    assert read.usage.input_tokens == 9
