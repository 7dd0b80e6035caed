"""What is read from completions: cost or usage, whatever library they come from, and damaged ones are refused."""

import math
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from budgetd.usage import read_answer
from budgetd.v1 import budget_pb2

CHAT = {"prompt_tokens": 100, "completion_tokens": 50}


def usage(input_tokens: int, output_tokens: int, cached: int = 0, written: int = 0, reasoning: int = 0) -> Any:
    return budget_pb2.Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


def as_object(value: Any) -> Any:
    """Dictionaries as objects, all the way down."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: as_object(each) for key, each in value.items()})
    return value


@pytest.mark.parametrize("shape", [lambda value: value, as_object], ids=["dictionary", "object"])
@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(CHAT, usage(100, 50), id="a chat completion"),
        pytest.param(
            {"prompt_tokens": 100, "completion_tokens": None, "total_tokens": 100}, usage(100, 0), id="an embedding"
        ),
        pytest.param(
            {
                **CHAT,
                "prompt_tokens_details": {"cached_tokens": 30, "cache_creation_tokens": 20},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            usage(100, 50, 30, 20, 40),
            id="a chat completion with details",
        ),
        pytest.param(
            {**CHAT, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20, "prompt_tokens_details": None},
            usage(100, 50, 30, 20),
            id="LiteLLM's form of Anthropic's caches, inside the prompt",
        ),
        pytest.param(
            {"input_tokens": 50, "output_tokens": 5, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 20},
            usage(100, 5, 30, 20),
            id="Anthropic's own form, caches outside the input",
        ),
        pytest.param(
            {
                "input_tokens": 100,
                "output_tokens": 50,
                "input_tokens_details": {"cached_tokens": 30},
                "output_tokens_details": {"reasoning_tokens": 40},
            },
            usage(100, 50, 30, 0, 40),
            id="OpenAI's responses",
        ),
        pytest.param({"prompt_tokens": 100.0, "completion_tokens": 50}, usage(100, 50), id="a whole float"),
    ],
)
def test_a_usage_is_read_from_every_form(shape: Any, given: Any, expected: Any) -> None:
    answer = read_answer(shape({"model": "m", "id": "c1", "usage": given}))

    assert (answer.model, answer.cost_nano_usd, answer.usage, answer.completion_id) == ("m", None, expected, "c1")
    assert not answer.unread_fields


@pytest.mark.parametrize(("cost", "nano_usd"), [(0.1, 100_000_000), (1e-9, 1), (2.5e-9, 2), (3.5e-9, 4)])
def test_litellms_cost_is_taken_to_the_nano_dollar(cost: float, nano_usd: int) -> None:
    given = {"model": "m", "_hidden_params": {"response_cost": cost}}

    assert read_answer(given).cost_nano_usd == read_answer(as_object(given)).cost_nano_usd == nano_usd


@pytest.mark.parametrize("cost", [None, 0, 0.0])
def test_a_cost_of_zero_may_mean_that_the_price_was_unknown(cost: float | None) -> None:
    given = {"model": "m", "usage": CHAT, "_hidden_params": {"response_cost": cost}}

    assert read_answer(given).cost_nano_usd is None


@pytest.mark.parametrize(
    ("completion", "error", "named"),
    [
        ({}, ValueError, "model"),
        ({"model": ""}, ValueError, "model"),
        ({"model": 5, "usage": CHAT}, ValueError, "model"),
        ({"model": "m"}, ValueError, "usage of completion_obj must be there"),
        ({"model": "m", "usage": None}, ValueError, "usage of completion_obj must be there"),
        ({"model": "m", "usage": {}}, ValueError, "input_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": -1}}, ValueError, "prompt_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": 10**13}}, ValueError, "prompt_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": 1.5}}, TypeError, "prompt_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": math.nan}}, TypeError, "prompt_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": "many"}}, TypeError, "prompt_tokens"),
        ({"model": "m", "usage": {"prompt_tokens": True}}, TypeError, "prompt_tokens"),
        ({"model": "m", "usage": CHAT, "_hidden_params": {"response_cost": -1}}, ValueError, "response_cost"),
        ({"model": "m", "usage": CHAT, "_hidden_params": {"response_cost": math.nan}}, ValueError, "response_cost"),
        ({"model": "m", "usage": CHAT, "_hidden_params": {"response_cost": "1"}}, TypeError, "response_cost"),
        ("hello", TypeError, "^completion_obj must be an object or a dictionary, got a text$"),
    ],
)
def test_a_damaged_completion_is_refused_by_name(completion: Any, error: type[Exception], named: str) -> None:
    with pytest.raises(error, match=named):
        read_answer(completion)


def test_neither_litellm_nor_a_tokenizer_is_imported() -> None:
    program = (
        "import sys; from budgetd import BudgetManager; from budgetd.usage import read_answer;"
        "read_answer({'model': 'm', 'usage': {'prompt_tokens': 1, 'completion_tokens': 1}});"
        "print(sorted({'litellm', 'tiktoken', 'openai', 'budgetd_server'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
