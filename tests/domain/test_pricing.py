"""Pricing: exact sums, one rounding, tiers, periods, and names that are found or refused."""

import decimal
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.domain.cost import Rounding, cost_nano_usd
from budgetd_server.domain.errors import UnknownModel, UnpricedUsage
from budgetd_server.domain.model_price import ModelPrice, Rates, Tier
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import COUNT_MAX, NO_PARTS, Usage, usage_violations

GPT_4O = ModelPrice(
    model="gpt-4o",
    provider="openai",
    rates=Rates(2_500_000_000, 10_000_000_000, 1_250_000_000),
)
RATE = st.one_of(st.integers(1, 10), st.integers(1, 10**13))
OPTIONAL_RATE = st.none() | RATE
RATES = st.builds(Rates, RATE, RATE, OPTIONAL_RATE, OPTIONAL_RATE, OPTIONAL_RATE)


def a_price(rates: Rates, tiers: tuple[Tier, ...] = ()) -> ModelPrice:
    return ModelPrice(model="any", rates=rates, tiers=tiers)


@st.composite
def prices(draw: st.DrawFn) -> ModelPrice:
    thresholds = draw(st.lists(st.integers(1, 10_000), max_size=3, unique=True))
    return a_price(draw(RATES), tuple(Tier(above, draw(RATES)) for above in sorted(thresholds)))


@st.composite
def usages(draw: st.DrawFn, count_max: int = 20_000) -> Usage:
    cached, written = draw(st.integers(0, count_max)), draw(st.integers(0, count_max))
    reasoning = draw(st.integers(0, count_max))
    usage = Usage(
        input_tokens=cached + written + draw(st.integers(0, count_max)),
        output_tokens=reasoning + draw(st.integers(0, count_max)),
        cached_input_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )
    assert usage_violations(usage) == []
    return usage


def the_exact_cost(price: ModelPrice, usage: Usage) -> Fraction:
    """The oracle: each kind of token by itself, in fractions, with no thought for speed."""
    rates = price.rates
    for tier in price.tiers:
        if usage.input_tokens > tier.above_input_tokens:
            rates = tier.rates
    input_rate, output_rate = Fraction(rates.input or 0), Fraction(rates.output or 0)
    parts = [
        (usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens, input_rate),
        (usage.cached_input_tokens, input_rate if rates.cached_input is None else rates.cached_input),
        (usage.cache_write_tokens, input_rate if rates.cache_write is None else rates.cache_write),
        (usage.output_tokens - usage.reasoning_tokens, output_rate),
        (usage.reasoning_tokens, output_rate if rates.reasoning is None else rates.reasoning),
    ]
    return sum((Fraction(tokens * rate) for tokens, rate in parts), Fraction(0)) / 10**6


