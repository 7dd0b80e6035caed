"""A usage that lacks a count which its form always has is refused by the count's name, and never charged as nothing."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, answers, dialect, read_answer
from budgetd.v1.budget_pb2 import Usage
from tests.usage.cases import as_object, message, of

SPLIT = {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 6}
FIVE, HOUR = "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"
WRITTEN = {"input_tokens": 1, "output_tokens": 9, "cache_creation_input_tokens": 12}
CHAT = {"prompt_tokens": 100, "completion_tokens": 50}
VECTORS = [{"embedding": [0.1]}]
RUN = {"type": "message", "input_tokens": 5, "output_tokens": 9}

MISSING = [
    pytest.param(of("gpt-4o", {"completion_tokens": 9}), "usage.prompt_tokens", id="a chat's input"),
    pytest.param(of("gpt-4o", {"prompt_tokens": None, "completion_tokens": 9}), "usage.prompt_tokens", id="a None"),
    pytest.param(of("gpt-4o", {"prompt_tokens": 9}), "usage.completion_tokens", id="a chat's output"),
    pytest.param(of("gpt-4o", {"prompt_tokens": 9, "total_tokens": 12}), "usage.completion_tokens", id="with a total"),
    pytest.param(
        of("gpt-4o", {"completion_tokens": 9, "total_tokens": 9}),
        "usage.prompt_tokens",
        id="with a total of the output",
    ),
    pytest.param(
        of("xai/grok-4", {"completion_tokens": 9, "reasoning_tokens": 3}), "usage.prompt_tokens", id="xAI's input"
    ),
    pytest.param(
        of("sonar", {"completion_tokens": 9, "citation_tokens": 3}), "usage.prompt_tokens", id="Perplexity's input"
    ),
    pytest.param(of("mistral-small", {"prompt_tokens": 9}), "usage.completion_tokens", id="Mistral's output"),
    pytest.param(of("gpt-5", {"output_tokens": 9}), "usage.input_tokens", id="a response's input"),
    pytest.param(of("gpt-5", {"input_tokens": 9}), "usage.output_tokens", id="a response's output"),
    pytest.param(of("gpt-image-1", {"input_tokens": 9}), "usage.output_tokens", id="an image's output"),
    pytest.param(message("claude", {"output_tokens": 9}), "usage.input_tokens", id="a message's input"),
    pytest.param(
        message("claude", {"output_tokens": 9, "cache_read_input_tokens": 5}), "usage.input_tokens", id="but its cache"
    ),
    pytest.param(message("claude", {"input_tokens": 9}), "usage.output_tokens", id="a message's output"),
    pytest.param(
        message("claude", {"input_tokens": 5, "output_tokens": 9, "iterations": [{**RUN, "input_tokens": None}]}),
        "usage.iterations.0.input_tokens",
        id="a run's input",
    ),
    pytest.param(of("nova", {"outputTokens": 9, "totalTokens": 9}), "usage.inputTokens", id="Converse's input"),
    pytest.param(of("nova", {"inputTokens": 9}), "usage.outputTokens", id="Converse's output"),
    pytest.param(of("gemini-2.5-flash", {"totalTokenCount": 99}), "usage.promptTokenCount", id="Google's total alone"),
    pytest.param(
        of("gemini-2.5-flash", {"total_token_count": 99, "candidates_token_count": 9}),
        "usage.prompt_token_count",
        id="Google's input",
    ),
    pytest.param(
        of("command-a", {"billed_units": {"output_tokens": 9}}), "usage.billed_units.input_tokens", id="Cohere's input"
    ),
    pytest.param(
        of("command-a", {"billed_units": {"input_tokens": 9}}), "usage.billed_units.output_tokens", id="Cohere's output"
    ),
    pytest.param(
        of("command-a", {"tokens": {"input_tokens": 9}}), "usage.tokens.output_tokens", id="what Cohere's model wrote"
    ),
    pytest.param(
        of("claude", {"output_tokens": 9, "input_token_details": {"cache_read": 5}}),
        "usage.input_tokens",
        id="LangChain's input",
    ),
    pytest.param(
        of("gpt-5", {"input_tokens": 9, "cached_input_tokens": 5}), "usage.output_tokens", id="Codex's output"
    ),
    pytest.param(of("gpt-5", {"inputTokens": 9, "inputTokenDetails": {}}), "usage.outputTokens", id="Vercel's output"),
    pytest.param(
        {"model": "amazon.titan-text-express-v1", "inputTextTokenCount": 8, "results": [{"outputText": "a"}]},
        "results[0].tokenCount",
        id="a text of Titan's",
    ),
]
WHOLE = [
    pytest.param(of("gpt-4o", {"prompt_tokens": 9, "completion_tokens": 0}), 9, 0, id="an output of zero"),
    pytest.param(of("gpt-4o", {"prompt_tokens": 0, "completion_tokens": 9}), 0, 9, id="an input of zero"),
    pytest.param({"model": "m", "usage": Usage(input_tokens=9)}, 9, 0, id="an output of zero in a protobuf message"),
    pytest.param(of("own", {"prompt_tokens": 9, "total_tokens": 9}), 9, 0, id="a total that leaves no output"),
    pytest.param(of("text-embedding-3-small", {"prompt_tokens": 9}), 9, 0, id="an embedding by its name"),
    pytest.param(of("own", {"prompt_tokens": 9}, data=VECTORS), 9, 0, id="an embedding by its vectors"),
    pytest.param(of("own", {"input_tokens": 9}, data=VECTORS), 9, 0, id="an embedding with an input"),
    pytest.param(of("own", {"total_tokens": 9}, data=VECTORS), 9, 0, id="an embedding with a total alone"),
    pytest.param(of("jina-reranker-v2", {"prompt_tokens": 9}), 9, 0, id="a reranking"),
    pytest.param(
        of("embed-v4.0", {"billed_units": {"input_tokens": 9}}, embeddings=[[0.1]]), 9, 0, id="Cohere's embeddings"
    ),
    pytest.param(of("gemini-2.5-flash", {"promptTokenCount": 9}), 9, 0, id="Google's output of zero, left out"),
    pytest.param(
        of("gemini-2.5-flash", {"promptTokenCount": 9, "thoughtsTokenCount": 7, "totalTokenCount": 16}),
        9,
        7,
        id="Google's thoughts before any candidate",
    ),
    pytest.param(
        of("claude", {"input_tokens": 9, "output_tokens": 0, "cache_read_tokens": 0}), 9, 0, id="Pydantic AI's zeros"
    ),
]
CONTRADICTIONS = [
    pytest.param(of("gpt-4o", {**CHAT, "total_tokens": 0}), "usage.total_tokens", id="a chat"),
    pytest.param(of("xai/grok-4", {**CHAT, "total_tokens": 0}), "usage.total_tokens", id="xAI's"),
    pytest.param(of("sonar", {**CHAT, "total_tokens": 0.0}), "usage.total_tokens", id="Perplexity's"),
    pytest.param(
        of("text-embedding-3-small", {"prompt_tokens": 9, "total_tokens": 0}), "usage.total_tokens", id="an embedding"
    ),
    pytest.param(
        of("gpt-5", {"input_tokens": 9, "output_tokens": 9, "total_tokens": 0}), "usage.total_tokens", id="a response"
    ),
    pytest.param(
        message("claude", {"input_tokens": 9, "output_tokens": 9, "total_tokens": 0}),
        "usage.total_tokens",
        id="a message",
    ),
    pytest.param(
        message("claude", {"input_tokens": 5, "output_tokens": 9, "total_tokens": 0, "iterations": [RUN]}),
        "usage.total_tokens",
        id="a message of runs",
    ),
    pytest.param(
        of("nova", {"inputTokens": 9, "outputTokens": 9, "totalTokens": 0}), "usage.totalTokens", id="Converse's"
    ),
    pytest.param(
        of("gemini-2.5-pro", {"promptTokenCount": 9, "candidatesTokenCount": 9, "totalTokenCount": 0}),
        "usage.totalTokenCount",
        id="Google's",
    ),
    pytest.param(
        of("command-a", {"billed_units": {"input_tokens": 9, "output_tokens": 9, "total_tokens": 0}}),
        "usage.billed_units.total_tokens",
        id="Cohere's",
    ),
]


def written(**split: int) -> dict[str, Any]:
    """A message that wrote 12 tokens to the cache, by their life."""
    return message("claude", {**WRITTEN, "cache_creation": split})


def kept(*lives: tuple[str | None, int]) -> dict[str, Any]:
    """An answer of Bedrock's Converse that wrote 12 tokens to the cache, by their life."""
    details = [{"ttl": ttl, "inputTokens": count} for ttl, count in lives]
    return of("nova", {"inputTokens": 1, "outputTokens": 9, "cacheWriteInputTokens": 12, "cacheDetails": details})


