"""Every form of answer is read to the counts that are in it, whatever its parts are called, and as an object, too."""

from types import SimpleNamespace
from typing import Any

import pytest

from budgetd.usage import read_answer
from budgetd.usage.recogniser import ORDER
from budgetd.v1.budget_pb2 import Usage
from tests.usage.cases import Case, as_object, of
from tests.usage.drawing import CASES


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_answer_is_read_to_the_counts_in_it(case: Case, shape: Any) -> None:
    answer = read_answer(shape(case.answer))

    assert answer.usage == Usage(**case.usage)
    assert answer.dialect == case.dialect
    assert answer.cost_nano_usd is None
    usual = {"service_tier": "", "is_batch": False, "inference_geo": "", "unread_fields": ()}
    assert {name: getattr(answer, name) for name in usual} == {**usual, **case.terms}


def test_no_two_cases_have_the_same_name() -> None:
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_dialect_has_a_case() -> None:
    assert {case.dialect for case in CASES} == {dialect.name for dialect in ORDER}


@pytest.mark.parametrize("finish_reason", [None])
@pytest.mark.parametrize(
    "piece",
    [
        pytest.param(
            of("gpt-4o", {"prompt_tokens": 1_000, "completion_tokens": 5}, object="chat.completion.chunk"),
            id="B7 of a chat",
        ),
        pytest.param(
            {"model_version": "gemini-2.5-flash", "usage_metadata": {"prompt_token_count": 5}}, id="B7 of Gemini"
        ),
    ],
)
def test_a_piece_in_the_middle_of_a_stream_is_refused(piece: dict[str, Any], finish_reason: None) -> None:
    holder = "choices" if "object" in piece else "candidates"

    with pytest.raises(ValueError, match="last piece of a stream"):
        read_answer({**piece, holder: [{"index": 0, "finish_reason": finish_reason}]})


OPENROUTER: dict[str, Any] = {
    "id": "gen-1",
    "provider": "OpenAI",
    "model": "openai/gpt-4o",
    "object": "chat.completion.chunk",
    "usage": {"prompt_tokens": 14, "completion_tokens": 10, "total_tokens": 24},
}


def piece_of(delta: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "finish_reason": None, **more}]


EMPTY = {"role": "assistant", "content": ""}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
def test_openrouters_piece_with_the_usage_is_the_last_although_it_has_no_reason_to_end(shape: Any) -> None:
    by_name = {**OPENROUTER, "choices": piece_of(EMPTY, native_finish_reason=None)}
    by_cost = {
        **OPENROUTER,
        "usage": {**OPENROUTER["usage"], "cost": 0.00014, "is_byok": False},
        "choices": piece_of(EMPTY),
    }

    assert read_answer(shape(by_name)).usage == Usage(input_tokens=14, output_tokens=10)
    assert read_answer(shape(by_cost)).cost_nano_usd == 140_000


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param(piece_of({"content": "Hello"}, native_finish_reason=None), id="a text"),
        pytest.param(piece_of({"tool_calls": [{"index": 0}]}, native_finish_reason=None), id="a call of a tool"),
        pytest.param(piece_of({"content": "", "reasoning": "Hm"}, native_finish_reason=None), id="a thought"),
        pytest.param(piece_of(EMPTY), id="another provider's"),
    ],
)
def test_a_piece_with_content_or_of_others_needs_a_reason_to_end(choices: list[dict[str, Any]]) -> None:
    with pytest.raises(ValueError, match="last piece of a stream"):
        read_answer({**OPENROUTER, "choices": choices})


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("message_start", r"stream\.get_final_message\(\)"),
        ("message_delta", r"stream\.get_final_message\(\)"),
        ("response.in_progress", r"stream\.get_final_response\(\)"),
    ],
)
def test_an_earlier_event_of_a_stream_is_refused_with_what_to_pass(kind: str, advice: str) -> None:
    with pytest.raises(ValueError, match=f"last piece of a stream.*{advice}") as refused:
        read_answer(of("m", {"input_tokens": 1, "output_tokens": 1}, type=kind))

    assert "litellm" not in str(refused.value)
    assert ("only message_start has the model" in str(refused.value)) == kind.startswith("message_")


def test_a_stream_of_anthropics_is_refused_with_what_to_pass() -> None:
    stream = SimpleNamespace(get_final_message=lambda: None)

    with pytest.raises(ValueError, match=r"pass stream\.get_final_message\(\)"):
        read_answer(stream, model="claude-sonnet-4-5")


@pytest.mark.parametrize("name", ["model", "model_version", "modelVersion", "modelId"])
def test_the_model_is_read_under_every_providers_name_for_it(name: str) -> None:
    answer = {name: "amazon.nova-pro-v1:0", "usage": {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}}

    assert read_answer(answer, model="another").model == "amazon.nova-pro-v1:0"


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
def test_the_last_event_of_a_stream_of_bedrocks_converse_is_read(shape: Any) -> None:
    usage = {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}
    event = {"metadata": {"usage": usage, "metrics": {"latencyMs": 551}, "serviceTier": {"type": "priority"}}}

    answer = read_answer(shape(event), model="amazon.nova-pro-v1:0")

    assert (answer.model, answer.usage) == ("amazon.nova-pro-v1:0", Usage(input_tokens=10, output_tokens=5))
    assert (answer.service_tier, answer.is_batch, answer.unread_fields) == ("priority", False, ())
    assert read_answer(shape({**event, "modelId": "amazon.nova-lite-v1:0"})).model == "amazon.nova-lite-v1:0"


def test_what_no_dialect_knows_of_the_statistics_of_a_vector_is_reported() -> None:
    vector = {"statistics": {"tokenCount": 5, "wonderCount": 3}}

    answer = read_answer({"model": "text-embedding-005", "embeddings": [vector]})

    assert answer.unread_fields == ("embeddings.statistics.wonderCount",)
