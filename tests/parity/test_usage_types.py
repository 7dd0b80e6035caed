"""Answers are read from the very types of LiteLLM, OpenAI and Anthropic, as those libraries make them."""

from typing import Any

import pytest

from budgetd.usage import Answer, bedrock, read_answer
from budgetd.v1.budget_pb2 import COST_SOURCE_GATEWAY, Usage
from tests.parity.theirs import litellm
from tests.usage.cases import Case
from tests.usage.drawing import CASES

#: It comes with LiteLLM.
types: Any = pytest.importorskip("openai.types")
chat: Any = pytest.importorskip("openai.types.chat")
audio: Any = pytest.importorskip("openai.types.audio")
responses: Any = pytest.importorskip("openai.types.responses")
anthropic: Any = pytest.importorskip("anthropic.types")
anthropic_beta: Any = pytest.importorskip("anthropic.types.beta")
batches: Any = pytest.importorskip("anthropic.types.messages")
botocore_session: Any = pytest.importorskip("botocore.session")
MESSAGES = [{"role": "user", "content": "Hello"}]
#: Cases in the form that LiteLLM gives to every chat.
_CHATS = [case for case in CASES if "completion_tokens" in case.answer.get("usage", {})]


def read_response(case: Case) -> Answer:
    """The same answer as LiteLLM's own object, as its code makes one of a provider's."""
    given = {name: value for name, value in case.answer.items() if name not in {"model", "usage", "object"}}
    response = litellm.ModelResponse(model=case.answer["model"], usage=litellm.Usage(**case.answer["usage"]), **given)
    return read_answer(response)


@pytest.mark.parametrize("case", _CHATS, ids=lambda case: case.name)
def test_litellms_objects_are_read_as_the_dictionaries_that_they_are_made_of(case: Case) -> None:
    answer = read_response(case)

    assert answer.usage == Usage(**case.usage)
    assert set(answer.unread_fields) == set(case.terms.get("unread_fields", ()))


def test_an_openai_completion_is_read() -> None:
    usage = {
        "prompt_tokens": 17,
        "completion_tokens": 592,
        "total_tokens": 609,
        "prompt_tokens_details": {"cached_tokens": 7},
        "completion_tokens_details": {"audio_tokens": 482, "accepted_prediction_tokens": 3},
    }
    given = chat.ChatCompletion.model_validate(
        {
            "id": "c1",
            "model": "gpt-audio",
            "object": "chat.completion",
            "created": 1,
            "service_tier": "flex",
            "choices": [],
            "usage": usage,
        }
    )

    answer = read_answer(given)

    expected = Usage(input_tokens=17, output_tokens=592, cached_input_tokens=7, audio_output_tokens=482)
    assert (answer.usage, answer.service_tier, answer.unread_fields) == (expected, "flex", ())


def test_an_openai_response_and_the_last_event_of_its_stream_are_read() -> None:
    usage = {
        "input_tokens": 100,
        "output_tokens": 50,
        "total_tokens": 150,
        "input_tokens_details": {"cached_tokens": 30, "cache_write_tokens": 5},
        "output_tokens_details": {"reasoning_tokens": 40},
    }
    given = responses.Response.model_construct(id="r1", model="gpt-5", object="response", usage=usage)
    event = responses.ResponseCompletedEvent.model_construct(
        type="response.completed", response=given, sequence_number=9
    )

    expected = Usage(
        input_tokens=100, output_tokens=50, cached_input_tokens=30, cache_write_tokens=5, reasoning_tokens=40
    )
    assert read_answer(given).usage == read_answer(event).usage == expected


def test_openais_pieces_of_streams_are_refused_until_the_last() -> None:
    def piece(choices: list[dict[str, Any]], completion: int) -> Any:
        usage = {"prompt_tokens": 1_000, "completion_tokens": completion, "total_tokens": 1_000 + completion}
        made = {"id": "c", "model": "gpt-4o", "object": "chat.completion.chunk", "created": 1, "usage": usage}
        return chat.ChatCompletionChunk.model_validate({**made, "choices": choices})

    middle = [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]
    with pytest.raises(ValueError, match="last piece of a stream"):
        read_answer(piece(middle, 5))
    assert read_answer(piece([], 1_000)).usage == Usage(input_tokens=1_000, output_tokens=1_000)


