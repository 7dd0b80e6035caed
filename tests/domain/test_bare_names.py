"""What patterns of limits know a model by: its name without provider, region, version and date."""

import pytest

from budgetd_server.domain.bare_names import bare_names


@pytest.mark.parametrize(
    ("name", "bare"),
    [
        pytest.param(
            "us.anthropic.claude-opus-4-5-20251101-v1:0", ("claude-opus-4-5-20251101", "claude-opus-4-5"), id="Bedrock"
        ),
        pytest.param(
            "bedrock/converse/eu.anthropic.claude-3-5-sonnet-20241022-v2:0",
            ("claude-3-5-sonnet-20241022", "claude-3-5-sonnet"),
            id="a version behind a date",
        ),
        pytest.param(
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", ("nova-pro",), id="ARN"
        ),
        pytest.param("anthropic.claude-v2:1", ("claude-v2",), id="a version that is the model's own name"),
        pytest.param(
            "vertex_ai/claude-opus-4-5@20251101", ("claude-opus-4-5-20251101", "claude-opus-4-5"), id="Vertex's date"
        ),
        pytest.param("vertex_ai/claude-opus-4-6@default", ("claude-opus-4-6",), id="Vertex's standard version"),
        pytest.param("azure/gpt-4o-2024-08-06", ("gpt-4o-2024-08-06", "gpt-4o"), id="a provider and a date"),
        pytest.param("azure/us/gpt-4o-2024-08-06", ("gpt-4o-2024-08-06", "gpt-4o"), id="a region"),
        pytest.param("gpt-4-0613", ("gpt-4",), id="month and day"),
        pytest.param("mistral/mistral-large-2411", ("mistral-large-2411", "mistral-large"), id="year and month"),
        pytest.param("gemini-2.5-flash-preview-09-2025", ("gemini-2.5-flash-preview",), id="month and year"),
        pytest.param("azure_ai/phi-3-medium-4096", ("phi-3-medium-4096",), id="four digits that are no date"),
        pytest.param("openrouter/deepseek/deepseek-r1:free", ("deepseek-r1",), id="a gateway's suffix"),
        pytest.param(
            "openai/ft:gpt-4o-mini-2024-07-18:acme::AbCd123",
            ("ft:gpt-4o-mini-2024-07-18", "ft:gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            id="fine-tuned",
        ),
        pytest.param(
            "ft:gpt-4o-mini-2024-07-18",
            ("ft:gpt-4o-mini", "gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            id="the row of what is fine-tuned",
        ),
        pytest.param(
            "azure/gpt-4o-2024-08-06.ft-0123456789abcdef-acme",
            ("gpt-4o-2024-08-06.ft-0123456789abcdef-acme", "gpt-4o-2024-08-06", "gpt-4o"),
            id="fine-tuned on Azure",
        ),
        pytest.param("openai.gpt-oss-120b-1:0", ("gpt-oss-120b",), id="a version without a v, behind a size"),
        pytest.param("bedrock/us-gov-west-1/openai.gpt-oss-20b-1:0", ("gpt-oss-20b",), id="the same in a region"),
        pytest.param("openai.gpt-oss-safeguard-20b", ("gpt-oss-safeguard-20b",), id="a size without a version"),
        pytest.param("google.gemma-3-4b:1", ("gemma-3-4b",), id="a number that is the model's own, before a size"),
        pytest.param("anthropic.claude-opus-4-1:0", ("claude-opus-4-1",), id="a number that is the model's own"),
        pytest.param(
            "projects/acme/locations/us-east5/publishers/anthropic/models/claude-opus-4-5@20251101",
            ("claude-opus-4-5-20251101", "claude-opus-4-5"),
            id="Vertex's resource name",
        ),
        pytest.param("gpt-4o", (), id="a bare name already"),
        pytest.param("openai/", (), id="nothing behind a slash"),
        pytest.param("", (), id="no name"),
    ],
)
def test_a_name_is_bared_of_provider_region_version_and_date(name: str, bare: tuple[str, ...]) -> None:
    assert bare_names(name) == bare
