"""Who serves the model of an answer that does not name its provider: what only one provider's answers have shows it."""

from typing import Any

import pytest

from budgetd.usage import UsageValueError, read_answer
from tests.usage.cases import as_object, of

GOOGLE = {"promptTokenCount": 10, "candidatesTokenCount": 5, "totalTokenCount": 15}
RANKED = [{"index": 0, "relevance_score": 0.9}]


def of_google(**more: Any) -> dict[str, Any]:
    usage = {**GOOGLE, **more.pop("usage", {})}
    return {"modelVersion": "gemini-2.5-flash", "usageMetadata": usage, **more}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("answer", "provider"),
    [
        pytest.param(of_google(responseId="r"), "gemini", id="an identifier without a time"),
        pytest.param(of_google(usage={"serviceTier": "standard"}), "gemini", id="a tier of the Gemini API's"),
        pytest.param(of_google(modelStatus={"modelStage": "STABLE"}), "gemini", id="the state of the model"),
        pytest.param(of_google(responseId="r", createTime="2026-01-01T00:00:00Z"), "vertex_ai", id="a time"),
        pytest.param(of_google(responseId="r", usage={"trafficType": "ON_DEMAND"}), "vertex_ai", id="a traffic type"),
        pytest.param(of_google(), "", id="nothing that shows it"),
        pytest.param({"key": "1", "response": of_google(responseId="r")}, "", id="an identifier in a batch, of either"),
        pytest.param(of_google(responseId="r", modelVersion="models/gemini-2.5-flash"), "", id="in the name already"),
        pytest.param(of("rerank-2.5", {"total_tokens": 26}, data=RANKED), "voyage", id="a ranking of Voyage's"),
        pytest.param(of("jina-reranker-m0", {"total_tokens": 26}, results=RANKED), "", id="a ranking of another's"),
    ],
)
def test_what_only_one_provider_gives_shows_who_serves_the_model(
    answer: dict[str, Any], provider: str, shape: Any
) -> None:
    assert read_answer(shape(answer)).provider == provider


@pytest.mark.parametrize(
    ("given", "charged"),
    [
        ("gemini/gemini-2.5-flash", "gemini/gemini-2.5-flash"),
        ("gemini/gemini-2.5-pro", "gemini/gemini-2.5-flash"),
        ("gemini-2.5-pro", "gemini-2.5-flash"),
        ("/", "gemini-2.5-flash"),
    ],
)
def test_a_name_that_is_given_adds_a_provider_and_never_another_model(given: str, charged: str) -> None:
    assert read_answer(of_google(), model=given).model == charged


TEN = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
RESPONSE = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
FREE_OF_CHARGE = {"cost": 0, "cost_details": {"upstream_inference_cost": None}}


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("answer", "provider"),
    [
        pytest.param(of("openai/gpt-4o", {**TEN, "is_byok": False}), "openrouter", id="without a cost"),
        pytest.param(of("openai/gpt-4o", {**TEN, **FREE_OF_CHARGE}), "openrouter", id="a cost of zero"),
        pytest.param(of("openai/gpt-4o", {**RESPONSE, **FREE_OF_CHARGE}), "openrouter", id="in a response"),
        pytest.param(of("openai/gpt-4o", {**TEN, "is_byok": True}), "openrouter", id="with the caller's own key"),
        pytest.param(of("openai/gpt-4o", TEN, id="gen-1", provider="OpenAI"), "openrouter", id="by its identifier"),
        pytest.param(of("openai/gpt-4o", TEN, id="gen-1"), "", id="an identifier without a provider"),
        pytest.param(of("openai/gpt-4o", TEN, id="c1", provider="OpenAI"), "", id="a provider without that identifier"),
        pytest.param(of("openai/gpt-4o", TEN), "", id="nothing that shows it"),
    ],
)
def test_openrouters_answers_have_openrouters_price_and_not_that_of_the_models_maker(
    answer: dict[str, Any], provider: str, shape: Any
) -> None:
    read = read_answer(shape(answer))

    assert (read.provider, read.cost_nano_usd) == (provider, None)


@pytest.mark.parametrize(
    ("own", "nano_usd"),
    [
        pytest.param({"is_byok": True}, 36_079_500, id="said to be the caller's own key"),
        pytest.param({}, 36_079_500, id="shown by a cost of zero"),
        pytest.param({"is_byok": False}, None, id="said not to be"),
    ],
)
def test_a_cost_of_zero_next_to_the_bill_of_a_provider_is_that_bill(own: dict[str, Any], nano_usd: int | None) -> None:
    usage = {**TEN, "cost": 0, "cost_details": {"upstream_inference_cost": 0.0360795}, **own}

    assert read_answer(of("openai/gpt-4o", usage)).cost_nano_usd == nano_usd


def test_searches_and_maps_of_an_interaction_are_those_of_its_usage() -> None:
    counts = [{"type": "google_search", "count": 2}, {"type": "google_maps", "count": 1}]
    usage = {
        "total_input_tokens": 100,
        "total_output_tokens": 90,
        "total_tool_use_tokens": 40,
        "total_tokens": 230,
        "grounding_tool_count": counts,
    }

    answer = read_answer(of("gemini-3.5-flash", usage, outputs=[{"type": "google_search_call"}]))

    assert answer.usage is not None
    assert (answer.usage.web_searches, answer.usage.input_tokens) == (2, 100)
    assert answer.unread_fields == ("grounding_tool_count.google_maps.count",)


def test_a_message_that_a_stream_still_makes_is_refused_without_its_type_too() -> None:
    message = of("claude-sonnet-4-5", {"input_tokens": 10, "output_tokens": 1}, role="assistant", stop_reason=None)

    with pytest.raises(UsageValueError, match="a whole answer and the last piece of a stream have it") as refused:
        read_answer(message)

    assert refused.value.field == "stop_reason"
    assert read_answer({**message, "stop_reason": "end_turn"}).usage is not None


@pytest.mark.parametrize(
    ("costs", "nano_usd"),
    [
        ({"cost": 0.5, "estimated_cost": 0.25}, 500_000_000),
        ({"cost": {"total_cost": 0.5}, "estimated_cost": 0.25}, 500_000_000),
        ({"cost": 0, "estimated_cost": 0.25}, 250_000_000),
    ],
)
def test_an_estimate_does_not_replace_a_cost(costs: dict[str, Any], nano_usd: int) -> None:
    answer = of("m", {"prompt_tokens": 10, "completion_tokens": 1, **costs})

    assert read_answer(answer).cost_nano_usd == nano_usd
