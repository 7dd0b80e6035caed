"""Answers are read from the types of Google's, Mistral's and Cohere's libraries, made of what the services send."""

from typing import Any

import pytest

from budgetd.usage import read_answer
from budgetd.v1.budget_pb2 import Usage

google: Any = pytest.importorskip("google.genai.types")
mistral: Any = pytest.importorskip("mistralai.client.models")
cohere: Any = pytest.importorskip("cohere")

#: Every count of Google's usage, in the camel case that its service sends.
GOOGLE_USAGE: dict[str, Any] = {
    "promptTokenCount": 20,
    "candidatesTokenCount": 198,
    "thoughtsTokenCount": 405,
    "toolUsePromptTokenCount": 7,
    "cachedContentTokenCount": 10,
    "totalTokenCount": 20 + 198 + 405 + 7,
    "promptTokensDetails": [
        {"modality": "TEXT", "tokenCount": 10},
        {"modality": "AUDIO", "tokenCount": 6},
        {"modality": "IMAGE", "tokenCount": 4},
    ],
    "cacheTokensDetails": [
        {"modality": "TEXT", "tokenCount": 5},
        {"modality": "AUDIO", "tokenCount": 3},
        {"modality": "IMAGE", "tokenCount": 2},
    ],
    "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 190}, {"modality": "IMAGE", "tokenCount": 8}],
    "toolUsePromptTokensDetails": [{"modality": "TEXT", "tokenCount": 7}],
    "trafficType": "ON_DEMAND_PRIORITY",
}
#: What it is read as.
GOOGLE_COUNTS: dict[str, Any] = {
    "input_tokens": 20 + 7,
    "output_tokens": 198 + 405,
    "cached_input_tokens": 10,
    "reasoning_tokens": 405,
    "audio_input_tokens": 6,
    "cached_audio_input_tokens": 3,
    "image_input_tokens": 4,
    "cached_image_input_tokens": 2,
    "image_output_tokens": 8,
}
BILLED = {"billed_units": {"input_tokens": 5.0, "output_tokens": 12.0}, "tokens": {"input_tokens": 71.0}}


def test_every_count_of_googles_content_is_read_or_known() -> None:
    candidate = {"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": ["a", "b"]}}
    given = google.GenerateContentResponse.model_validate(
        {"modelVersion": "gemini-2.5-flash", "usageMetadata": GOOGLE_USAGE, "candidates": [candidate]}
    )

    answer = read_answer(given)

    # A count that the library gains is missing above, and this fails.
    assert given.usage_metadata.model_fields_set == set(type(given.usage_metadata).model_fields)
    # Google bills its searches by the query, and not the 7 tokens that they found.
    assert answer.usage == Usage(**{**GOOGLE_COUNTS, "input_tokens": GOOGLE_COUNTS["input_tokens"] - 7}, web_searches=2)
    assert (answer.model, answer.service_tier, answer.unread_fields) == ("gemini-2.5-flash", "priority", ())


def test_every_count_of_googles_live_sessions_is_read_or_known() -> None:
    usage = {name.replace("candidates", "response"): value for name, value in GOOGLE_USAGE.items()}
    given = google.LiveServerMessage.model_validate({"usageMetadata": {**usage, "serviceTier": "priority"}})

    answer = read_answer(given, model="gemini-live-2.5-flash")

    assert given.usage_metadata.model_fields_set == set(type(given.usage_metadata).model_fields)
    assert answer.usage == Usage(**GOOGLE_COUNTS)
    assert (answer.service_tier, answer.unread_fields) == ("priority", ())


def test_googles_pieces_of_streams_are_refused_until_the_last() -> None:
    piece = {"modelVersion": "gemini-2.5-flash", "usageMetadata": GOOGLE_USAGE, "candidates": [{"index": 0}]}

    with pytest.raises(ValueError, match="last piece of a stream"):
        read_answer(google.GenerateContentResponse.model_validate(piece))


def test_every_count_of_googles_embeddings_is_read_or_known() -> None:
    details = [{"modality": "TEXT", "tokenCount": 3}, {"modality": "IMAGE", "tokenCount": 4}]
    statistics = {"truncated": False, "tokenCount": 7.0, "tokensDetails": details}
    made = {"embeddings": [{"values": [0.1], "statistics": statistics}], "metadata": {"billableCharacterCount": 30}}
    given = google.EmbedContentResponse.model_validate(made)

    answer = read_answer(given, model="gemini-embedding-2")

    # A count that the library gains is missing above, and this fails.
    assert set(type(given.embeddings[0].statistics).model_fields) == {"truncated", "token_count", "tokens_details"}
    assert set(type(given.metadata).model_fields) == {"billable_character_count"}
    assert (answer.usage, answer.unread_fields) == (Usage(input_tokens=7, image_input_tokens=4), ())


def test_googles_inline_answers_of_batches_are_read_with_a_key() -> None:
    whole = {
        "modelVersion": "gemini-2.5-flash",
        "usageMetadata": GOOGLE_USAGE,
        "candidates": [{"finishReason": "STOP"}],
    }
    with_key = google.InlinedResponse.model_validate({"response": whole, "metadata": {"key": "1"}})
    without = google.InlinedResponse.model_validate({"response": whole})
    failed = google.InlinedResponse.model_validate({"error": {"code": 13}, "metadata": {"key": "1"}})

    for line in (with_key, {"key": "1", "response": without.response}):
        answer = read_answer(line)

        assert (answer.usage, answer.is_batch) == (Usage(**GOOGLE_COUNTS), True)
    with pytest.raises(ValueError, match="with its custom_id or key"):
        read_answer(without, model="gemini-2.5-flash")
    with pytest.raises(ValueError, match="failed costs nothing"):
        read_answer(failed)


