"""What real answers cost, from their reading to the ledger: dollars derived by hand from the shipped prices.

The kinds are those of tests/usage: A parts, B totals, C dialects, D costs that the answer reports.
"""

from typing import Any

import pytest

from budgetd import BudgetManager, UnknownModel
from budgetd.usage import read_answer
from tests.usage.cases import U, of
from tests.usage.drawing import CASES

_CASES = {case.name: case.answer for case in CASES}


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("A1 runs that compact the context are billed with the message", 203_000 * 5e-6 + 4_500 * 25e-6),
        ("A2 audio that was made", 17 * 2.5e-6 + 110 * 10e-6 + 482 * 64e-6),
        ("A3 audio that was sent and made", 0.080525),
        ("A4 details in the singular", 0.00868),
        ("A4 cached images of a realtime session", 300 * 4e-6 + 700 * 0.5e-6 + 10 * 16e-6),
        ("A4 cached images of which an image was made", 300 * 5e-6 + 700 * 2e-6 + 1_000 * 30e-6),
        ("A4 cached images, by Google", 200 * 0.3e-6 + 100 * 0.3e-6 + 700 * 0.03e-6 + 10 * 2.5e-6),
        ("A4 an explicit cache", 0.00082475),
        ("A2 audio without details", 100 * 2.5e-6 + 1_000 * 64e-6),
        ("A5 an image without details, by Google", 100 * 0.3e-6 + 1_290 * 30e-6),
        ("A5 an image without details, in snake case", 100 * 2e-6 + 300 * 12e-6 + 1_120 * 120e-6),
        ("A5 images that a chat made", 10 * 0.3e-6 + 10 * 2.5e-6 + 1_290 * 30e-6),
        ("A6 images alone, without details of the output", 150 * 5e-6 + 8_000 * 40e-6),
        ("A7 images that were sent", 150 * 5e-6 + 1_000 * 10e-6),
        pytest.param(
            "A8 deep research: sources and reasoning are apart",
            (108 + 7_299) * 2e-6 + 73_248 * 3e-6,
            marks=pytest.mark.filterwarnings("ignore::budgetd.usage.UnreadUsageWarning"),
        ),
        ("A9 the tier of the answer", 0.005625),
        ("A9 the tier of the usage", 0.0225),
        ("A9 the usual tier", 0.01125),
        ("A9 Anthropic's speed next to its usual tier", 2 * (1_000 * 5e-6 + 1_000 * 25e-6)),
        ("A9 the usual tier of the answer next to another of its usage", 0.0225),
        ("A9 Google's tier in camel case", 1_000 * 0.15e-6 + 1_000 * 1.25e-6),
        ("A9 Google's tier in snake case", 1_000 * 0.54e-6 + 1_000 * 4.5e-6),
        ("A audio that a tool brought, without a total", 0.001055),
        ("B tool results outside the prompt, by LiteLLM", 0.0032908),
        ("B tool results outside the prompt, by Google", 0.0032908),
        ("B a cache that the input has and the total adds again", 2 * 4.4e-6 + 4_993 * 5.5e-6 + 19 * 22e-6),
        (
            "B a cache that was read and written, in the input and added again",
            2 * 4.4e-6 + 8_367 * 0.44e-6 + 4_032 * 5.5e-6 + 100 * 22e-6,
        ),
        ("A10 what is kept for an hour, by Anthropic", 1_000 * 3e-6 + 1_000 * 6e-6 + 10 * 15e-6),
        ("A10 what is kept for an hour, by LiteLLM", 1_000 * 3e-6 + 1_000 * 6e-6 + 10 * 15e-6),
        ("A11 searches", 0.018 + 2 * 0.01),
        ("A12 where it ran", 0.033),
        ("A12 anywhere", 0.03),
        ("A13 a batch that is called a tier", 0.009),
        ("C2 Google's embeddings, by the tokens of each vector", 14 * 0.1e-6),
        (
            "C2 Google's embeddings of text, a document, audio and images",
            30 * 0.2e-6 + 30 * 6.5e-6 + 45 * 0.45e-6,
        ),
        ("C2 Google's embeddings with characters alone", 30 * 0.025e-6),
        ("B1 reasoning outside the completion", 9_992 * 1.25e-6 + 128 * 0.2e-6 + 5_809 * 2.5e-6),
        ("B2 thoughts that only the total shows", 20 * 0.3e-6 + 603 * 2.5e-6),
        ("B3 zeros next to real counts", 23 * 2.5e-6 + 1_056 * 10e-6),
        ("B4 a total alone", 3_576 * 0.12e-6),
        ("B5 a cache outside the prompt, by Google", 5 * 0.3e-6 + 13_710 * 0.03e-6 + 20 * 2.5e-6),
        ("B6 a cache outside the prompt, by Anthropic", 31 * 3e-6 + 1_253 * 3.75e-6 + 467 * 15e-6),
        ("B7 the last piece of a stream", 0.0125),
        ("C1 DeepSeek's cache", 0.0000574),
    ],
)
def test_an_answer_costs_what_its_parts_cost(manager: BudgetManager, name: str, dollars: float) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", _CASES[name])

    assert manager.get_current_cost("alice") == pytest.approx(dollars, abs=1e-9)
    assert list(manager.get_model_cost("alice")) == [read_answer(_CASES[name]).model]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "model", "dollars"),
    [
        ("A13 a line of a batch of OpenAI's, Azure's, Mistral's or Groq's", "gpt-4o", 0.0125 / 2),
        ("A13 a line of a batch of Anthropic's", "claude-sonnet-4-5", (10 * 3e-6 + 5 * 15e-6) / 2),
        ("A13 a line of a batch of the Gemini API's", "gemini-2.5-flash", (10 * 0.3e-6 + 5 * 2.5e-6) / 2),
    ],
)
def test_a_line_of_a_batch_costs_half(manager: BudgetManager, name: str, model: str, dollars: float) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", _CASES[name])

    assert manager.get_model_cost("alice") == pytest.approx({model: dollars}, abs=1e-9)