LIVES = [
    pytest.param(written(**SPLIT), "usage.cache_creation", ["4", "6", "input_tokens 12", "10"], id="less than all"),
    pytest.param(written(**{FIVE: 9, HOUR: 8}), "usage.cache_creation", ["9", "8", "12", "17"], id="more than all"),
    pytest.param(written(**{HOUR: 6}), "usage.cache_creation", [HOUR, "12", "6"], id="an hour alone"),
    pytest.param(written(**{FIVE: 6}), "usage.cache_creation", [FIVE, "12", "6"], id="five minutes alone"),
    pytest.param(
        message("claude", {**RUN, "iterations": [{**RUN, **WRITTEN, "cache_creation": SPLIT}]}),
        "usage.iterations.0.cache_creation",
        ["4", "6", "12", "10"],
        id="of a run",
    ),
    pytest.param(
        of(
            "claude",
            {**CHAT, "prompt_tokens_details": {"cache_creation_tokens": 12, "cache_creation_token_details": SPLIT}},
        ),
        "usage.prompt_tokens_details.cache_creation_token_details",
        ["4", "6", "12", "10"],
        id="LiteLLM's",
    ),
    pytest.param(
        kept(("1h", 6), ("5m", 4)), "usage.cacheDetails.0.inputTokens", ["4", "6", "12", "10"], id="Converse's"
    ),
    pytest.param(kept(("1h", 6), ("2h", 6)), "usage.cacheDetails.1.ttl", ["5m or 1h"], id="another life"),
]


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "field"), MISSING)
def test_a_missing_count_is_refused_by_name_with_what_to_do(answer: dict[str, Any], field: str, shape: Any) -> None:
    with pytest.raises(UsageValueError, match=r"must be there, or the (in|out)put would be .* or cost_usd=") as refused:
        read_answer(shape(answer))

    assert refused.value.field == field


