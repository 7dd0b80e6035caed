"""A damaged or contradictory usage is refused by field, value and rule, in every form, and whatever the object is."""

import math
from decimal import Decimal
from typing import Any

import pytest

from budgetd.usage import UsageError, UsageTypeError, UsageValueError, read_answer
from budgetd.v1.budget_pb2 import Usage
from tests.usage.cases import as_object, message, of

CHAT = {"prompt_tokens": 100, "completion_tokens": 50}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("answer", "error", "field"),
    [
        (of("m", {**CHAT, "prompt_tokens": -1}), UsageValueError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": 10**12 + 1}), UsageValueError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": 1.5}), UsageTypeError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": math.nan}), UsageTypeError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": math.inf}), UsageTypeError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": Decimal("NaN")}), UsageTypeError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "prompt_tokens": Decimal("sNaN")}), UsageTypeError, "usage.prompt_tokens"),
        (of("m", {**CHAT, "completion_tokens": "many"}), UsageTypeError, "usage.completion_tokens"),
        (of("m", {**CHAT, "completion_tokens": ""}), UsageTypeError, "usage.completion_tokens"),
        (of("m", {**CHAT, "completion_tokens": True}), UsageTypeError, "usage.completion_tokens"),
        (of("m", {**CHAT, "completion_tokens": False}), UsageTypeError, "usage.completion_tokens"),
        (
            of("gpt-4o", {**CHAT, "prompt_tokens_details": {"cached_tokens": 101}}),
            UsageValueError,
            "usage.prompt_tokens_details.cached_tokens",
        ),
        (
            of("gpt-4o", {**CHAT, "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 50}}),
            UsageValueError,
            "usage.prompt_tokens_details.cached_tokens",
        ),
        (
            of("gpt-4o", {**CHAT, "prompt_tokens_details": {"text_tokens": 10, "audio_tokens": 91}}),
            UsageValueError,
            "usage.prompt_tokens_details.audio_tokens",
        ),
        (
            of("gpt-4o", {**CHAT, "completion_tokens_details": {"reasoning_tokens": 51}}),
            UsageValueError,
            "usage.completion_tokens_details.reasoning_tokens",
        ),
        (of("gpt-4o", {**CHAT, "total_tokens": 149}), UsageValueError, "usage.total_tokens"),
        (of("gpt-4o", {**CHAT, "total_tokens": 151}), UsageValueError, "usage.total_tokens"),
        (
            of("gpt-4o", {**CHAT, "total_tokens": 110, "prompt_tokens_details": {"cached_tokens": 40}}),
            UsageValueError,
            "usage.total_tokens",
        ),
        (
            of("gpt-4o", {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 9}),
            ValueError,
            "usage.total_tokens",
        ),
        (of("gpt-4o", {**CHAT, "input_tokens": 90}), UsageValueError, "usage.input_tokens"),
        (of("gpt-4o", {**CHAT, "output_tokens": 51}), UsageValueError, "usage.output_tokens"),
        (
            of("gpt-4o", {**CHAT, "prompt_tokens_details": {"cached_tokens": 9}, "cache_read_input_tokens": 8}),
            UsageValueError,
            "usage.cache_read_input_tokens",
        ),
        (
            of("deepseek-chat", {**CHAT, "prompt_cache_hit_tokens": 90, "prompt_cache_miss_tokens": 9}),
            UsageValueError,
            "usage.prompt_cache_miss_tokens",
        ),
        (
            of("gemini-2.5-pro", {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 17}),
            UsageValueError,
            "usage.totalTokenCount",
        ),
        (
            of("nova", {"inputTokens": 9, "outputTokens": 9, "totalTokens": 17}),
            UsageValueError,
            "usage.totalTokens",
        ),
        (
            message(
                "claude", {"input_tokens": 1, "output_tokens": 9, "cache_creation": {"ephemeral_1h_input_tokens": -1}}
            ),
            UsageValueError,
            "usage.cache_creation.ephemeral_1h_input_tokens",
        ),
        (
            message(
                "claude",
                {
                    "input_tokens": 1,
                    "output_tokens": 9,
                    "cache_creation_input_tokens": 5,
                    "cache_creation": {"ephemeral_1h_input_tokens": 6},
                },
            ),
            UsageValueError,
            "usage.cache_creation.ephemeral_1h_input_tokens",
        ),
        (
            message(
                "claude",
                {
                    "input_tokens": 9,
                    "output_tokens": 9,
                    "iterations": [{"type": "message", "input_tokens": 5, "output_tokens": 9}],
                },
            ),
            UsageValueError,
            "usage.input_tokens",
        ),
        (
            message("claude", {"input_tokens": 9, "output_tokens": 9, "iterations": 5}),
            UsageTypeError,
            "usage.iterations",
        ),
        (of("whisper-1", {"type": "duration", "seconds": -1}), UsageValueError, "usage.seconds"),
        (of("whisper-1", {"type": "duration", "seconds": "long"}), UsageTypeError, "usage.seconds"),
        (of("whisper-1", {"type": "duration", "seconds": math.inf}), UsageValueError, "usage.seconds"),
        (of("m", {"wonder_tokens": 5}), UsageValueError, "usage"),
        (of("m", {"prompt_tokens": 0, "wonder_tokens": 5}), UsageValueError, "usage.wonder_tokens"),
        (of("m", 5), UsageTypeError, "usage"),  # type: ignore[arg-type] # What is wrong with it.
        (of("m", [1]), UsageTypeError, "usage"),  # type: ignore[arg-type] # The same.
    ],
    ids=str,
)
def test_a_bad_usage_is_refused_by_field_value_and_rule(
    answer: dict[str, Any], error: type[Exception], field: str, shape: Any
) -> None:
    with pytest.raises(error) as caught:
        read_answer(shape(answer))

    refusal = caught.value
    assert isinstance(refusal, UsageError)
    assert refusal.field == field
    assert str(refusal).startswith(f"{field} of completion_obj must ")
    assert "got " in str(refusal)


