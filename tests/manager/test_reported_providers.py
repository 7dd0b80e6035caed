"""Kind E, end to end: if an answer shows its provider, the model is priced as that provider's and no other's."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from budgetd import BudgetManager, UnknownModel
from tests.usage.cases import U, as_object

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us."


def answer_of(model: str, provider: str, cost: float | None = None) -> Any:
    """As LiteLLM's: the bare model, who served it, and no cost where it knows none."""
    hidden = {"custom_llm_provider": provider or None, "response_cost": cost}
    return SimpleNamespace(id="chatcmpl-1", model=model, choices=[], usage=as_object(U), _hidden_params=hidden)


@pytest.mark.parametrize(
    ("model", "provider", "dollars"),
    [
        pytest.param("mistral-large-latest", "mistral", 1_000 * 0.5e-6 + 1_000 * 1.5e-6, id="E2 mistral"),
        pytest.param("llama3.1-8b", "cerebras", 1_000 * 0.1e-6 + 1_000 * 0.1e-6, id="E2 cerebras"),
        pytest.param("openai/gpt-oss-120b", "groq", 1_000 * 0.15e-6 + 1_000 * 0.6e-6, id="E2 groq"),
        pytest.param("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_ai", 2_000 * 1.04e-6, id="E2 together_ai"),
        pytest.param("moonshot-v1-8k", "moonshot", 1_000 * 0.2e-6 + 1_000 * 2e-6, id="E2 moonshot"),
        pytest.param("ft:gpt-4o-mini-2024-07-18:acme::AbCd123", "openai", 0.0015, id="E3 fine-tuned"),
        pytest.param("ft:gpt-4o-mini-2024-07-18:acme::AbCd123", "", 0.0015, id="E3 fine-tuned, none given"),
        pytest.param(f"bedrock/us-east-1/{SONNET}", "bedrock", 0.018, id="E4 region"),
        pytest.param(f"bedrock/converse/us.{SONNET}", "bedrock", 0.0198, id="E4 route converse"),
        pytest.param(f"invoke/us.{SONNET}", "bedrock", 0.0198, id="E4 route invoke"),
        pytest.param(f"bedrock/us.{HAIKU}", "litellm_proxy", 0.0066, id="E4 behind a gateway"),
        pytest.param(f"{PROFILE}{SONNET}", "bedrock", 0.0198, id="E4 inference profile"),
    ],
)
def test_an_answer_is_priced_as_its_providers(
    manager: BudgetManager, model: str, provider: str, dollars: float
) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", answer_of(model, provider))

    assert manager.get_current_cost("alice") == pytest.approx(dollars, abs=1e-9)
    assert list(manager.get_model_cost("alice")) == [model]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        pytest.param("llama-3.3-70b-versatile", "groq", id="E1 another provider's row alone has the name"),
        pytest.param("llama-3.3-70b-versatile", "", id="E1 none given"),
        pytest.param("gpt-4o", "groq", id="E1 a bare row of another provider"),
        pytest.param("claude-sonnet-4-5", "bedrock", id="E1 the same model elsewhere"),
    ],
)
def test_an_answer_is_never_priced_as_another_providers(manager: BudgetManager, model: str, provider: str) -> None:
    manager.create_budget(10, "alice")

    of = f" of provider '{provider}'" if provider else ""
    with pytest.raises(UnknownModel, match=rf"^model '{model}'{of} has no price"):
        manager.update_cost("alice", answer_of(model, provider))

    assert manager.get_current_cost("alice") == 0
    assert manager.get_model_cost("alice") == 0


LONG = {
    "promptTokenCount": 250_000,
    "candidatesTokenCount": 10,
    "totalTokenCount": 250_010,
    "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": 200_000}, {"modality": "TEXT", "tokenCount": 50_000}],
}


@pytest.mark.parametrize(
    ("answer", "dollars"),
    [
        pytest.param(
            {"modelVersion": "gemini-2.5-flash", "responseId": "r", "usageMetadata": LONG}, 0.215025, id="Gemini API"
        ),
        pytest.param(
            {"modelVersion": "gemini-2.5-flash", "createTime": "2026-01-01T00:00:00Z", "usageMetadata": LONG},
            0.075025,
            id="Vertex AI",
        ),
        pytest.param(
            {"model": "rerank-2.5", "data": [{"relevance_score": 0.9}], "usage": {"total_tokens": 26}},
            0.0000013,
            id="Voyage",
        ),
    ],
)
def test_an_answer_that_only_one_provider_gives_is_priced_as_its(
    manager: BudgetManager, answer: dict[str, Any], dollars: float
) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", answer)

    assert manager.get_current_cost("alice") == pytest.approx(dollars, abs=1e-9)


def test_a_cost_that_is_given_needs_no_row(manager: BudgetManager) -> None:
    manager.create_budget(10, "alice")

    manager.update_cost("alice", answer_of("llama-3.3-70b-versatile", "groq", 0.25))

    assert manager.get_model_cost("alice") == {"llama-3.3-70b-versatile": 0.25}


def test_a_row_of_zeros_is_named_with_what_it_needs(tmp_path: Path) -> None:
    prices = tmp_path / "prices.json"
    prices.write_text('{"ollama/mine": {"litellm_provider": "ollama", "mode": "chat", "input_cost_per_token": 0}}')

    with BudgetManager("p", database=tmp_path / "b.db", prices=prices) as manager:
        manager.create_budget(10, "alice")
        with pytest.raises(UnknownModel, match=r"row 'ollama/mine' of the price file.*cost_usd=.*\"free\": true"):
            manager.update_cost("alice", answer_of("mine", "ollama"))