@given(prices(), usages())
def test_the_cost_is_the_exact_sum_rounded_once(price: ModelPrice, usage: Usage) -> None:
    exact = the_exact_cost(price, usage)

    assert cost_nano_usd(price, usage, Rounding.HALF_EVEN) == round(exact)  # Fraction rounds half to even.
    assert cost_nano_usd(price, usage, Rounding.UP) == -(-exact.numerator // exact.denominator)


@pytest.mark.parametrize(
    ("tokens", "half_even", "up"),
    [
        pytest.param(1, 0, 1, id="0.5 goes to the even 0"),
        pytest.param(3, 2, 2, id="1.5 goes to the even 2"),
        pytest.param(5, 2, 3, id="2.5 goes to the even 2"),
        pytest.param(4, 2, 2, id="2 stays"),
    ],
)
def test_a_tie_goes_to_the_even_neighbour_and_a_hold_always_up(tokens: int, half_even: int, up: int) -> None:
    price = a_price(Rates(500_000, 1))

    assert cost_nano_usd(price, Usage(tokens), Rounding.HALF_EVEN) == half_even
    assert cost_nano_usd(price, Usage(tokens), Rounding.UP) == up


@given(prices(), usages())
def test_a_hold_is_never_less_than_the_settled_cost_and_at_most_a_nano_dollar_more(
    price: ModelPrice, usage: Usage
) -> None:
    settled = cost_nano_usd(price, usage, Rounding.HALF_EVEN)

    assert settled <= cost_nano_usd(price, usage, Rounding.UP) <= settled + 1


@given(RATES, usages(), usages())
def test_two_calls_cost_what_one_call_of_both_costs_but_for_the_rounding(
    rates: Rates, one: Usage, other: Usage
) -> None:
    price = a_price(rates)
    both = Usage._make([*(left + right for left, right in zip(one[:-1], other[:-1], strict=True)), NO_PARTS])

    apart = cost_nano_usd(price, one) + cost_nano_usd(price, other)

    assert abs(apart - cost_nano_usd(price, both)) <= 1


@given(RATES, usages(), st.sampled_from(["input_tokens", "output_tokens"]), st.integers(1, 10**6))
def test_more_tokens_never_cost_less(rates: Rates, usage: Usage, field: str, more: int) -> None:
    price = a_price(rates)
    larger = usage._replace(**{field: getattr(usage, field) + more})

    assert cost_nano_usd(price, larger) >= cost_nano_usd(price, usage)


@given(RATES, usages())
def test_a_cached_token_at_a_lower_price_never_makes_a_call_dearer(rates: Rates, usage: Usage) -> None:
    cheaper = rates._replace(cached_input=min(rates.cached_input or 0, rates.input or 0))
    uncached = usage._replace(cached_input_tokens=0)

    assert cost_nano_usd(a_price(cheaper), usage) <= cost_nano_usd(a_price(cheaper), uncached)


@given(prices(), usages(count_max=COUNT_MAX // 3))
def test_a_priced_call_with_tokens_is_never_held_for_nothing(price: ModelPrice, usage: Usage) -> None:
    assert (cost_nano_usd(price, usage, Rounding.UP) > 0) is (usage.tokens > 0)


@given(prices(), usages(), st.integers(1, 5))
def test_the_callers_decimal_context_has_no_effect(price: ModelPrice, usage: Usage, precision: int) -> None:
    expected = cost_nano_usd(price, usage)

    with decimal.localcontext(prec=precision, rounding=decimal.ROUND_UP) as context:
        context.traps[decimal.Inexact] = True
        assert cost_nano_usd(price, usage) == expected


@pytest.mark.parametrize(
    ("input_tokens", "cost"),
    [
        pytest.param(200_000, 200_000 * 1000, id="at the threshold the lower tier"),
        pytest.param(200_001, 200_001 * 2000, id="above it the whole request is dearer"),
        pytest.param(300_001, 300_001 * 3000, id="above the next the dearest"),
    ],
)
def test_a_tier_prices_the_whole_request(input_tokens: int, cost: int) -> None:
    tiers = (Tier(200_000, Rates(2 * 10**9, 1)), Tier(300_000, Rates(3 * 10**9, 1)))

    assert cost_nano_usd(a_price(Rates(10**9, 1), tiers), Usage(input_tokens)) == cost


def test_a_cost_beyond_64_bits_is_still_exact() -> None:
    usage = Usage(COUNT_MAX, COUNT_MAX)

    assert cost_nano_usd(a_price(Rates(10**13, 10**13)), usage) == 2 * 10**19


@pytest.mark.parametrize(
    ("price", "usage", "field"),
    [
        pytest.param(a_price(Rates(1, None)), Usage(1, 1), "output_tokens", id="output that has no price"),
        pytest.param(a_price(Rates(None, 1)), Usage(1, 1), "input_tokens", id="input that has no price"),
        pytest.param(a_price(Rates()), Usage(1, 1), "input_tokens", id="nothing has a price"),
    ],
)
def test_tokens_without_a_price_are_refused_and_never_free(price: ModelPrice, usage: Usage, field: str) -> None:
    with pytest.raises(UnpricedUsage) as direct:
        cost_nano_usd(price, usage)
    with pytest.raises(UnpricedUsage) as asked:
        Catalogue({"any": price}, version="v7").price("any", usage, at_us=0)

    assert direct.value.metadata["field"] == asked.value.metadata["field"] == field
    assert asked.value.metadata["price_version"] == "v7"


def test_a_part_that_is_not_used_needs_no_price() -> None:
    assert cost_nano_usd(a_price(Rates(10**9, None)), Usage(input_tokens=5)) == 5000


def test_a_model_that_was_said_to_be_free_costs_nothing() -> None:
    free = ModelPrice(model="mine", rates=Rates(0, 0), is_free=True)

    assert Catalogue({"mine": free}, version="v").price("mine", Usage(9, 9), at_us=0).cost_nano_usd == 0


def test_the_answer_names_the_model_and_the_version_that_it_rests_on() -> None:
    priced = Catalogue({"gpt-4o": GPT_4O}, version="v1").price("openai/gpt-4o", Usage(1000, 200, 100), at_us=0)

    assert priced == (4_375_000, "gpt-4o", "v1")


def in_catalogue(**models: ModelPrice) -> Catalogue:
    named = {name.replace("__", "/").replace("_", "-"): price for name, price in models.items()}
    return Catalogue(
        {name: replace(price, model=name) for name, price in named.items()},
        version="v1",
        aliases={"prod-chat": "gpt-4o"},
    )


NAMED = {
    "gpt_4o": GPT_4O,
    "azure__gpt_4o": replace(GPT_4O, provider="azure"),
    "gemini_pro": replace(GPT_4O, provider="vertex_ai-language-models"),
    "acme__llama": replace(GPT_4O, provider="acme"),
    "acme__shared": replace(GPT_4O, provider="acme"),
    "other__shared": replace(GPT_4O, provider="other"),
}


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        pytest.param("gpt-4o", "gpt-4o", id="its own name"),
        pytest.param("azure/gpt-4o", "azure/gpt-4o", id="its own name, though without the prefix there is another"),
        pytest.param("prod-chat", "gpt-4o", id="an alias"),
        pytest.param("openai/gpt-4o", "gpt-4o", id="its own name after its own provider's prefix"),
        pytest.param("vertex_ai/gemini-pro", "gemini-pro", id="the prefix of its provider's branch"),
    ],
)
def test_a_name_is_found(sent: str, found: str) -> None:
    catalogue = in_catalogue(**NAMED)

    assert catalogue.find(sent, 0).model == found
    assert catalogue.price(sent, Usage(1), at_us=0).model == found


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param("mistral/gpt-4o", id="the prefix of another provider"),
        pytest.param("vertex/gemini-pro", id="a prefix that only begins like the provider"),
        pytest.param("llama", id="a bare name that another provider alone has"),
        pytest.param("shared", id="a bare name that two providers have"),
        pytest.param("gpt-4o-2024-08-06", id="a date behind a known name"),
        pytest.param("GPT-4o", id="another case"),
        pytest.param("openai/prod-chat", id="a prefix before an alias"),
        pytest.param("", id="no name"),
        pytest.param("/", id="a slash"),
        pytest.param("openai/", id="a provider alone"),
    ],
)
def test_a_name_that_is_only_like_a_known_one_is_refused(sent: str) -> None:
    with pytest.raises(UnknownModel):
        in_catalogue(**NAMED).find(sent, 0)