def mistral_chat(usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A chat completion as Mistral's service sends it."""
    made = {"id": "c1", "object": "chat.completion", "model": "mistral-small-latest", "created": 1, "choices": []}
    return {**made, "usage": usage, **more}


def test_mistrals_chats_are_read_with_counts_that_its_library_does_not_know_yet() -> None:
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 20,
        "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 64},
        "service_tier": "priority",
    }
    whole = mistral.ChatCompletionResponse.model_validate(mistral_chat(usage))
    piece = mistral.CompletionChunk.model_validate(mistral_chat(usage, object="chat.completion.chunk"))

    for given in (whole, piece):
        answer = read_answer(given)

        assert answer.usage == Usage(input_tokens=100, output_tokens=20, cached_input_tokens=64)
        assert (answer.dialect, answer.service_tier, answer.unread_fields) == ("mistral", "priority", ())


def test_mistrals_unknown_counts_are_unread_once() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, "smell_tokens": 3}

    answer = read_answer(mistral.ChatCompletionResponse.model_validate(mistral_chat(usage)))

    assert answer.unread_fields == ("smell_tokens",)


def test_mistrals_transcriptions_are_read_whose_prompt_leaves_the_audio_out() -> None:
    usage = {"prompt_tokens": 3, "completion_tokens": 41, "total_tokens": 419, "prompt_audio_seconds": 12}
    made: dict[str, Any] = {
        "model": "voxtral-mini-latest",
        "text": "Hello",
        "language": None,
        "segments": [],
        "usage": usage,
    }

    answer = read_answer(mistral.TranscriptionResponse.model_validate(made))

    assert answer.usage == Usage(
        input_tokens=3 + 375, output_tokens=41, audio_input_tokens=375, audio_input_milliseconds=12_000
    )
    assert answer.unread_fields == ()


def test_mistrals_agents_documents_and_embeddings_are_read() -> None:
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 160}
    connected = {**tokens, "connector_tokens": 40, "connectors": {"web_search": 3}}
    conversation = mistral.ConversationResponse(conversation_id="c1", outputs=[], usage=connected)
    pages = {"pages_processed": 29, "doc_size_bytes": 3_002_783}
    document = mistral.OCRResponse(pages=[], model="mistral-ocr-latest", usage_info=pages)
    vectors = mistral.EmbeddingResponse(
        id="e1", object="list", model="mistral-embed", data=[], usage={"prompt_tokens": 8, "total_tokens": 8}
    )

    agents = read_answer(conversation, model="mistral-medium-latest")

    assert agents.usage == Usage(input_tokens=140, output_tokens=20, web_searches=3)
    assert read_answer(document).usage == Usage(pages=29)
    assert read_answer(vectors).usage == Usage(input_tokens=8)


@pytest.mark.parametrize("kind", ["UsageInfo", "ConversationUsageInfo", "OCRUsageInfo"])
def test_mistrals_usages_have_no_count_that_is_not_tried_here(kind: str) -> None:
    tried = {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_audio_seconds", "service_tier"}
    tried |= {"connector_tokens", "connectors", "pages_processed", "doc_size_bytes"}

    assert set(getattr(mistral, kind).model_fields) <= tried


def test_coheres_chats_are_read_of_which_the_billed_units_count() -> None:
    message = {"role": "assistant", "content": []}
    made = {"id": "c1", "finish_reason": "COMPLETE", "message": message, "usage": {**BILLED, "cached_tokens": 3.0}}
    end = {"type": "message-end", "id": "c1", "delta": {"finish_reason": "COMPLETE", "usage": BILLED}}

    whole = cohere.V2ChatResponse.model_validate(made)
    last = cohere.MessageEndStreamedChatResponseV2.model_validate(end)
    first_version = cohere.NonStreamedChatResponse.model_validate({"text": "Hello", "meta": BILLED})

    for given in (whole, last, last.delta, first_version):
        answer = read_answer(given, model="command-a-03-2025")

        assert answer.usage == Usage(input_tokens=5, output_tokens=12)
        assert (answer.dialect, answer.unread_fields) == ("cohere", ())


def test_coheres_rerankings_and_embeddings_are_read() -> None:
    units = {"api_version": {"version": "2"}, "billed_units": {"search_units": 3.0}}
    ranked = {"id": "r1", "results": [{"index": 0, "relevance_score": 0.5}], "meta": units}
    units = {"billed_units": {"input_tokens": 8.0, "image_tokens": 20.0, "images": 1.0}}
    vectors = {"response_type": "embeddings_by_type", "id": "e1", "embeddings": {"float": [[0.1]]}, "meta": units}

    rerank = read_answer(cohere.V2RerankResponse.model_validate(ranked), model="rerank-v3.5")
    embed = read_answer(cohere.EmbedByTypeResponse.model_validate(vectors), model="embed-v4.0")

    assert (rerank.usage, rerank.unread_fields) == (Usage(queries=3), ())
    assert embed.usage == Usage(input_tokens=28, image_input_tokens=20, input_images=1)
