"""Runs of an Anthropic message are sent as requests of their own, which make up the usage that the server gets."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd.usage import UsageError, read_answer
from budgetd.usage.iterations import REQUESTS_MAX
from budgetd.v1.budget_pb2 import Usage
from budgetd.v1.cost_pb2 import UpdateCostRequest
from budgetd_server.domain.bounds import USAGE_REQUESTS_MAX
from budgetd_server.rpc.checks import Checks
from budgetd_server.rpc.cost_checks import parse_usage
from tests.usage.cases import as_object, message, of

COMPACTION: dict[str, Any] = {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3_500}
MESSAGE: dict[str, Any] = {"type": "message", "input_tokens": 23_000, "output_tokens": 1_000}


def runs(*iterations: dict[str, Any], model: str = "claude-sonnet-4-5", **more: Any) -> dict[str, Any]:
    """A message that took these runs, whose usage is that of the last one."""
    last = {name: value for name, value in iterations[-1].items() if name != "type"}
    return message(model, {**last, **more, "iterations": list(iterations)})


def requests_of(answer: Any) -> list[Usage]:
    """The requests of an answer that is charged without anything unread."""
    read = read_answer(answer)
    assert read.usage is not None
    assert read.unread_fields == ()
    return list(read.usage.requests)


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize("first", [180_000, 170_000, 0], ids=str)
@pytest.mark.parametrize("model", ["vertex_ai/claude-sonnet-4-5", "claude-haiku-5-5", "claude-opus-4-6", "m"])
def test_each_run_is_sent_as_a_request_whatever_the_model_costs(model: str, first: int, shape: Any) -> None:
    answer = runs({**COMPACTION, "input_tokens": first}, MESSAGE, model=model)

    assert requests_of(shape(answer)) == [
        Usage(input_tokens=first, output_tokens=3_500),
        Usage(input_tokens=23_000, output_tokens=1_000),
    ]


def test_a_request_has_the_cache_of_its_run() -> None:
    cached = {
        **MESSAGE,
        "cache_read_input_tokens": 50,
        "cache_creation_input_tokens": 7,
        "cache_creation": {"ephemeral_1h_input_tokens": 4, "ephemeral_5m_input_tokens": 3},
        "output_tokens_details": {"thinking_tokens": 9},
    }

    first, second = requests_of(runs(COMPACTION, cached))

    assert first == Usage(input_tokens=180_000, output_tokens=3_500)
    assert second == Usage(
        input_tokens=23_057,
        output_tokens=1_000,
        cached_input_tokens=50,
        cache_write_tokens=7,
        cache_write_1h_tokens=4,
        reasoning_tokens=9,
    )


def test_searches_which_no_run_counts_are_those_of_the_last() -> None:
    first, second = requests_of(runs(COMPACTION, MESSAGE, server_tool_use={"web_search_requests": 2}))

    assert (first.web_searches, second.web_searches) == (0, 2)


def test_runs_in_a_usage_of_litellms_form_are_requests_as_well() -> None:
    usage = {
        "prompt_tokens": 23_000,
        "completion_tokens": 1_000,
        "total_tokens": 24_000,
        "prompt_tokens_details": {"text_tokens": 23_000},
        "iterations": [COMPACTION, MESSAGE],
    }

    assert [each.input_tokens for each in requests_of(of("claude-sonnet-4-5", usage))] == [180_000, 23_000]


def test_reasoning_that_litellm_counts_and_no_run_does_is_that_of_the_last() -> None:
    usage = {
        "prompt_tokens": 203_000,
        "completion_tokens": 4_500,
        "total_tokens": 207_500,
        "completion_tokens_details": {"reasoning_tokens": 7, "text_tokens": 4_493},
        "prompt_tokens_details": {"text_tokens": 203_000, "cached_tokens": 0},
        "iterations": [COMPACTION, MESSAGE],
    }

    first, second = requests_of(of("claude-sonnet-4-5", usage))

    assert (first.reasoning_tokens, second.reasoning_tokens) == (0, 7)


@pytest.mark.parametrize(
    "iterations",
    [
        pytest.param([MESSAGE], id="one run"),
        pytest.param([MESSAGE, {**MESSAGE, "type": "fallback_message"}], id="one that is billed"),
    ],
)
def test_a_single_billed_run_is_the_usage_itself(iterations: list[dict[str, Any]]) -> None:
    assert requests_of(runs(*iterations)) == []


def test_a_run_of_an_adviser_is_no_request_of_this_model() -> None:
    answer = read_answer(runs(COMPACTION, {**COMPACTION, "type": "advisor_message"}, MESSAGE))

    assert answer.usage is not None
    assert [each.input_tokens for each in answer.usage.requests] == [180_000, 23_000]
    assert answer.unread_fields == ("iterations.1.input_tokens", "iterations.1.output_tokens")


def test_more_runs_than_can_be_sent_are_priced_as_one_request_and_reported() -> None:
    most = [COMPACTION] * (REQUESTS_MAX - 1)

    assert len(requests_of(runs(*most, MESSAGE))) == REQUESTS_MAX == USAGE_REQUESTS_MAX
    answer = read_answer(runs(*most, COMPACTION, MESSAGE))
    assert answer.usage == Usage(input_tokens=64 * 180_000 + 23_000, output_tokens=64 * 3_500 + 1_000)
    assert answer.unread_fields == ("iterations",)
    assert read_answer(runs(*most, COMPACTION, MESSAGE), cost_nano_usd=5).unread_fields == ()


def test_runs_whose_parts_are_more_than_their_wholes_are_priced_as_one_request_and_reported() -> None:
    unsaid = {**COMPACTION, "cache_creation": {"ephemeral_1h_input_tokens": 5}}

    answer = read_answer(runs(unsaid, {**MESSAGE, "cache_creation_input_tokens": 9}))

    assert answer.usage is not None
    assert (list(answer.usage.requests), answer.unread_fields) == ([], ("iterations",))


_COUNT = st.integers(0, 10_000)
_RUN = st.fixed_dictionaries(
    {"type": st.sampled_from(["compaction", "message"]), "input_tokens": _COUNT, "output_tokens": _COUNT},
    optional={"cache_read_input_tokens": _COUNT, "cache_creation_input_tokens": _COUNT},
)


@given(st.lists(_RUN, min_size=2, max_size=5), st.integers(0, 3))
def test_the_server_takes_whatever_requests_are_sent(iterations: list[dict[str, Any]], searches: int) -> None:
    answer = read_answer(runs(*iterations, server_tool_use={"web_search_requests": searches}), cost_nano_usd=1)
    checks = Checks()

    _, requests = parse_usage(checks, UpdateCostRequest(usage=answer.usage))

    assert checks.violations == []
    assert len(requests) == len(iterations)


def test_a_usage_above_its_runs_is_refused_also_where_its_cost_is_given_and_its_input_missing() -> None:
    usage = {"output_tokens": 5_000, "cost": 1, "iterations": [MESSAGE]}

    with pytest.raises(UsageError, match=r"must not exceed 1000, the sum of the iterations"):
        read_answer(message("claude-opus-4-6", usage))
