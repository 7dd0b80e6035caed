"""Answers in lines of batches, and embeddings of Google's, which count outside of a usage."""

from tests.usage.cases import Case, U, message, of

_GEMINI = {
    "modelVersion": "gemini-2.5-flash",
    "candidates": [{"finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15},
}
_FIFTEEN = {"input_tokens": 10, "output_tokens": 5}
_STATISTICS = {"values": [0.1], "statistics": {"tokenCount": 7.0, "truncated": False}}
_BATCH = {"is_batch": True}

WRAPPED = (
    Case(
        "A13 a line of a batch of OpenAI's, Azure's, Mistral's or Groq's",
        "openai_chat",
        {
            "id": "batch_req_1",
            "custom_id": "request-1",
            "response": {"status_code": 200, "request_id": "r1", "body": of("gpt-4o", U, object="chat.completion")},
            "error": None,
        },
        {"input_tokens": 1_000, "output_tokens": 1_000},
        _BATCH,
    ),
    Case(
        "A13 a line of a batch of Anthropic's",
        "anthropic",
        {
            "custom_id": "request-1",
            "result": {"type": "succeeded", "message": message("claude-sonnet-4-5", _FIFTEEN)},
        },
        _FIFTEEN,
        _BATCH,
    ),
    Case(
        "C2 the last event of a stream of Cohere's",
        "cohere",
        {"model": "command-a", "type": "message-end", "delta": {"usage": {"billed_units": _FIFTEEN}}},
        _FIFTEEN,
    ),
    Case(
        "C2 the last event of a stream of Cohere's first version",
        "cohere",
        {
            "model": "command-r",
            "event_type": "stream-end",
            "is_finished": True,
            "response": {"text": "Hello", "meta": {"billed_units": _FIFTEEN}},
        },
        _FIFTEEN,
    ),
    Case("A13 a line of a batch of the Gemini API's", "gemini", {"key": "1", "response": _GEMINI}, _FIFTEEN, _BATCH),
    Case(
        "A13 an answer of a batch of the Gemini API's that was sent inline",
        "gemini",
        {"metadata": {"key": "1"}, "response": _GEMINI},
        _FIFTEEN,
        _BATCH,
    ),
    Case(
        "A13 a line of a batch of Vertex AI's",
        "gemini",
        {"status": "", "processed_time": "2026-11-01T18:13:16.826Z", "request": {"contents": []}, "response": _GEMINI},
        _FIFTEEN,
        _BATCH,
    ),
    Case(
        "C2 Google's embeddings, by the tokens of each vector",
        "gemini_embeddings",
        {
            "model": "text-embedding-005",
            "embeddings": [_STATISTICS, _STATISTICS],
            "metadata": {"billableCharacterCount": 60},
        },
        {"input_tokens": 14},
    ),
    Case(
        "C2 Google's embeddings of text, a document, audio and images",
        "gemini_embeddings",
        {
            "model": "gemini-embedding-2",
            "embeddings": [
                {
                    "statistics": {
                        "token_count": 100,
                        "tokens_details": [
                            {"modality": "TEXT", "token_count": 10},
                            {"modality": "DOCUMENT", "token_count": 20},
                            {"modality": "AUDIO", "token_count": 30},
                            {"modality": "IMAGE", "token_count": 40},
                        ],
                    }
                },
                {"statistics": {"tokenCount": 5, "tokensDetails": [{"modality": "IMAGE", "tokenCount": 5}]}},
            ],
        },
        {"input_tokens": 105, "audio_input_tokens": 30, "image_input_tokens": 45},
    ),
    Case(
        "C2 Google's embeddings, as Vertex AI's HTTP interface has them",
        "gemini_embeddings",
        {"model": "text-embedding-005", "predictions": [{"embeddings": {"statistics": {"token_count": 7}}}]},
        {"input_tokens": 7},
    ),
    Case(
        "C2 Google's embeddings with characters alone",
        "gemini_embeddings",
        {
            "model": "text-embedding-005",
            "embeddings": [{"values": [0.1], "statistics": {"truncated": False}}],
            "metadata": {"billable_character_count": 30},
        },
        {"characters": 30},
    ),
)
