"""A usage that is not in the usual place of an answer is found, and never charged next to another one."""

from typing import Any

import pytest

from budgetd.usage import UsageTypeError, UsageValueError, read_answer
from budgetd.v1.budget_pb2 import Usage
from tests.usage.cases import as_object

TEN = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


def piece(*choices: dict[str, Any], finish_reason: str | None = "stop", **more: Any) -> dict[str, Any]:
    """A piece of a stream; each choice has something of its own."""
    made = [{"index": at, "delta": {}, "finish_reason": finish_reason, **own} for at, own in enumerate(choices)]
    return {"object": "chat.completion.chunk", "model": "m", "choices": made, **more}


INNER = [
    pytest.param({"x_groq": {"id": "r", "usage": TEN}}, {}, id="Groq's"),
    pytest.param({}, {"usage": TEN}, id="Moonshot's"),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("more", "own"), INNER)
def test_a_usage_in_an_earlier_piece_is_refused(more: dict[str, Any], own: dict[str, Any], shape: Any) -> None:
    with pytest.raises(UsageValueError, match="last piece of a stream"):
        read_answer(shape(piece(own, finish_reason=None, **more)))


@pytest.mark.parametrize(("more", "own"), INNER)
def test_the_usage_of_the_answer_itself_is_charged_once(more: dict[str, Any], own: dict[str, Any]) -> None:
    usage = {"prompt_tokens": 20, "completion_tokens": 5}

    assert read_answer(piece(own, usage=usage, **more)).usage == Usage(input_tokens=20, output_tokens=5)


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
def test_usages_in_several_choices_are_refused(shape: Any) -> None:
    with pytest.raises(UsageValueError, match="must have one usage") as refused:
        read_answer(shape(piece({"usage": TEN}, {"usage": TEN})))

    assert refused.value.field == "choices"


@pytest.mark.parametrize(
    ("answer", "field"),
    [(piece({}, x_groq={"usage": 15}), "x_groq.usage"), (piece({}, {"usage": [15]}), "choices[1].usage")],
)
def test_a_usage_that_is_no_object_is_refused_by_its_place(answer: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageTypeError, match="must be an object") as refused:
        read_answer(answer)

    assert refused.value.field == field


def test_a_piece_without_any_usage_is_refused() -> None:
    with pytest.raises(UsageValueError, match="nothing can be charged"):
        read_answer(piece({}, x_groq={"id": "r"}))