class RaisesOnAccess:
    """A usage that cannot be read."""

    completion_tokens = 5

    @property
    def prompt_tokens(self) -> int:
        raise RuntimeError("not now")


class RaisesOnEverything:
    """The same, whatever is asked for."""

    def __getattr__(self, name: str) -> int:
        raise RuntimeError("not now")


class RaisesAsMapping(dict[str, int]):
    """The same, as a dictionary."""

    def __iter__(self) -> Any:
        raise RuntimeError("not now")

    keys = __iter__


class RaisesAsText:
    """A value that no message can show."""

    def __repr__(self) -> str:
        raise RuntimeError("not now")


@pytest.mark.parametrize("usage", [RaisesOnAccess(), RaisesOnEverything(), RaisesAsMapping(prompt_tokens=5)], ids=type)
def test_a_usage_that_raises_on_access_is_refused(usage: object) -> None:
    with pytest.raises(UsageValueError, match="RuntimeError was raised"):
        read_answer({"model": "gpt-4o", "usage": usage})


def test_an_answer_that_raises_on_access_is_refused() -> None:
    class Answer:
        model = "gpt-4o"

        @property
        def usage(self) -> dict[str, int]:
            raise OSError("gone")

    with pytest.raises(UsageValueError, match="OSError was raised"):
        read_answer(Answer())


def test_a_value_that_cannot_be_shown_is_refused_all_the_same() -> None:
    with pytest.raises(UsageValueError, match="a known form"):
        read_answer(of("gpt-4o", {"prompt": RaisesAsText()}))


def test_a_usage_that_contains_itself_is_refused() -> None:
    usage: dict[str, Any] = {"prompt_tokens": 5}
    usage["details"] = usage

    with pytest.raises(UsageValueError, match="nested"):
        read_answer(of("gpt-4o", usage))


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        pytest.param(
            {"object": "response", "model": "gpt-5", "status": "in_progress", "usage": {"input_tokens": 9}},
            "status",
            id="a response that is being made",
        ),
        pytest.param(
            {"object": "video", "model": "sora-2", "seconds": "8", "status": "queued"}, "status", id="a queued video"
        ),
        pytest.param(
            {"object": "video", "model": "sora-2", "seconds": "8", "status": "failed"}, "status", id="a failed video"
        ),
        pytest.param(
            {
                "model": "gpt-4o",
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
                "usage_metadata": {"prompt_token_count": 100, "candidates_token_count": 100},
            },
            "usage_metadata",
            id="two usages in one answer",
        ),
        pytest.param(
            {
                "model": "openai/gpt-4o",
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "cost": 0.0005, "is_byok": True},
            },
            "usage.cost_details.upstream_inference_cost",
            id="a fee without the rest of the cost",
        ),
        pytest.param({"error": {"message": "overloaded"}}, "error", id="an error of the provider's"),
        pytest.param({"type": "error", "error": {"type": "api_error"}}, "error", id="an error of Anthropic's"),
        pytest.param({"model": "gpt-4o", "error": {"code": 429}, "usage": None}, "error", id="an error with a model"),
        pytest.param(
            {"custom_id": "1", "response": {"status_code": 429, "body": {"error": {}}}, "error": None},
            "response.status_code",
            id="a failed line of a batch of OpenAI's",
        ),
        pytest.param(
            {"custom_id": "1", "response": None, "error": {"code": "batch_expired"}},
            "response.status_code",
            id="an expired line of a batch of OpenAI's",
        ),
        pytest.param(
            {"custom_id": "1", "result": {"type": "errored", "error": {}}},
            "result.type",
            id="a failed line of a batch of Anthropic's",
        ),
        pytest.param(
            {"key": "1", "error": {"code": 13}}, "response", id="a failed line of a batch of the Gemini API's"
        ),
        pytest.param(
            {
                "model": "text-embedding-005",
                "embeddings": [{"statistics": {"tokenCount": 1}}, {"statistics": {"tokenCount": -1}}],
            },
            "embeddings[1].statistics.tokenCount",
            id="a negative count of one of several vectors",
        ),
        pytest.param(
            {"model": "text-embedding-005", "embeddings": [{"statistics": {"truncated": False}}]},
            "usage",
            id="vectors that count nothing",
        ),
        pytest.param(
            {
                "modelVersion": "gemini-2.5-flash",
                "candidates": [{"index": 0}],
                "usageMetadata": {"promptTokenCount": 10},
            },
            "candidates[0].finishReason",
            id="a piece of a stream, by the name that it has in camel case",
        ),
    ],
)
def test_what_is_not_the_whole_or_not_due_is_refused_by_name(answer: dict[str, object], field: str) -> None:
    with pytest.raises(UsageValueError) as refused:
        read_answer(answer)

    assert refused.value.field == field


