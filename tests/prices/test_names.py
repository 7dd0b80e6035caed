"""Names of models, kind E of wrong money: a name finds its own row or none, and never another provider's.

Costs are those of 1,000 tokens in and 1,000 out, derived from the rates of the row that each name must find.
"""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budgetd_server.domain.errors import UnknownModel, UnpricedUsage
from budgetd_server.domain.model_names import REMEMBERED_MAX, ModelNames, family
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import CallTerms, Usage
from budgetd_server.prices import load_prices

THOUSAND = Usage(1_000, 1_000)
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
PROFILE = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us."
VERTEX = "projects/acme/locations"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/a1b2c3"


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_prices()


def usd(prices: Catalogue, model: str, provider: str = "") -> float:
    return prices.price(model, THOUSAND, at_us=0, terms=CallTerms(provider)).cost_nano_usd / 10**9


@pytest.mark.parametrize(
    ("model", "provider", "expected"),
    [
        pytest.param("mistral-large-latest", "mistral", 0.002, id="E2 mistral"),
        pytest.param("llama3.1-8b", "cerebras", 0.0002, id="E2 cerebras"),
        pytest.param("openai/gpt-oss-120b", "groq", 0.00075, id="E2 groq, another provider's name within"),
        pytest.param("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together_ai", 0.00208, id="E2 together_ai"),
        pytest.param("moonshot-v1-8k", "moonshot", 0.0022, id="E2 moonshot"),
        pytest.param("us/gpt-4o-2024-08-06", "azure", 0.01375, id="E2 azure, in a region"),
        pytest.param("claude-sonnet-4-5", "vertex_ai", 0.018, id="E2 vertex_ai"),
        pytest.param("gpt-4o", "litellm_proxy", 0.0125, id="E2 a gateway is no provider"),
        pytest.param("ft:gpt-4o-mini-2024-07-18:acme::AbCd123", "", 0.0015, id="E3 fine-tuned"),
        pytest.param("ft:gpt-4o-mini-2024-07-18:acme::AbCd123", "openai", 0.0015, id="E3 provider given"),
        pytest.param("openai/ft:gpt-4.1-2025-04-14:acme:s:1", "", 0.015, id="E3 behind a prefix"),
        pytest.param(f"bedrock/us-east-1/{SONNET}", "", 0.018, id="E4 region"),
        pytest.param(f"bedrock/converse/us.{SONNET}", "", 0.0198, id="E4 route"),
        pytest.param(f"invoke/us.{SONNET}", "bedrock", 0.0198, id="E4 route, provider given"),
        pytest.param(
            "litellm_proxy/bedrock/us.anthropic.claude-haiku-4-5-20251001-v1:0", "", 0.0066, id="E4 behind a gateway"
        ),
        pytest.param(f"{PROFILE}{SONNET}", "", 0.0198, id="E4 inference profile"),
        pytest.param(f"bedrock/{PROFILE}{SONNET}", "bedrock_converse", 0.0198, id="E4 its prefix and its branch"),
        pytest.param(
            f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}", "bedrock", 0.018, id="E4 foundation model"
        ),
        pytest.param(f"bedrock/us-gov-west-1/{SONNET}", "", 0.0216, id="E4 a region with a price of its own"),
        pytest.param("eu.meta.llama3-3-70b-instruct-v1:0", "", 0.00144, id="E4 a geography at the same price"),
        pytest.param("vertex_ai/claude-sonnet-4-5@default", "", 0.018, id="E4 Vertex's standard version"),
        pytest.param("claude-sonnet-4-5@20250929", "", 0.018, id="E4 Vertex's own name of a partner's model"),
        pytest.param("claude-sonnet-4-5@default", "", 0.018, id="E4 the same in its standard version"),
        pytest.param("azure/responses/gpt-4o", "", 0.0125, id="E4 a route of Azure"),
        pytest.param("models/gemini-2.5-flash", "", 0.0028, id="the Gemini API's resource name"),
        pytest.param("models/gemini-2.5-flash", "gemini", 0.0028, id="the same with its provider"),
        pytest.param(
            f"{VERTEX}/us-central1/publishers/google/models/gemini-2.5-flash", "", 0.0028, id="Vertex's resource name"
        ),
        pytest.param(
            f"vertex_ai/{VERTEX}/global/publishers/anthropic/models/claude-sonnet-4-5@20250929",
            "",
            0.018,
            id="Vertex's resource name of another publisher",
        ),
        pytest.param(
            f"{VERTEX}/us-east5/publishers/anthropic/models/claude-sonnet-4-5@default",
            "vertex_ai",
            0.0198,
            id="a location that costs a tenth more",
        ),
        pytest.param(
            "publishers/meta/models/llama-4-scout-17b-16e-instruct-maas",
            "",
            0.00095,
            id="Vertex's name without a project, of a row with the publisher",
        ),
    ],
)
def test_a_name_is_priced_by_its_own_row(shipped: Catalogue, model: str, provider: str, expected: float) -> None:
    assert usd(shipped, model, provider) == expected


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        pytest.param("llama-3.3-70b-versatile", "groq", id="E1 another provider's row alone has the name"),
        pytest.param("llama-3.3-70b-versatile", "", id="E1 none given"),
        pytest.param("gpt-4o", "groq", id="E1 a bare row of another provider"),
        pytest.param("azure_ai/gpt-4o", "", id="E1 a provider without that row, whatever LiteLLM takes for it"),
        pytest.param("openai/gpt-4o", "azure_ai", id="E1 another provider's prefix"),
        pytest.param("deepseek/deepseek-chat", "openrouter", id="E1 a gateway's prices are its own"),
        pytest.param("claude-sonnet-4-5", "bedrock", id="E1 the same model elsewhere"),
        pytest.param("sonar-pro", "", id="E1 one provider has it, but it was not given"),
        pytest.param("ft:gpt-4o:acme::x", "", id="E3 tuned from what has no price for it"),
        pytest.param("ft:gpt-4o-mini-2024-07-18:acme::x", "azure", id="E3 tuned at another provider"),
        pytest.param(APPLICATION, "bedrock", id="E4 an application's profile shows no model"),
        pytest.param(f"bedrock/{APPLICATION}", "", id="E4 the same behind its prefix"),
        pytest.param(f"eu-isoe.{SONNET}", "bedrock", id="E4 an unknown geography"),
        pytest.param("sa.anthropic.claude-sonnet-4-5-20250929-v1:0", "", id="E4 a geography that may cost more"),
        pytest.param("bedrock/us-gov-west-1/qwen.qwen3-32b-v1:0", "", id="E4 GovCloud has prices of its own"),
        pytest.param("openrouter/openai/gpt-4o:free", "", id="a suffix that changes the price"),
        pytest.param("vertex_ai/gemini-2.5-flash@001", "", id="another version"),
        pytest.param("GPT-4o", "openai", id="another case"),
        pytest.param("models/gpt-4o", "", id="the Gemini API has no such model"),
        pytest.param("models/gemini-2.5-flash", "vertex_ai", id="the Gemini API's name at Vertex"),
        pytest.param(f"{VERTEX}/us/publishers/google/models/gpt-4o", "", id="Vertex has no such model"),
        pytest.param(f"{VERTEX}/us/endpoints/123", "vertex_ai", id="a deployment shows no model"),
    ],
)
def test_a_name_without_a_row_of_its_own_is_refused(shipped: Catalogue, model: str, provider: str) -> None:
    with pytest.raises(UnknownModel):
        usd(shipped, model, provider)


