"""An answer whose counts are in a form of its own is read where it shows all of them, and refused with what to do."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from tests.usage.cases import as_object, of

VECTOR = {"embedding": [0.1], "inputTextTokenCount": 8}
LLAMA = {"generation": "Hello", "prompt_token_count": 10, "generation_token_count": 20, "stop_reason": "stop"}
METRICS = {"type": "message_stop", "amazon-bedrock-invocationMetrics": {"inputTokenCount": 384, "outputTokenCount": 10}}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("model", "answer"),
    [
        pytest.param("meta.llama3-1-70b-instruct-v1:0", LLAMA, id="Llama on Bedrock"),
        pytest.param("us.anthropic.claude-opus-4-6-v1", METRICS, id="Bedrock's metrics of a call"),
        pytest.param("amazon.titan-embed-image-v1", VECTOR, id="Titan, which does not show the image"),
        pytest.param(
            "amazon.titan-text-express-v1",
            {"outputText": "Hel", "index": 0, "inputTextTokenCount": 8, "totalOutputTextTokenCount": None},
            id="a piece of a stream of Titan's",
        ),
        pytest.param(
            "gemini/imagen-3.0-generate-001",
            {"generated_images": [{"image": None, "rai_filtered_reason": "blocked"}]},
            id="images that were all filtered out",
        ),
        pytest.param(
            "vertex_ai/lyria-002",
            {"predictions": [{"bytesBase64Encoded": "AA==", "mimeType": "audio/wav"}]},
            id="music",
        ),
    ],
)
def test_what_is_no_stream_is_not_called_one(model: str, answer: dict[str, Any], shape: Any) -> None:
    with pytest.raises(UsageValueError, match="counts in a form of its own") as refused:
        read_answer(shape(answer), model=model)

    assert "stream" not in str(refused.value)
    assert "cost_usd=" in str(refused.value)


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(
            {"object": "chat.completion.chunk", "choices": [{"delta": {}, "finish_reason": "stop"}]}, id="a last piece"
        ),
        pytest.param({"choices": [{"delta": {"content": "Hel"}}]}, id="a piece without its kind"),
        pytest.param(iter(()), id="a stream itself"),
    ],
)
def test_a_stream_is_refused_with_how_to_build_the_whole(answer: Any) -> None:
    with pytest.raises(UsageValueError, match=r"of a stream, first build the whole with litellm\.stream_chunk_builder"):
        read_answer(answer, model="gpt-4o")


def test_what_the_refusal_says_to_pass_is_read() -> None:
    usage = {"prompt_tokens": LLAMA["prompt_token_count"], "completion_tokens": LLAMA["generation_token_count"]}

    read = read_answer(of("meta.llama3-1-70b-instruct-v1:0", usage)).usage

    assert read is not None
    assert (read.input_tokens, read.output_tokens) == (10, 20)


@pytest.mark.parametrize(
    ("answer", "field"),
    [
        ({**VECTOR, "inputTextTokenCount": -1}, "inputTextTokenCount"),
        ({"inputTextTokenCount": 8, "results": [{"tokenCount": 1}, {"tokenCount": -1}]}, r"results\[1\]\.tokenCount"),
        ({"extra_info": {"usage_characters": -1}}, r"extra_info\.usage_characters"),
    ],
)
def test_a_bad_count_outside_of_a_usage_is_refused_by_its_place(answer: dict[str, Any], field: str) -> None:
    with pytest.raises(UsageValueError, match=f"^{field} of completion_obj must be from 0"):
        read_answer(answer, model="m")