def test_openais_images_transcriptions_and_embeddings_are_read() -> None:
    tokens = {"input_tokens": 150, "output_tokens": 8_000, "total_tokens": 8_150}
    details = {"text_tokens": 150, "image_tokens": 0}
    images = types.ImagesResponse.model_validate(
        {"created": 1, "data": [{"b64_json": "aGk="}], "usage": {**tokens, "input_tokens_details": details}}
    )
    spoken = audio.Transcription.model_validate({"text": "hello", "usage": {"type": "duration", "seconds": 12.5}})
    vectors = types.CreateEmbeddingResponse.model_validate(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    )

    assert read_answer(images, model="gpt-image-1").usage == Usage(
        input_tokens=150, output_tokens=8_000, image_output_tokens=8_000, output_images=1
    )
    assert read_answer(spoken, model="whisper-1").usage == Usage(audio_input_milliseconds=12_500)
    assert read_answer(vectors).usage == Usage(input_tokens=8)


def test_b4_litellms_embeddings_with_a_total_alone_are_read() -> None:
    usage = litellm.Usage(prompt_tokens=0, total_tokens=3_576)
    given = litellm.EmbeddingResponse(model="voyage-multimodal-3", data=[{"embedding": [0.1]}], usage=usage)

    assert read_answer(given).usage == Usage(input_tokens=3_576)


def test_litellms_responses_are_read() -> None:
    usage = litellm.types.llms.openai.ResponseAPIUsage(
        input_tokens=100, output_tokens=50, total_tokens=150, input_tokens_details={"cached_tokens": 30}
    )
    given = litellm.types.llms.openai.ResponsesAPIResponse.model_construct(
        id="r1", model="gpt-5", created_at=1, usage=usage
    )

    assert read_answer(given).usage == Usage(input_tokens=100, output_tokens=50, cached_input_tokens=30)


@pytest.mark.parametrize(
    ("model", "cost"),
    [("cohere/rerank-v3.5", 0.002), ("gpt-image-1", 0.04), ("whisper-1", 0.006)],
)
def test_d4_answers_without_a_model_are_charged_what_litellm_says(model: str, cost: float) -> None:
    made = {
        "cohere/rerank-v3.5": litellm.RerankResponse(
            id="r", results=[{"index": 0, "relevance_score": 0.5}], meta={"billed_units": {"search_units": 1}}
        ),
        "gpt-image-1": litellm.ImageResponse(created=1, data=[]),
        "whisper-1": litellm.TranscriptionResponse(text="hello"),
    }[model]
    made.hidden_params = {"response_cost": cost, "litellm_model_name": model, "custom_llm_provider": "cohere"}

    answer = read_answer(made)

    assert (answer.model, answer.cost_nano_usd) == (model, round(cost * 10**9))
    assert (answer.cost_source, answer.provider, answer.unread_fields) == (COST_SOURCE_GATEWAY, "cohere", ())


#: Cases of Anthropic's own messages.
_MESSAGES = [case for case in CASES if case.answer.get("type") == "message"]


def message_of(kind: Any, answer: dict[str, Any]) -> Any:
    """A message as Anthropic's library makes it of what the service sends, though fields are missing."""
    return kind.construct(**{"id": "msg_1", "role": "assistant", "content": [], "stop_reason": "end_turn", **answer})


@pytest.mark.parametrize("case", _MESSAGES, ids=lambda case: case.name)
@pytest.mark.parametrize("kind", [anthropic.Message, anthropic_beta.BetaMessage], ids=["released", "beta"])
def test_anthropics_messages_are_read_as_the_dictionaries_that_they_are_made_of(case: Case, kind: Any) -> None:
    answer = read_answer(message_of(kind, case.answer))

    assert (answer.usage, answer.dialect) == (Usage(**case.usage), case.dialect)
    assert answer.unread_fields == ()
    assert {name: getattr(answer, name) for name in case.terms} == dict(case.terms)