@pytest.mark.parametrize("answer", [pytest.param(case.values[0], id=case.id) for case in MISSING])
def test_a_cost_that_is_given_needs_no_whole_usage(answer: dict[str, Any]) -> None:
    read = read_answer(answer, cost_nano_usd=5)

    assert read.cost_nano_usd == 5
    assert read.usage is not None
    assert read.usage.input_tokens >= read.usage.cached_input_tokens + read.usage.citation_tokens
    assert read.usage.output_tokens >= read.usage.reasoning_tokens


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "read", "made"), WHOLE)
def test_a_count_that_is_zero_or_that_a_form_does_not_have_is_not_missing(
    answer: dict[str, Any], read: int, made: int, shape: Any
) -> None:
    usage = read_answer(shape(answer)).usage

    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (read, made)


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "field"), CONTRADICTIONS)
def test_a_total_of_zero_is_no_total_of_counts_that_are_not(answer: dict[str, Any], field: str, shape: Any) -> None:
    with pytest.raises(UsageValueError, match="sum of") as refused:
        read_answer(shape(answer))

    assert (refused.value.field, refused.value.value) == (field, 0)


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(("answer", "field", "named"), LIVES)
def test_lives_of_what_was_written_must_be_all_of_it(
    answer: dict[str, Any], field: str, named: list[str], shape: Any
) -> None:
    with pytest.raises(UsageValueError, match="must") as refused:
        read_answer(shape(answer))

    assert refused.value.field.startswith(field)
    assert [each for each in named if each not in str(refused.value)] == []


@pytest.mark.parametrize("split", [{}, {FIVE: 0, HOUR: 0}, {FIVE: 12}, {FIVE: 12, HOUR: 0}])
def test_without_a_life_all_was_written_for_five_minutes(split: dict[str, int]) -> None:
    expected = Usage(input_tokens=13, output_tokens=9, cache_write_tokens=12)

    assert read_answer(written(**split)).usage == expected


def test_a_planted_reading_that_believes_whatever_is_there_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialect, "_missing", lambda *_: None)
    monkeypatch.setattr(answers, "plain_counts", lambda _: None)

    assert read_answer(of("gpt-4o", {"completion_tokens": 9})).usage == Usage(output_tokens=9)
