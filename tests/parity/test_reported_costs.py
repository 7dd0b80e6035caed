"""The cost and provider that LiteLLM's own objects report, from its own code to the ledger."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from budgetd import BudgetManager, UnknownModel, UnpricedUsage
from tests.parity.theirs import litellm

#: LiteLLM's own classes warn when they are built, and of a cost that is an object.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer", "ignore:Items? '.*on TypedDict class")
MESSAGES = [{"role": "user", "content": "Hello there, friend"}]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[BudgetManager]:
    """An embedded manager with one user."""
    with BudgetManager("told", database=tmp_path / "budgetd.db") as made:
        made.create_budget(10, "alice")
        yield made


@pytest.fixture
def _prices_of_its_own() -> Iterator[None]:
    """Prices that a test gives LiteLLM are kept by it for the process; here for the test."""
    before, prices = litellm.model_cost, litellm.completion_cost(model="gpt-4o", prompt="hello", completion="hello")
    litellm.model_cost = copy.deepcopy(before)  # LiteLLM writes into the rows that it has.
    yield
    litellm.model_cost = before
    litellm.utils._invalidate_model_cost_lowercase_map()  # noqa: SLF001 - it also forgets the rows that it remembers.
    assert litellm.completion_cost(model="gpt-4o", prompt="hello", completion="hello") == prices > 0


def completion(model: str, **more: Any) -> Any:
    """An answer that LiteLLM makes without asking anybody, and prices as any other."""
    return litellm.completion(model=model, messages=MESSAGES, mock_response="hello", **more)


def hidden(answer: Any) -> dict[str, Any]:
    """What LiteLLM keeps in addition to an answer."""
    given: dict[str, Any] = answer._hidden_params  # noqa: SLF001 - nothing else has it.
    return given


def charged(manager: BudgetManager, answer: Any) -> float:
    """The cost of one charge."""
    before = manager.get_current_cost("alice")
    manager.update_cost("alice", answer)
    return manager.get_current_cost("alice") - before


@pytest.mark.usefixtures("_prices_of_its_own")
@pytest.mark.parametrize("model", ["openai/my-own", "gpt-4o"])
@pytest.mark.parametrize("zero", [0, 0.0])
def test_a_price_of_zero_that_litellm_was_given_costs_nothing(manager: BudgetManager, model: str, zero: float) -> None:
    answer = completion(model, input_cost_per_token=zero, output_cost_per_token=zero)

    assert hidden(answer)["response_cost"] == 0
    assert charged(manager, answer) == 0


@pytest.mark.usefixtures("_prices_of_its_own")
def test_a_price_of_zero_that_was_registered_costs_nothing(manager: BudgetManager) -> None:
    row = {"input_cost_per_token": 0, "output_cost_per_token": 0, "litellm_provider": "openai", "mode": "chat"}
    litellm.register_model({"my-registered": row})

    assert charged(manager, completion("openai/my-registered")) == 0


@pytest.mark.usefixtures("_prices_of_its_own")
def test_a_price_of_zero_of_a_routers_deployment_costs_nothing(manager: BudgetManager) -> None:
    parameters = {"model": "openai/deployed", "api_key": "none", "mock_response": "hello"}
    free = {"input_cost_per_token": 0, "output_cost_per_token": 0}
    router = litellm.Router(model_list=[{"model_name": "own", "litellm_params": {**parameters, **free}}])

    assert charged(manager, router.completion(model="own", messages=MESSAGES)) == 0


@pytest.mark.usefixtures("_prices_of_its_own")
def test_a_custom_price_is_the_price(manager: BudgetManager) -> None:
    answer = completion("openai/my-dear", input_cost_per_token=1e-3, output_cost_per_token=1e-3)

    assert charged(manager, answer) == pytest.approx(answer.usage.total_tokens * 1e-3, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "refusal"),
    [
        ("ollama/llama3", UnpricedUsage),  # Its row has zeros, which are no prices.
        ("groq/llama-3.3-70b-versatile", UnknownModel),
        ("openai/never-heard-of", UnknownModel),
    ],
)
def test_a_default_zero_or_none_of_litellm_is_refused(
    manager: BudgetManager, model: str, refusal: type[Exception]
) -> None:
    answer = completion(model)

    assert not hidden(answer)["response_cost"]
    with pytest.raises(refusal):
        manager.update_cost("alice", answer)
    assert manager.get_current_cost("alice") == 0


def test_an_answer_from_litellms_cache_costs_nothing(manager: BudgetManager) -> None:
    answer = completion("gpt-4o")
    assert charged(manager, answer) == pytest.approx(hidden(answer)["response_cost"], abs=1e-9)

    hidden(answer)["cache_hit"] = True

    assert charged(manager, answer) == 0


@pytest.mark.parametrize(
    ("model", "provider", "dollars"),
    [
        ("mistral-large-latest", "mistral", 0.002),
        ("openai/gpt-oss-120b", "groq", 0.00075),
        ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock", 0.0198),
        ("ft:gpt-4o-mini-2024-07-18:acme::AbCd123", "openai", 0.0015),
    ],
)
def test_an_answer_without_a_cost_is_priced_as_its_providers(
    manager: BudgetManager, model: str, provider: str, dollars: float
) -> None:
    usage = litellm.Usage(prompt_tokens=1_000, completion_tokens=1_000, total_tokens=2_000)
    answer = litellm.ModelResponse(model=model, usage=usage)
    hidden(answer)["custom_llm_provider"] = provider

    assert charged(manager, answer) == pytest.approx(dollars, abs=1e-9)


@pytest.mark.parametrize(
    ("model", "given", "hidden_parts", "dollars"),
    [
        pytest.param("perplexity/sonar-pro", {"cost": {"total_cost": 0.024}}, {}, 0.024, id="D1 Perplexity"),
        pytest.param("openai/gpt-5", {"cost": 0.002}, {}, 0.002, id="D2 OpenRouter"),
        pytest.param(
            "not-known",
            {},
            {"additional_headers": {"llm_provider-x-litellm-response-cost": "0.00123"}},
            0.00123,
            id="D2 LiteLLM's header",
        ),
    ],
)
def test_a_cost_that_litellms_object_reports_is_charged(
    manager: BudgetManager, model: str, given: dict[str, Any], hidden_parts: dict[str, Any], dollars: float
) -> None:
    usage = litellm.Usage(prompt_tokens=1_000, completion_tokens=1_000, total_tokens=2_000, **given)
    answer = litellm.ModelResponse(model=model, usage=usage)
    hidden(answer).update(hidden_parts)

    assert charged(manager, answer) == pytest.approx(dollars, abs=1e-9)
