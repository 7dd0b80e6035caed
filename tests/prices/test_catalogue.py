"""The shipped catalogue: whole, in order, and what LiteLLM itself says but for what is listed here."""

import decimal
import json
import re
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.domain.errors import BudgetError, UnknownModel, UnpricedUsage
from budgetd_server.domain.model_price import ModelPrice
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import Usage
from budgetd_server.prices import PriceFileError, litellm_keys, load_prices
from budgetd_server.prices.catalogue import SHIPPED, catalogue_price, read_catalogue

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_litellm.json").read_text("utf-8"))

ZERO_IS_NO_PRICE = "LiteLLM's file has a zero for cached tokens; budgetd charges the input price"
NOT_SOLD = "an embedding has no output price; LiteLLM charges nothing for output, budgetd refuses it"
CACHED = ("cached input", "cache read and written", "a long context")
WRITTEN = ("cache read and written",)
WITH_OUTPUT = tuple(name for name in GOLDEN["usages"] if name != "input alone")

#: Where budgetd differs on purpose: the usages, and why. This list may only shrink.
DEVIATIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "text-embedding-3-small": (WITH_OUTPUT, NOT_SOLD),
    "text-embedding-3-large": (WITH_OUTPUT, NOT_SOLD),
    "voyage/voyage-3": (WITH_OUTPUT, NOT_SOLD),
    "gemini/gemini-embedding-001": (WITH_OUTPUT, NOT_SOLD),
    "deepseek/deepseek-chat": (WRITTEN, ZERO_IS_NO_PRICE),
    "zai/glm-4.6": (WRITTEN, ZERO_IS_NO_PRICE),
    "vercel_ai_gateway/openai/gpt-4.1": (WRITTEN, ZERO_IS_NO_PRICE),
    "tensormesh/Qwen/Qwen3.5-397B-A17B-FP8": (CACHED, ZERO_IS_NO_PRICE),
    "deepseek/deepseek-v4-pro": (WRITTEN, ZERO_IS_NO_PRICE),
    "perplexity/openai/gpt-5.2": (
        CACHED,
        "LiteLLM's calculator for this provider ignores the file's cache prices",
    ),
    "openrouter/openai/gpt-5": (tuple(GOLDEN["usages"]), "LiteLLM prices this unknown name at zero"),
}


@pytest.fixture(scope="module")
def shipped() -> Catalogue:
    return load_prices()


def cost_or_refusal(prices: Catalogue, model: str, usage: Usage) -> int | type[BudgetError]:
    try:
        return prices.price(model, usage, at_us=0).cost_nano_usd
    except BudgetError as refusal:
        return type(refusal)


def agrees(ours: int | type[BudgetError], golden: int) -> bool:
    # LiteLLM's own figure is a sum of floats, and may be a nano-dollar off at a tie.
    return isinstance(ours, int) and abs(ours - golden) <= 1


@pytest.mark.parametrize("model", GOLDEN["cost_nano_usd"])
def test_a_call_costs_what_litellm_says_but_for_the_listed_deviations(shipped: Catalogue, model: str) -> None:
    deviating, _ = DEVIATIONS.get(model, ((), ""))

    found = tuple(
        name
        for name, counts in GOLDEN["usages"].items()
        if not agrees(cost_or_refusal(shipped, model, Usage(*counts)), GOLDEN["cost_nano_usd"][model][name])
    )

    assert found == tuple(name for name in GOLDEN["usages"] if name in deviating)


def test_budgetd_is_never_cheaper_than_litellm_but_where_that_ignores_its_own_file(
    shipped: Catalogue,
) -> None:
    cheaper = {
        model
        for model, costs in GOLDEN["cost_nano_usd"].items()
        for name, counts in GOLDEN["usages"].items()
        if isinstance(ours := cost_or_refusal(shipped, model, Usage(*counts)), int) and ours < costs[name] - 1
    }

    assert cheaper == {"perplexity/openai/gpt-5.2"}


def test_the_golden_file_is_as_large_as_it_is_said_to_be() -> None:
    assert len(GOLDEN["cost_nano_usd"]) >= 60
    assert len(GOLDEN["usages"]) >= 6
    assert DEVIATIONS.keys() <= GOLDEN["cost_nano_usd"].keys()


