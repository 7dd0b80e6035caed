"""What `model=` means next to an answer that names its model itself."""

import pytest

from budgetd.usage import read_answer

USAGE = {"prompt_tokens": 1_000, "completion_tokens": 1_000, "total_tokens": 2_000}


@pytest.mark.parametrize(
    ("answered", "given", "charged"),
    [
        ("gpt-4o", "azure/gpt-4o", "azure/gpt-4o"),
        ("gpt-4o-2024-08-06", "azure/gpt-4o", "azure/gpt-4o"),
        ("gpt-4o-2024-08-06", "azure/eu/gpt-4o", "azure/eu/gpt-4o"),
        ("gpt-4o", "azure/gpt-4o-2024-08-06", "azure/gpt-4o-2024-08-06"),
        ("openai/gpt-oss-120b", "groq/openai/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
        ("deepseek/deepseek-r1", "novita/deepseek/deepseek-r1", "novita/deepseek/deepseek-r1"),
        ("openai/gpt-4o", "openrouter/openai/gpt-4o", "openrouter/openai/gpt-4o"),
        ("claude-sonnet-4-5-20250929", "vertex_ai/claude-sonnet-4-5", "vertex_ai/claude-sonnet-4-5"),
        ("claude-sonnet-4-5-20250929", "vertex_ai/claude-sonnet-4-5@20250929", "vertex_ai/claude-sonnet-4-5@20250929"),
        (
            "claude-sonnet-4-5-20250929",
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "bedrock/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        # Another model, or another date of it.
        ("gpt-4o", "gpt-4o-mini", "gpt-4o"),
        ("gpt-4o", "azure/gpt-4o-mini", "gpt-4o"),
        ("gpt-4o-mini", "azure/gpt-4o", "gpt-4o-mini"),
        ("gpt-4o-2024-08-06", "azure/gpt-4o-2024-05-13", "gpt-4o-2024-08-06"),
        ("claude-sonnet-4-5-20250929", "bedrock/anything", "claude-sonnet-4-5-20250929"),
        ("gpt-4o", "azure/", "gpt-4o"),
        ("gpt-4o", "", "gpt-4o"),
    ],
)
def test_the_name_that_is_given_adds_a_provider_and_never_another_model(
    answered: str, given: str, charged: str
) -> None:
    assert read_answer({"model": answered, "usage": USAGE}, model=given).model == charged
