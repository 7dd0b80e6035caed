"""Usages of libraries that call several providers: read as each library documents them, and only where it does."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from tests.usage.cases import as_object, of

PYDANTIC = {"input_tokens": 100, "output_tokens": 10, "cache_read_tokens": 60, "cache_write_tokens": 30}
LANGCHAIN = {"input_tokens": 100, "output_tokens": 10, "input_token_details": {"cache_read": 60}}
CODEX = {"input_tokens": 100, "output_tokens": 10, "cached_input_tokens": 60}
AI_SDK = {"inputTokens": 100, "outputTokens": 10, "inputTokenDetails": {"cacheReadTokens": 60, "cacheWriteTokens": 30}}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("usage", "field"),
    [
        ({**PYDANTIC, "cache_read_tokens": 71}, "cache_read_tokens"),
        ({**LANGCHAIN, "input_token_details": {"cache_read": 101}}, "input_token_details.cache_read"),
        ({**CODEX, "cached_input_tokens": 101}, "cached_input_tokens"),
        ({**CODEX, "reasoning_output_tokens": 11}, "reasoning_output_tokens"),
        ({**AI_SDK, "inputTokenDetails": {"cacheReadTokens": 101}}, "inputTokenDetails.cacheReadTokens"),
    ],
)
def test_parts_outside_of_the_whole_are_refused(usage: dict[str, Any], field: str, shape: Any) -> None:
    with pytest.raises(UsageValueError, match="which includes it") as refused:
        read_answer(shape(of("m", usage)))

    assert refused.value.field == f"usage.{field}"


@pytest.mark.parametrize("uncached", [40, 10])
def test_what_was_written_may_count_as_cached_or_not(uncached: int) -> None:
    details = {**AI_SDK["inputTokenDetails"], "noCacheTokens": uncached}  # type: ignore[dict-item]

    assert read_answer(of("m", {**AI_SDK, "inputTokenDetails": details})).unread_fields == ()


def test_uncached_tokens_that_are_not_the_rest_of_the_input_are_refused() -> None:
    usage = {**AI_SDK, "inputTokenDetails": {"cacheReadTokens": 60, "noCacheTokens": 41}}

    with pytest.raises(UsageValueError, match="must be 40, the input less what was read from the cache"):
        read_answer(of("m", usage))


def test_cached_tokens_without_details_are_unread_since_the_input_may_exclude_them() -> None:
    usage = {"inputTokens": 100, "outputTokens": 10, "totalTokens": 110, "cachedInputTokens": 60}

    answer = read_answer(of("claude-sonnet-4-5", usage))

    assert answer.unread_fields == ("cachedInputTokens",)
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.cached_input_tokens) == (100, 0)
    assert read_answer(of("claude-sonnet-4-5", usage), cost_nano_usd=5).unread_fields == ()


def test_of_a_usage_that_is_repeated_only_what_costs_more_is_unread() -> None:
    raw = {
        "input_tokens": 10,
        "cache_read_input_tokens": 60,
        "cache_creation": {"ephemeral_1h_input_tokens": 30},
        "server_tool_use": {"web_search_requests": 2},
    }
    details = {**AI_SDK["inputTokenDetails"], "noCacheTokens": 10}  # type: ignore[dict-item]

    answer = read_answer(of("m", {**AI_SDK, "inputTokenDetails": details, "raw": raw}))

    unread = {"raw.cache_creation.ephemeral_1h_input_tokens", "raw.server_tool_use.web_search_requests"}
    assert set(answer.unread_fields) == unread


@pytest.mark.parametrize(("requests", "unread"), [(1, ()), (3, ("requests",))])
def test_several_requests_that_were_added_up_are_reported(requests: int, unread: tuple[str, ...]) -> None:
    assert read_answer(of("m", {**PYDANTIC, "requests": requests})).unread_fields == unread


@pytest.mark.parametrize(
    "details",
    [
        {"cached_tokens": 50, "cached_read_tokens": 60, "cached_write_tokens": 30},
        {"cached_tokens": 60, "cached_read_tokens": 60, "cached_write_tokens": 30, "cache_write_tokens": 29},
        {"cached_tokens": 60, "cached_read_tokens": 60, "cached_write_tokens": 41},
    ],
)
def test_bifrosts_counts_that_contradict_others_are_refused(details: dict[str, int]) -> None:
    with pytest.raises(UsageValueError, match="prompt_tokens_details"):
        read_answer(of("m", {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": details}))


@pytest.mark.parametrize("tools", [[1, 2], ["SERVER_SIDE_TOOL_WEB_SEARCH"]])
def test_tools_that_xais_library_counts_are_reported(tools: list[Any]) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_text_tokens": 100, "server_side_tools_used": tools}

    unread = read_answer(of("grok-4.20", usage)).unread_fields

    assert unread == tuple(f"server_side_tools_used.{at}" for at, _ in enumerate(tools))


@pytest.mark.parametrize("name", ["cache_read_tokens", "cached_input_tokens", "cachedInputTokens"])
def test_a_librarys_name_in_another_form_is_unread_and_no_second_form(name: str) -> None:
    answer = read_answer(of("gpt-4o", {"prompt_tokens": 100, "completion_tokens": 10, name: 60}, choices=[]))

    assert (answer.dialect, answer.unread_fields) == ("openai_chat", (name,))