@pytest.mark.parametrize(
    ("answer", "dollars"),
    [
        pytest.param(of("perplexity/sonar-pro", {**U, "cost": {"total_cost": 0.024}}), 0.024, id="D1 Perplexity"),
        pytest.param(of("openai/gpt-5", {**U, "cost": 0.002}), 0.002, id="D2 OpenRouter"),
        pytest.param(
            of(
                "openai/gpt-5", {**U, "cost": 0.001, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.02}}
            ),
            0.021,
            id="D2 OpenRouter with a key of one's own",
        ),
        pytest.param(of("my/own:free", {**U, "cost": 0}), 0, id="D2 OpenRouter's free models"),
        pytest.param(of("xai/grok-4", {**U, "cost_in_usd_ticks": 37_756_000}), 0.0037756, id="D2 xAI's ticks"),
        pytest.param(of("own/model", {**U, "estimated_cost": 0.5}), 0.5, id="D2 an estimate of DeepInfra"),
        pytest.param(
            of(
                "not-known",
                U,
                _hidden_params={
                    "response_cost": 0.0,
                    "additional_headers": {"llm_provider-x-litellm-response-cost": "0.00123"},
                },
            ),
            0.00123,
            id="D2 LiteLLM's header",
        ),
        pytest.param(
            of("gpt-4o", {**U, "cost": 9}, _hidden_params={"response_cost": 0.5}),
            0.5,
            id="D LiteLLM before the provider",
        ),
        pytest.param(
            of("gpt-4o", U, _hidden_params={"cache_hit": True, "response_cost": 0.000225}), 0, id="D3 LiteLLM's cache"
        ),
        pytest.param(
            {
                "results": [{"relevance_score": 0.5}],
                "meta": {"billed_units": {"search_units": 1}},
                "_hidden_params": {"response_cost": 0.002, "litellm_model_name": "cohere/rerank-v3.5"},
            },
            0.002,
            id="D4 an answer without a model",
        ),
    ],
)
def test_a_cost_that_the_answer_reports_is_charged(manager: BudgetManager, answer: Any, dollars: float) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", answer)

    assert manager.get_current_cost("alice") == dollars


def test_d_a_zero_of_litellm_that_nothing_supports_is_no_price(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")
    known = of("gpt-4o", U, _hidden_params={"response_cost": 0.0})
    unknown = of("claude-sonnet-9", U, _hidden_params={"response_cost": 0.0, "custom_llm_provider": "anthropic"})

    manager.update_cost("alice", known)
    with pytest.raises(UnknownModel, match="claude-sonnet-9"):
        manager.update_cost("alice", unknown)

    assert manager.get_current_cost("alice") == 0.0125


def test_d_an_unexplained_total_is_only_reported_if_the_cost_is_known(
    manager: BudgetManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("budgetd.usage.unread._warned", set())
    manager.create_budget(10, "alice")
    usage = {**U, "total_tokens": 2_500}

    with pytest.raises(ValueError, match="not explained"):
        manager.update_cost("alice", of("gpt-4o", usage))
    with pytest.warns(UserWarning, match="total_tokens"):
        manager.update_cost("alice", of("gpt-4o", usage), cost_usd=0.5)

    assert manager.get_current_cost("alice") == 0.5


def _grounded(*queries: str) -> dict[str, Any]:
    usage = {"promptTokenCount": 1_000, "candidatesTokenCount": 1_000, "totalTokenCount": 2_000}
    candidate = {"finishReason": "STOP", "groundingMetadata": {"webSearchQueries": list(queries)}}
    return {"modelVersion": "gemini-2.5-flash", "candidates": [candidate], "usageMetadata": usage}


def _response(*actions: str) -> dict[str, Any]:
    calls = [{"type": "web_search_call", "action": {"type": action}} for action in actions]
    usage = {"input_tokens": 1_000, "output_tokens": 1_000, "total_tokens": 2_000}
    return {"object": "response", "model": "o3", "status": "completed", "output": calls, "usage": usage}


@pytest.mark.parametrize(
    ("answer", "dollars"),
    [
        pytest.param(_response(), 0.010, id="no search"),
        pytest.param(_response("search"), 0.010 + 0.01, id="one search of OpenAI"),
        pytest.param(
            _response("search", "open_page", "search"), 0.010 + 2 * 0.01, id="two, and a page that was opened"
        ),
        pytest.param(_grounded(), 0.0028, id="an answer of Gemini that rests on nothing"),
        pytest.param(_grounded("a", "b"), 0.0028 + 0.035, id="one that rests on searches, billed once for a prompt"),
    ],
)
def test_searches_that_only_the_answer_s_output_shows_are_charged(
    manager: BudgetManager, answer: dict[str, Any], dollars: float
) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", answer)

    assert manager.get_current_cost("alice") == pytest.approx(dollars, abs=1e-9)