def test_a_refused_name_comes_with_near_names_and_the_version() -> None:
    with pytest.raises(UnknownModel, match="gpt-4o") as refused:
        in_catalogue(**NAMED).price("gpt-4p", Usage(1), at_us=0)

    assert refused.value.metadata["near"].split(",")[0] == "gpt-4o"
    assert refused.value.metadata["price_version"] == "v1"


def test_unknown_names_are_not_remembered_so_that_they_cannot_fill_the_memory() -> None:
    catalogue = Catalogue({"gpt-4o": GPT_4O}, version="v", fallback=replace(GPT_4O, source="fallback"))

    for number in range(100):
        catalogue.price(f"x{number}", Usage(1), at_us=0)

    assert not catalogue._found  # noqa: SLF001  Nothing public shows what is remembered.


def test_a_fallback_prices_every_unknown_name_and_says_so() -> None:
    fallback = replace(GPT_4O, model="fallback", source="fallback")
    catalogue = Catalogue({"bare": a_price(Rates())}, version="v1", fallback=fallback)

    assert catalogue.price("nobody/knows", Usage(1000), at_us=0) == (2_500_000, "nobody/knows", "v1/fallback")
    assert catalogue.find("nobody/knows", 0).source == "fallback"
    assert catalogue.price("bare", Usage(1000), at_us=0).price_version == "v1/fallback"


def test_the_price_is_the_one_of_the_moment_of_the_call() -> None:
    later = replace(GPT_4O, rates=Rates(10**9))
    latest = replace(GPT_4O, rates=Rates(2 * 10**9))
    catalogue = Catalogue({"gpt-4o": replace(GPT_4O, periods=((100, later), (200, latest)))}, version="v")

    costs = [catalogue.price("gpt-4o", Usage(10), at_us=at_us).cost_nano_usd for at_us in (99, 100, 199, 200)]

    assert costs == [25_000, 10_000, 10_000, 20_000]
    assert catalogue.find("gpt-4o", 150).rates.input == 10**9


def test_names_are_listed_in_order_without_aliases() -> None:
    assert list(in_catalogue(**NAMED).models()) == [
        "acme/llama",
        "acme/shared",
        "azure/gpt-4o",
        "gemini-pro",
        "gpt-4o",
        "other/shared",
    ]