def test_every_shipped_entry_can_be_read(shipped: Catalogue) -> None:
    prices = [shipped.find(name, 0) for name in shipped.models()]

    assert len(prices) > 4700
    assert all(price.source == "catalogue" and price.provider and not price.is_free for price in prices)


def test_no_shipped_rate_is_zero(shipped: Catalogue) -> None:
    def rates(price: ModelPrice) -> list[int | None]:
        return [*price.rates, *(rate for tier in price.tiers for rate in tier.rates)]

    assert not [name for name in shipped.models() if 0 in rates(shipped.find(name, 0))]


def test_a_model_that_the_catalogue_lists_at_zero_is_refused_and_not_free(shipped: Catalogue) -> None:
    with pytest.raises(UnpricedUsage):
        shipped.price("gemini/gemini-exp-1206", Usage(1, 1), at_us=0)


@pytest.mark.parametrize("model", ["claude-sonnet-9", "gemini/gemini-9-pro", "openai/no-such", "no-such-model"])
def test_names_that_litellm_prices_at_zero_or_trips_over_are_unknown(shipped: Catalogue, model: str) -> None:
    with pytest.raises(UnknownModel):
        shipped.price(model, Usage(1, 1), at_us=0)


def test_a_rate_with_float_dust_is_read_as_the_price_that_was_meant() -> None:
    entry = {
        "litellm_provider": "x",
        "input_cost_per_token": "5.0000000000000004E-8",
        "output_cost_per_token": "1e-7",
    }

    assert catalogue_price("x", entry).rates.input == 50_000_000


def test_the_callers_decimal_context_does_not_change_a_rate() -> None:
    entry = {"litellm_provider": "x", "input_cost_per_token": "1.234567891e-6"}

    with decimal.localcontext(prec=2) as context:
        context.traps[decimal.Inexact] = True
        assert catalogue_price("x", entry).rates.input == 1_234_567_891


def test_a_threshold_is_inclusive_for_the_provider_that_bills_so(shipped: Catalogue) -> None:
    assert shipped.find("xai/grok-4.5", 0).tiers[0].above_input_tokens == 199_999
    assert shipped.find("gemini/gemini-2.5-pro", 0).tiers[0].above_input_tokens == 200_000


def test_every_key_of_the_format_that_affects_a_price_is_priced_or_listed_with_a_reason() -> None:
    known_keys = read_catalogue(SHIPPED).known_keys

    assert len([key for key in known_keys if litellm_keys.is_price(key)]) > 150
    unpriced = [key for key in known_keys if litellm_keys.is_price(key) and not litellm_keys.prices(key)]
    assert not [key for key in unpriced if not any(re.fullmatch(each, key) for each in litellm_keys.NOT_PRICED)]


@pytest.mark.parametrize("pattern", litellm_keys.NOT_PRICED)
def test_every_reason_is_of_a_key_that_there_is_and_that_prices_nothing(pattern: str) -> None:
    known_keys = read_catalogue(SHIPPED).known_keys
    of_it = [key for key in known_keys if re.fullmatch(pattern, key)]

    assert of_it
    assert not [key for key in of_it if litellm_keys.token_key(key) or key in litellm_keys.COUNT_KEYS]


def test_the_version_names_source_and_content(shipped: Catalogue, tmp_path: Path) -> None:
    changed = tmp_path / "catalogue.json"
    changed.write_text(SHIPPED.read_text("utf-8").replace("2.5e-06", "2.6e-06"), "utf-8")

    assert shipped.version.startswith("litellm-1.110.2+")
    assert load_prices(catalogue_path=changed).version != shipped.version
    assert len(shipped.version) < 64


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="torn"),
        pytest.param("[]", id="a list"),
        pytest.param('{"source": "x"}', id="without models"),
        pytest.param("\udcff", id="no text"),
    ],
)
def test_a_file_that_is_no_catalogue_is_refused_by_name(tmp_path: Path, content: str) -> None:
    path = tmp_path / "broken.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))

    with pytest.raises(PriceFileError, match=r"broken\.json"):
        load_prices(catalogue_path=path)


def test_loading_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        load_prices()
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak_bytes < 15 * 2**20


def test_the_shipped_file_is_in_order_with_its_licence_next_to_it() -> None:
    names = list(json.loads(SHIPPED.read_text("utf-8"))["models"])

    assert names == sorted(names)
    assert "MIT License" in (SHIPPED.parent / "LICENSE.litellm").read_text("utf-8")
