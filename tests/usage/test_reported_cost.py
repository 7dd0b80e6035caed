"""A cost in the usage is taken as the provider's, whatever form the answer has."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from budgetd.v1.budget_pb2 import COST_SOURCE_GATEWAY, COST_SOURCE_PROVIDER
from tests.usage.cases import U, of
from tests.usage.drawing import CASES, HOLDERS

#: The first answer in each form.
ONE_OF_EACH = {case.dialect: case for case in reversed(CASES)}

RESULT = of("m", {"input_tokens": 9, "output_tokens": 9})


def with_usage(answer: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The same answer with more in its usage."""
    holder = next((name for name in HOLDERS if name in answer), "usage")
    return {**answer, holder: {**answer.get(holder, {}), **more}}


@pytest.mark.parametrize(
    ("cost", "nano_usd"),
    [
        pytest.param({"cost": 0.02}, 20_000_000, id="OpenRouter, LiteLLM's proxy, Vercel, Requesty"),
        pytest.param({"cost": {"input_cost": 0.01, "total_cost": 0.02}}, 20_000_000, id="Perplexity"),
        pytest.param({"estimated_cost": 0.02}, 20_000_000, id="DeepInfra"),
        pytest.param(
            {"cost": 0.01, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}},
            30_000_000,
            id="OpenRouter with the caller's own key",
        ),
        pytest.param({"cost": 0.02, "gateway_cost": 0.02, "market_cost": 0.03}, 20_000_000, id="Vercel, in detail"),
    ],
)
@pytest.mark.parametrize("dialect", ONE_OF_EACH)
def test_a_cost_in_the_usage_is_taken_in_every_form(dialect: str, cost: dict[str, Any], nano_usd: int) -> None:
    case = ONE_OF_EACH[dialect]

    answer = read_answer(with_usage(case.answer, **cost))

    assert (answer.cost_nano_usd, answer.cost_source) == (nano_usd, COST_SOURCE_PROVIDER)
    assert (answer.usage, answer.unread_fields) == (read_answer(case.answer).usage, ())


@pytest.mark.parametrize("dialect", ONE_OF_EACH)
def test_litellms_cost_comes_before_that_of_the_usage_in_every_form(dialect: str) -> None:
    answer = with_usage(ONE_OF_EACH[dialect].answer, cost=0.02)

    read = read_answer({**answer, "_hidden_params": {"response_cost": 0.5}})

    assert (read.cost_nano_usd, read.cost_source) == (500_000_000, COST_SOURCE_GATEWAY)


@pytest.mark.parametrize("names", [("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")])
def test_a_cost_in_xais_ticks_is_taken_of_chats_and_responses(names: tuple[str, str]) -> None:
    answer = read_answer(of("grok-4", {**dict.fromkeys(names, 10), "cost_in_usd_ticks": 37_756_000}))

    assert (answer.cost_nano_usd, answer.cost_source, answer.unread_fields) == (3_775_600, COST_SOURCE_PROVIDER, ())


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(of("openai/gpt-4o", {**U, "cost": 1e-10}), id="OpenRouter's"),
        pytest.param(of("sonar", {**U, "cost": {"total_cost": 1e-10}}), id="Perplexity's"),
        pytest.param(of("grok-4", {**U, "cost_in_usd_ticks": 1}), id="xAI's"),
        pytest.param(
            of("m", {**U, "cost": 0, "is_byok": True, "cost_details": {"upstream_inference_cost": 1e-10}}),
            id="with the caller's own key",
        ),
        pytest.param({**RESULT, "total_cost_usd": 1e-10}, id="of Claude's agents"),
        pytest.param({**RESULT, "modelUsage": {"m": {"costUSD": 1e-10}}}, id="of Claude's agents by model"),
        pytest.param(
            of("m", U, _hidden_params={"additional_headers": {"x-litellm-response-cost": "1e-10"}}),
            id="of LiteLLM's proxy",
        ),
    ],
)
def test_a_cost_that_is_rounded_to_zero_is_still_the_cost(answer: dict[str, Any]) -> None:
    assert read_answer(answer).cost_nano_usd == 0


def test_the_cost_of_one_of_two_models_of_an_agent_is_not_the_cost() -> None:
    costs = {"m": {"costUSD": 0.5}, "n": {"costUSD": 0}}

    assert read_answer({**RESULT, "modelUsage": costs}).cost_nano_usd is None


def test_a_cost_needs_no_usage_in_a_known_form() -> None:
    answer = read_answer(of("openai/gpt-5", {"total_tokens": 133, "cost": 8.227e-05, "gateway_cost": 8.227e-05}))

    assert (answer.cost_nano_usd, answer.usage, answer.dialect) == (82_270, None, "unknown")
    assert answer.unread_fields == ("total_tokens",)


@pytest.mark.parametrize("cost", [{"cost": 0}, {"cost": None}, {"gateway_cost": 0.5}])
def test_a_usage_in_no_known_form_without_a_cost_is_refused(cost: dict[str, Any]) -> None:
    with pytest.raises(UsageValueError, match="a known form"):
        read_answer(of("openai/gpt-5", {"total_tokens": 133, **cost}))


def test_a_cost_of_zero_is_believed_of_free_models_alone() -> None:
    assert read_answer(of("deepseek/deepseek-r1:free", {**U, "cost": 0})).cost_nano_usd == 0
    assert read_answer(of("deepseek/deepseek-r1", {**U, "cost": 0})).cost_nano_usd is None
