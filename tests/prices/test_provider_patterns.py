"""A limit on a provider, such as "openai/*", counts every call whose provider is known, however its name is written."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.model_names import family
from budgetd_server.prices import load_prices

SHIPPED = load_prices()
PROVIDERS = {name: SHIPPED.find(name, 0).provider for name in SHIPPED.models()}


def counts(pattern: str, model: str, provider: str = "") -> bool:
    limit = Limit(limit_id="x", amount=1, models=(pattern,))
    return limit.matches(model, SHIPPED.other_names(model, provider))


@pytest.mark.parametrize(
    ("pattern", "model", "provider"),
    [
        pytest.param("openai/*", "gpt-4o", "openai", id="OpenAI's rows have no prefix"),
        pytest.param("openai/gpt-4o", "gpt-4o", "openai", id="the name in full"),
        pytest.param("openai/*", "gpt-4o", "", id="the row says whose it is"),
        pytest.param("openai/*", "gpt-4o", "litellm_proxy", id="a gateway is no provider"),
        pytest.param("openai/*", "gpt-4o", "text-completion-openai", id="a branch"),
        pytest.param("openai/*", "ft:gpt-4o-mini-2024-07-18:acme::Ab1", "", id="fine-tuned"),
        pytest.param("anthropic/*", "claude-sonnet-4-5", "anthropic", id="Anthropic"),
        pytest.param("cohere/*", "command-r", "cohere_chat", id="Cohere's branch for chats"),
        pytest.param("vertex_ai/*", "gemini-2.5-flash", "vertex_ai", id="Vertex AI"),
        pytest.param("vertex_ai/*", "gemini-2.5-flash", "vertex_ai_beta", id="Vertex AI's branch"),
        pytest.param("vertex_ai/*", "publishers/google/models/gemini-9", "", id="Vertex AI by form, without a row"),
        pytest.param("bedrock/*", "us.anthropic.claude-opus-4-5-20251101-v1:0", "bedrock", id="Bedrock"),
        pytest.param("bedrock/*", "amazon.nova-pro-v1:0", "bedrock_converse", id="Bedrock's branch"),
        pytest.param("bedrock/*", "anthropic.claude-9-v1:0", "", id="Bedrock by form, without a row"),
        pytest.param("bedrock/*", "claude-9", "bedrock_converse", id="a branch without a row"),
        pytest.param("bedrock_converse/*", "claude-9", "bedrock_converse", id="the provider as it was given"),
        pytest.param("groq/*", "llama-3.3-70b-versatile", "groq", id="rows that have the prefix"),
        pytest.param("azure/*", "my-deployment", "azure", id="an unknown name"),
    ],
)
def test_a_limit_on_a_provider_counts_a_call_that_it_serves(pattern: str, model: str, provider: str) -> None:
    assert counts(pattern, model, provider)


@pytest.mark.parametrize(
    ("pattern", "model", "provider"),
    [
        pytest.param("openai/*", "gpt-4o", "azure", id="the provider that was given goes before the bare row"),
        pytest.param("azure/*", "gpt-4o", "openai", id="the same the other way"),
        pytest.param("gemini/*", "gemini-2.5-flash", "vertex_ai", id="Google's two"),
        pytest.param("anthropic/*", "us.anthropic.claude-opus-4-5-20251101-v1:0", "bedrock", id="made, but not served"),
        pytest.param("openai/*", "my-deployment", "", id="nothing says who serves it"),
    ],
)
def test_a_limit_on_a_provider_counts_no_other_providers_call(pattern: str, model: str, provider: str) -> None:
    assert not counts(pattern, model, provider)


@given(model=st.sampled_from(SHIPPED.models()), is_given=st.booleans())
def test_every_row_counts_for_its_provider_and_is_among_the_matches(model: str, is_given: bool) -> None:
    provider = family(PROVIDERS[model])
    if not provider:
        return

    assert counts(f"{provider}/*", model, PROVIDERS[model] if is_given else "")
    assert counts(f"{provider}/{model}", model) or model.startswith(f"{provider}/")


def test_an_alias_counts_for_the_provider_of_its_row_unless_another_is_given(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('version = 1\n[aliases]\n"prod-chat" = "gpt-4o"\n', encoding="utf-8")
    prices = load_prices([own])

    assert prices.other_names("prod-chat") == ("gpt-4o", "openai/gpt-4o")
    assert prices.other_names("prod-chat", "azure") == ("gpt-4o", "azure/prod-chat")
