"""Texts that change a price are not silent, and the cost of an agent's work is that which its result gives."""

import json
from pathlib import Path
from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from budgetd.usage.openai_chat import EXPLICIT_CACHES
from budgetd.v1.budget_pb2 import COST_SOURCE_PROVIDER
from budgetd_server import prices
from tests.usage.cases import U, as_object, of

_CACHED = {"cached_tokens": 889, "cache_type": "ephemeral"}
_AGENT = {
    "type": "result",
    "session_id": "s1",
    "usage": {
        "input_tokens": 33,
        "output_tokens": 904,
        "cache_creation_input_tokens": 53_995,
        "cache_read_input_tokens": 230_827,
    },
    "modelUsage": {"claude-opus-4-6": {"costUSD": 0.18}, "claude-haiku-4-5": {"costUSD": 0.0039242}},
}
_WITHOUT_DOLLARS = {**_AGENT, "modelUsage": {"claude-opus-4-6": {"inputTokens": 5}, "claude-haiku-4-5": {}}}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("usage", "path"),
    [
        ({**U, "prompt_tokens_details": _CACHED}, "prompt_tokens_details.cache_type"),
        ({**U, "input_tokens_details": _CACHED}, "input_tokens_details.cache_type"),
        ({**U, "pricing_tier": "gold"}, "pricing_tier"),
        ({**U, "details": {"cacheType": "long"}}, "details.cacheType"),
        ({**U, "region": "eu-west-1"}, "region"),
        ({**U, "output_details": {"resolution": "4K"}}, "output_details.resolution"),
    ],
)
def test_a_text_that_may_change_the_price_is_reported(usage: dict[str, Any], path: str, shape: Any) -> None:
    assert read_answer(shape(of("dashscope/qwen3-max", usage))).unread_fields == (path,)


@pytest.mark.parametrize(
    "usage",
    [
        pytest.param({**U, "prompt_tokens_details": {"cache_type": "ephemeral"}}, id="a cache that had nothing"),
        pytest.param({**U, "pricing_tier": "standard"}, id="a usual tier"),
        pytest.param({**U, "service_tier": "flex", "inference_geo": "us"}, id="terms that are read"),
        pytest.param({**U, "request_name": "a"}, id="another text"),
    ],
)
def test_a_text_that_changes_nothing_is_not_reported(usage: dict[str, Any]) -> None:
    assert read_answer(of("m", usage)).unread_fields == ()


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
def test_the_cost_of_an_agents_work_is_the_one_that_its_result_gives(shape: Any) -> None:
    answer = read_answer(shape({**_AGENT, "total_cost_usd": 0.1839242}), model="claude-opus-4-6")

    assert (answer.cost_nano_usd, answer.cost_source) == (183_924_200, COST_SOURCE_PROVIDER)
    assert answer.unread_fields == ()
    assert answer.usage is not None
    assert answer.usage.input_tokens == 33 + 53_995 + 230_827


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize("holder", ["modelUsage", "model_usage"])
def test_the_cost_of_an_agents_work_is_the_sum_of_its_models_where_there_is_no_total(holder: str, shape: Any) -> None:
    result = {name: value for name, value in _AGENT.items() if name != "modelUsage"}

    answer = read_answer(shape({**result, holder: _AGENT["modelUsage"]}), model="claude-opus-4-6")

    assert answer.cost_nano_usd == 183_924_200


def test_an_agents_work_by_several_models_without_any_cost_is_reported() -> None:
    answer = read_answer(_WITHOUT_DOLLARS, model="claude-opus-4-6")

    assert (answer.cost_nano_usd, answer.unread_fields) == (None, ("modelUsage",))


@pytest.mark.parametrize("more", [{"cost": 0.5, "currency": "EUR"}, {"cost": {"total_cost": 1, "currency": "CNY"}}])
def test_a_cost_in_another_currency_is_refused(more: dict[str, Any]) -> None:
    with pytest.raises(UsageValueError, match="must be USD"):
        read_answer(of("m", {**U, **more}))


def test_a_cost_in_dollars_that_names_them_is_taken() -> None:
    assert read_answer(of("m", {**U, "cost": {"total_cost": 0.5, "currency": "USD"}})).cost_nano_usd == 5 * 10**8


def test_the_models_with_a_price_for_an_explicit_cache_are_those_of_the_catalogue() -> None:
    catalogue = json.loads((Path(prices.__file__).parent / "data" / "catalogue.json").read_text("utf-8"))
    priced = {name for name, row in catalogue["models"].items() if "explicit_cache_read_input_token_cost" in row}

    assert priced == EXPLICIT_CACHES