def test_a_bare_name_that_only_another_provider_has_is_refused_with_that_row_as_a_near_name(
    shipped: Catalogue,
) -> None:
    with pytest.raises(UnknownModel) as refused:
        usd(shipped, "llama-3.3-70b-versatile")

    assert "inferenceapis/llama-3.3-70b-versatile" in refused.value.metadata["near"].split(",")


def test_a_place_that_the_call_gives_comes_before_the_location_in_its_name(shipped: Catalogue) -> None:
    name = f"{VERTEX}/us-east5/publishers/anthropic/models/claude-sonnet-4-5@20250929"

    priced = shipped.price(name, THOUSAND, at_us=0, terms=CallTerms(inference_geo="global"))

    assert priced.cost_nano_usd == 18_000_000


SPELLINGS = (
    "{name}",
    "{rest}",
    "{bare}",
    "{provider}/{name}",
    "{provider}/{rest}",
    "litellm_proxy/{name}",
    "bedrock/converse/{bare}",
    "bedrock/us-west-2/{bare}",
    "bedrock/us-gov-west-1/{bare}",
    "eu.{bare}",
    "models/{bare}",
    f"{VERTEX}/global/publishers/google/models/{{bare}}",
    f"vertex_ai/{VERTEX}/us-east5/publishers/meta/models/{{bare}}",
    "responses/{rest}",
    "{name}:free",
    "{name}@default",
    "ft:{bare}:acme::1",
    "openrouter/{rest}",
    "azure/{bare}",
    f"{PROFILE}{{bare}}",
)