def test_there_are_messages_of_anthropics_among_the_cases() -> None:
    assert len(_MESSAGES) >= 4
    assert any("iterations" in case.answer["usage"] for case in _MESSAGES)


def test_every_count_of_anthropics_usage_is_read_or_known() -> None:
    usage = {
        "input_tokens": 50,
        "output_tokens": 40,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 12,
        "cache_creation": {"ephemeral_1h_input_tokens": 5, "ephemeral_5m_input_tokens": 7},
        "output_tokens_details": {"thinking_tokens": 20},
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 3},
        "inference_geo": "us",
        "service_tier": "standard",
        "speed": "fast",
    }

    message = message_of(anthropic.Message, {"type": "message", "model": "claude-opus-4-6", "usage": usage})
    answer = read_answer(message)

    assert isinstance(message.usage, anthropic.Usage)
    # A count that the library gains is missing above, and this fails.
    assert set(usage) == set(anthropic.Usage.model_fields)
    assert answer.usage == Usage(
        input_tokens=50 + 30 + 12,
        output_tokens=40,
        cached_input_tokens=30,
        cache_write_tokens=12,
        cache_write_1h_tokens=5,
        reasoning_tokens=20,
        web_searches=2,
    )
    assert (answer.service_tier, answer.inference_geo, answer.unread_fields) == ("fast", "us", ())


def test_anthropics_beta_adds_nothing_to_its_usage_but_runs_and_credits() -> None:
    added = set(anthropic_beta.BetaUsage.model_fields) - set(anthropic.Usage.model_fields)

    assert added == {"iterations", "fallback_credit"}


@pytest.mark.parametrize("event", ["RawMessageStartEvent", "RawMessageDeltaEvent"])
def test_anthropics_events_in_the_middle_of_a_stream_are_refused(event: str) -> None:
    message = message_of(
        anthropic.Message,
        {"type": "message", "model": "claude-opus-4-6", "usage": {"input_tokens": 10, "output_tokens": 1}},
    )
    made = {
        "RawMessageStartEvent": {"type": "message_start", "message": message},
        "RawMessageDeltaEvent": {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 9},
        },
    }[event]

    with pytest.raises(ValueError, match="last piece of a stream"):
        read_answer(getattr(anthropic, event).model_validate(made))


def test_a_line_of_a_batch_of_anthropics_is_read_if_it_succeeded() -> None:
    usage = {"input_tokens": 10, "output_tokens": 5, "service_tier": "batch"}
    message = message_of(anthropic.Message, {"type": "message", "model": "claude-opus-4-6", "usage": usage})

    def line(**result: Any) -> Any:
        return batches.MessageBatchIndividualResponse.model_validate({"custom_id": "1", "result": result})

    answer = read_answer(line(type="succeeded", message=message))
    assert (answer.usage, answer.is_batch) == (Usage(input_tokens=10, output_tokens=5), True)
    for kind in ("canceled", "expired"):
        with pytest.raises(ValueError, match="failed costs nothing"):
            read_answer(line(type=kind))


def test_every_count_of_bedrocks_usage_is_read_where_its_library_has_it() -> None:
    service = botocore_session.get_session().get_service_model("bedrock-runtime")
    answer, event = service.shape_for("ConverseResponse"), service.shape_for("ConverseStreamMetadataEvent")
    counts = dict.fromkeys(service.shape_for("TokenUsage").members, 0)
    counts |= {"inputTokens": 10, "outputTokens": 5, "totalTokens": 15}

    assert {"usage", "serviceTier"} <= set(answer.members) & set(event.members)
    # A count that the library gains is missing here, and this fails.
    assert set(counts) <= {path.partition(".")[0] for path in (*bedrock.DIALECT.parts, *bedrock.DIALECT.harmless)}
    assert "metadata" in service.shape_for("ConverseStreamOutput").members
    read = read_answer({"metadata": {"usage": counts}}, model="amazon.nova-pro-v1:0")
    assert read.usage == Usage(input_tokens=10, output_tokens=5)
