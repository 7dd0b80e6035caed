"""What `model=` means next to an answer that names its model itself."""

import pytest

from budgetd.usage import read_answer
from budgetd.usage.given_names import PROVIDERS, combine_names
from budgetd_server.domain.errors import UnknownModel
from budgetd_server.domain.model_names import family
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import Usage
from budgetd_server.prices import load_prices

SONNET = "claude-sonnet-4-5-20250929"
ON_BEDROCK = [f"{place}anthropic.{SONNET}-v1:0" for place in ("", "us.", "eu.", "jp.", "us-gov.", "global.")]
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"
LOCATED = "projects/acme/locations/us-east5/"
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
        # Names that show their provider by their form.
        *((SONNET, name, name) for name in ON_BEDROCK),
        (SONNET, "claude-sonnet-4-5@20250929", "claude-sonnet-4-5@20250929"),
        (SONNET, "vertex_ai/claude-sonnet-4-5@default", "vertex_ai/claude-sonnet-4-5@default"),
        ("gpt-oss-120b", "openai.gpt-oss-120b-1:0", "openai.gpt-oss-120b-1:0"),
        # Another model, or another date of it: the answer's model, with the provider and the place that were given.
        ("gpt-4o", "azure/gpt-4o-mini", "azure/gpt-4o"),
        ("gpt-4o-mini", "azure/gpt-4o", "azure/gpt-4o-mini"),
        ("gpt-4o-2024-08-06", "azure/gpt-4o-2024-05-13", "azure/gpt-4o-2024-08-06"),
        ("text-embedding-3-small", "azure/my-embeddings", "azure/text-embedding-3-small"),
        ("gpt-4o-2024-08-06", "azure/eu/my-deployment", "azure/eu/gpt-4o-2024-08-06"),
        ("gpt-4o", "litellm_proxy/azure/us/my-deployment", "azure/us/gpt-4o"),
        ("gpt-4o", "azure/responses/my-deployment", "azure/gpt-4o"),
        ("openai/gpt-oss-120b", "groq/mine", "groq/openai/gpt-oss-120b"),
        (SONNET, "bedrock/anything", f"bedrock/{SONNET}"),
        (SONNET, PROFILE, f"bedrock/us-east-1/{SONNET}"),
        (SONNET, f"bedrock/converse/{PROFILE}", f"bedrock/us-east-1/{SONNET}"),
        ("amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0", "bedrock/us.amazon.nova-pro-v1:0"),
        ("eu.amazon.nova-pro-v1:0", "us.amazon.nova-lite-v1:0", "bedrock/eu.amazon.nova-pro-v1:0"),
        ("amazon.nova-pro-v1:0", "bedrock/eu-west-2/mine", "bedrock/eu-west-2/amazon.nova-pro-v1:0"),
        (SONNET, "claude-haiku-4-5@20251001", f"vertex_ai/{SONNET}"),
        ("gemini-2.5-flash", f"{LOCATED}endpoints/1", f"vertex_ai/{LOCATED}publishers/google/models/gemini-2.5-flash"),
        ("gemini-2.5-flash", "models/gemini-2.5-pro", "gemini/gemini-2.5-flash"),
        # Names that give no provider, or the answer's own.
        ("gpt-4o", "gpt-4o-mini", "gpt-4o"),
        ("gpt-4o-2024-08-06", "gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4o", "acme.gpt-4o", "gpt-4o"),
        ("gpt-4o", "team-a/chat", "gpt-4o"),
        ("openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-4o"),
        ("gpt-4o", "azure/", "gpt-4o"),
        ("gpt-4o", "", "gpt-4o"),
    ],
)
def test_the_name_that_is_given_adds_a_provider_and_never_another_model(
    answered: str, given: str, charged: str
) -> None:
    assert read_answer({"model": answered, "usage": USAGE}, model=given).model == charged


@pytest.mark.parametrize(
    ("provider", "answered", "given", "charged"),
    [
        ("azure", "gpt-4o", "azure/eu/mine", "azure/eu/gpt-4o"),
        ("bedrock_converse", SONNET, "bedrock/us-west-2/mine", f"bedrock/us-west-2/{SONNET}"),
        ("litellm_proxy", "gpt-4o", "azure/mine", "azure/gpt-4o"),
        ("openai", "gpt-4o", "azure/mine", "gpt-4o"),
        ("openrouter", "openai/gpt-4o", "azure/mine", "openai/gpt-4o"),
    ],
)
def test_a_provider_that_the_answer_names_itself_is_not_replaced(
    provider: str, answered: str, given: str, charged: str
) -> None:
    hidden = {"custom_llm_provider": provider}

    assert read_answer({"model": answered, "usage": USAGE, "_hidden_params": hidden}, model=given).model == charged


def test_a_model_around_an_answer_gets_the_provider_that_is_given_as_well() -> None:
    line = {"custom_id": "1", "model": "gpt-4o", "response": {"status_code": 200, "body": {"usage": USAGE}}}

    assert read_answer(line, model="azure/mine").model == "azure/gpt-4o"


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_prices()


@pytest.mark.parametrize(
    ("answered", "given", "counts", "nano_usd"),
    [
        *((SONNET, name, (100, 50), 1_155_000) for name in ON_BEDROCK[1:4]),
        (SONNET, ON_BEDROCK[4], (100, 50), 1_260_000),
        (SONNET, ON_BEDROCK[0], (100, 50), 1_050_000),
        (SONNET, ON_BEDROCK[5], (100, 50), 1_050_000),
        ("claude-haiku-4-5-20251001", "us.anthropic.claude-haiku-4-5-20251001-v1:0", (100, 50), 385_000),
        (SONNET, "claude-sonnet-4-5@20250929", (250_000, 50), 1_501_125_000),
        (SONNET, "vertex_ai/claude-sonnet-4-5@default", (250_000, 50), 1_501_125_000),
        ("text-embedding-3-small", "azure/my-embeddings", (1_000, 0), 22_000),
        ("gpt-4o-2024-08-06", "azure/eu/my-deployment", (100, 50), 825_000),
        (SONNET, PROFILE, (100, 50), None),
        (SONNET, "bedrock/anything", (100, 50), None),
    ],
)
def test_what_is_given_is_charged_at_its_own_providers_price_or_refused(
    shipped: Catalogue, answered: str, given: str, counts: tuple[int, int], nano_usd: int | None
) -> None:
    name = combine_names(answered, given)
    if nano_usd is None:
        with pytest.raises(UnknownModel):
            shipped.price(name, Usage(*counts), at_us=0)
    else:
        assert shipped.price(name, Usage(*counts), at_us=0).cost_nano_usd == nano_usd


def test_every_provider_of_the_price_file_is_known_in_front_of_a_name(shipped: Catalogue) -> None:
    assert {family(shipped.find(name, 0).provider) for name in shipped.models()} <= PROVIDERS


def test_every_row_of_bedrock_that_has_no_provider_in_front_is_known_as_bedrocks(shipped: Catalogue) -> None:
    ids = [name for name in shipped.models() if "/" not in name and "." in name.replace("us-gov", "").split("-")[0]]
    rows = [name for name in ids if family(shipped.find(name, 0).provider) == "bedrock"]

    assert len(rows) > 200
    assert [name for name in rows if combine_names("a", name) != "bedrock/a"] == []