@pytest.fixture(scope="module")
def providers(shipped: Catalogue) -> list[str]:
    return sorted({shipped.find(name, 0).provider for name in shipped.models()})


def test_every_row_of_the_catalogue_is_found_by_its_own_name_and_with_its_provider_given(shipped: Catalogue) -> None:
    wrong = []
    for name in shipped.models():
        provider = shipped.find(name, 0).provider
        for stated in ("", provider):
            try:
                found = shipped.price(name, Usage(1), at_us=0, terms=CallTerms(stated)).model
            except UnpricedUsage as refusal:
                found = refusal.metadata["model"]
            if found != name and found != f"{family(stated)}/{name}":
                wrong.append((name, stated, found))

    assert wrong == []


@settings(max_examples=1_000)
@given(data=st.data())
def test_however_a_name_is_spelled_no_other_providers_row_is_found(
    shipped: Catalogue, providers: list[str], data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(shipped.models()))
    stated = data.draw(st.sampled_from(["", *providers]))
    spelling = data.draw(st.sampled_from(SPELLINGS))
    rest, bare = name.partition("/")[2] or name, name.rpartition("/")[2]
    sent = spelling.format(name=name, rest=rest, bare=bare, provider=shipped.find(name, 0).provider)
    try:
        row = shipped.price(sent, Usage(), at_us=0, terms=CallTerms(stated)).model
    except UnknownModel:
        return

    owner = family(shipped.find(row, 0).provider)
    if stated:
        assert owner == family(stated)
    elif row != sent.removeprefix("litellm_proxy/"):
        prefix = sent.removeprefix("litellm_proxy/").partition("/")[0]
        forms = {
            "arn:": "bedrock",
            "eu.": "bedrock",
            "ft:": "openai",
            "models/": "gemini",
            "projects/": "vertex_ai",
        }
        by_form = next((owner for start, owner in forms.items() if sent.startswith(start)), "")
        if re.fullmatch(r"[^/@]+@\d+", sent):  # Vertex AI's names of its partners' models.
            by_form = "vertex_ai"
        assert owner in {family(prefix), by_form}


def test_what_is_remembered_of_names_that_callers_choose_has_an_end(shipped: Catalogue) -> None:
    names = ModelNames(
        {"ft:gpt-4o-2024-08-06": shipped.find("ft:gpt-4o-2024-08-06", 0)}, {}, lambda _one, _other: False
    )

    for number in range(REMEMBERED_MAX + 10):
        assert names.other_names(f"ft:gpt-4o-2024-08-06:acme::{number}") == (
            "ft:gpt-4o-2024-08-06",
            "ft:gpt-4o",
            "gpt-4o-2024-08-06",
            "gpt-4o",
            "openai/ft:gpt-4o-2024-08-06",
        )

    assert len(names._others) <= REMEMBERED_MAX  # noqa: SLF001 - nothing public shows what is remembered.


SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"