def test_an_error_of_the_provider_is_said_to_be_one_and_may_have_a_cost() -> None:
    error = {"model": "gpt-4o", "error": {"message": "overloaded"}}

    with pytest.raises(UsageValueError, match="an error of the provider and no completion, so nothing is charged"):
        read_answer(error)
    assert read_answer(error, cost_nano_usd=5).cost_nano_usd == 5


@pytest.mark.parametrize(
    "error", ["Incorrect key: sk-1234", {"message": "Incorrect key: sk-1234", "code": 401}], ids=type
)
def test_the_message_of_a_providers_error_is_not_repeated(error: object) -> None:
    with pytest.raises(UsageValueError, match="this is an error of the provider") as refused:
        read_answer({"error": error})

    assert "sk-1234" not in f"{refused.value} {refused.value.value}"


def test_thoughts_that_neither_the_candidates_nor_the_total_include_are_refused_by_the_total() -> None:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 50, "totalTokenCount": 15}

    with pytest.raises(UsageValueError, match=r"must be 65, the sum of .*usage\.thoughtsTokenCount 50") as refused:
        read_answer({"modelVersion": "gemini-2.5-flash", "usageMetadata": usage})

    assert refused.value.field == "usage.totalTokenCount"


@pytest.mark.parametrize(
    "wrapped",
    [
        pytest.param(lambda answer: {"response": answer}, id="an answer alone"),
        pytest.param(lambda answer: {"request": {"contents": []}, "response": answer}, id="with its request"),
    ],
)
def test_what_is_not_surely_a_line_of_a_batch_is_refused_with_what_to_pass(wrapped: Any) -> None:
    answer = of("gpt-4o", CHAT)

    with pytest.raises(UsageValueError, match="pass the answer without its wrapper"):
        read_answer(wrapped(answer), model="gpt-4o")
    assert not read_answer(answer).is_batch


@pytest.mark.parametrize("more", [{"metadata": {"key": "1"}}, {"key": "1"}, {"custom_id": "1"}])
def test_an_answer_with_a_cost_that_only_has_the_key_of_a_line_is_no_line(more: dict[str, Any]) -> None:
    answer = read_answer({"model": "gpt-image-1", "_hidden_params": {"response_cost": 0.5}, **more})

    assert (answer.cost_nano_usd, answer.is_batch) == (500_000_000, False)


def test_an_answer_that_contains_itself_is_refused() -> None:
    line: dict[str, Any] = {"key": "1"}
    line["response"] = line

    with pytest.raises(UsageValueError, match="must be there"):
        read_answer(line, model="gpt-4o")


def test_a_whole_answer_of_gemini_without_a_reason_to_end_is_read_by_its_usage_alone() -> None:
    usage = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}

    with pytest.raises(UsageValueError, match="pass only its model and usage"):
        read_answer({"modelVersion": "gemini-2.5-flash", "candidates": [{}], "usageMetadata": usage})
    read = read_answer({"modelVersion": "gemini-2.5-flash", "usageMetadata": usage})
    assert read.usage == Usage(input_tokens=10, output_tokens=5)


def test_the_provider_s_bill_is_taken_with_the_caller_s_own_key_even_if_there_is_no_fee() -> None:
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 1_000,
        "cost": 0,
        "is_byok": True,
        "cost_details": {"upstream_inference_cost": 0.01},
    }

    assert read_answer({"model": "openai/gpt-4o", "usage": usage}).cost_nano_usd == 10_000_000