@pytest.mark.parametrize(
    ("model", "provider", "near"),
    [
        pytest.param("sonar-pro", "", "perplexity/sonar-pro", id="one of several providers that have it"),
        pytest.param("gpt-4o-mni", "azure", "azure/gpt-4o-mini", id="a typing mistake at a provider that was given"),
        pytest.param("azure/gpt-4o-mni", "", "azure/gpt-4o-mini", id="a slip behind a prefix"),
        pytest.param("claude-sonet-4-5", "vertex_ai_beta", "vertex_ai/claude-sonnet-4-5", id="a branch of a provider"),
        pytest.param("gpt-4o", "azure_ai", "gpt-4o", id="what another provider has"),
        pytest.param("openai/gpt-oss-120b", "", "groq/openai/gpt-oss-120b", id="the whole name behind a provider"),
        pytest.param("anthropic.claude-sonnet-4-5", "", SONNET, id="an id of Bedrock without date and version"),
        pytest.param("anthropic.claude-sonnet-4-5", "bedrock", SONNET, id="the same, its provider given"),
        pytest.param("claude-sonnet-4.5", "bedrock", SONNET, id="without the vendor, and other punctuation"),
        pytest.param("anthropic.claude-sonnet-4-5-20250930-v2:0", "", SONNET, id="another date and version"),
        pytest.param(
            "eu.anthropic.claude-opus-4-5", "", "eu.anthropic.claude-opus-4-5-20251101-v1:0", id="a geography"
        ),
        pytest.param("anthropic.claude-sonet-4-5-20250929-v1:0", "", SONNET, id="a slip in the middle of a long id"),
        pytest.param("bedrock/eu-west-9/anthropic.claude-v3:2", "", "anthropic.claude-v2:1", id="an unknown region"),
        pytest.param(
            "anthropic.claude-3-5-sonet-20241022-v2:0",
            "",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            id="a slip in an id with an older namesake",
        ),
        pytest.param("amazon.nova-por-v1:0", "", "amazon.nova-pro-v1:0", id="a slip in a short id"),
        pytest.param("models/gemini-2.5-flsh", "", "gemini/gemini-2.5-flash", id="a slip in the Gemini API's name"),
        pytest.param(
            f"{VERTEX}/us/publishers/anthropic/models/claude-sonet-4-5",
            "",
            "vertex_ai/claude-sonnet-4-5",
            id="a slip in Vertex's name",
        ),
    ],
)
def test_a_refused_name_is_answered_with_similar_names(
    shipped: Catalogue, model: str, provider: str, near: str
) -> None:
    with pytest.raises(UnknownModel) as refused:
        usd(shipped, model, provider)

    assert near in refused.value.metadata["near"].split(",")


@pytest.mark.parametrize(
    ("model", "provider", "row"),
    [
        pytest.param("mistral-large-latest", "", "mistral/mistral-large-latest", id="its maker's"),
        pytest.param("openai/gpt-oss-120b", "", "gmi/openai/gpt-oss-120b", id="whole, behind providers"),
        pytest.param(
            "openai/gpt-oss-120b", "cerebras", "cerebras/gpt-oss-120b", id="the provider's, not its publisher"
        ),
        pytest.param("claude-sonnet-4-5-20250929", "bedrock", SONNET, id="an id of Bedrock with the same date"),
        pytest.param("bedrock/claude-sonnet-4-5-20250929", "", SONNET, id="the same, with the provider in front"),
        pytest.param("claude-sonnet-4-5-20250929", "vertex_ai", "vertex_ai/claude-sonnet-4-5@20250929", id="Vertex's"),
    ],
)
def test_the_first_near_name_is_the_same_model(shipped: Catalogue, model: str, provider: str, row: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        usd(shipped, model, provider)

    assert refused.value.metadata["near"].split(",")[0] == row


@pytest.mark.parametrize(
    "model", ["anthropic.claude-sonnet-4-5", "us.anthropic.claude-3-5-sonet-20241022-v2:0", "cohere.command-rplus-v1:0"]
)
def test_near_names_of_an_id_of_bedrock_are_of_bedrock_first(shipped: Catalogue, model: str) -> None:
    with pytest.raises(UnknownModel) as refused:
        usd(shipped, model, "")

    first = refused.value.metadata["near"].split(",")[0]
    assert family(shipped.find(first, 0).provider) == "bedrock"
