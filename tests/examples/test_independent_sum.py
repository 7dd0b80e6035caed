"""The independent sum is right on figures that were worked out by hand, and sees what differs."""

from dataclasses import replace

import pytest

from budgetd.v1 import model_price_pb2 as prices
from examples.independent_sum import Totals, differences, independent_totals
from examples.llm_trace import MODELS, LlmCall, model_of, user_of


def price(input_rate: int, output_rate: int, *tiers: prices.PriceTier) -> prices.ModelPrice:
    """A price in nano-USD per million tokens."""
    rates = prices.TokenRates(input_nano_usd_per_mtok=input_rate, output_nano_usd_per_mtok=output_rate)
    return prices.ModelPrice(rates=rates, tiers=tiers)


def cost_of(call: LlmCall, of: prices.ModelPrice) -> int:
    return independent_totals([call], dict.fromkeys(MODELS, of)).cost_nano_usd


@pytest.mark.parametrize(
    ("call", "of", "cost_nano_usd"),
    [
        pytest.param(LlmCall(1_000, 10), price(2_500_000_000, 10_000_000_000), 2_600_000, id="whole nano-dollars"),
        pytest.param(LlmCall(1, 0), price(37_500_000, 0), 38, id="37.5 rounds to the even 38"),
        pytest.param(LlmCall(3, 0), price(37_500_000, 0), 112, id="112.5 rounds to the even 112"),
        pytest.param(LlmCall(1, 1), price(300_000, 300_000), 1, id="0.6 is rounded once, not twice to 0"),
        pytest.param(LlmCall(0, 0), price(37_500_000, 1), 0, id="nothing costs nothing"),
    ],
)
def test_a_call_costs_what_it_does_on_paper(call: LlmCall, of: prices.ModelPrice, cost_nano_usd: int) -> None:
    assert cost_of(call, of) == cost_nano_usd


@pytest.mark.parametrize(("tokens", "cost_nano_usd"), [(10, 10), (11, 22), (20, 40), (21, 63)])
def test_the_last_tier_that_the_input_exceeds_prices_the_whole_call(tokens: int, cost_nano_usd: int) -> None:
    tiers = [prices.PriceTier(above_input_tokens=10 * n, rates=price((n + 1) * 10**6, 0).rates) for n in (1, 2)]

    assert cost_of(LlmCall(tokens, 0), price(10**6, 0, *tiers)) == cost_nano_usd


def test_totals_are_kept_by_user_by_model_and_in_all() -> None:
    calls = [LlmCall(row, 0) for row in range(201)]

    totals = independent_totals(calls, dict.fromkeys(MODELS, price(10**6, 0)))

    assert totals.cost_nano_usd == sum(range(201))
    assert totals.cost_nano_usd_by_user[user_of(0)] == 0 + 200
    assert totals.cost_nano_usd_by_model[model_of(0)] == sum(row for row in range(201) if model_of(row) == model_of(0))
    assert sum(totals.calls_by_model.values()) == 201


EXPECTED = Totals(
    cost_nano_usd_by_user={"a": 1, "b": 2}, cost_nano_usd_by_model={"m": 3}, calls_by_model={"m": 2}, cost_nano_usd=3
)


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (replace(EXPECTED, cost_nano_usd_by_user={"a": 1, "b": 3}), "of user b: the server has 3, it must be 2 (+1)"),
        (replace(EXPECTED, cost_nano_usd_by_user={"a": 1}), "of user b: the server has 0, it must be 2 (-2)"),
        (replace(EXPECTED, cost_nano_usd_by_user={"a": 1, "b": 2, "c": 4}), "of user c: the server has 4"),
        (replace(EXPECTED, cost_nano_usd_by_model={"m": 2}), "of model m: the server has 2, it must be 3 (-1)"),
        (replace(EXPECTED, calls_by_model={"m": 1}), "calls of model m: the server has 1, it must be 2 (-1)"),
        (replace(EXPECTED, cost_nano_usd=4), "in all: the server has 4, it must be 3 (+1)"),
    ],
    ids=["a user has more", "a user has none", "a user too many", "a model", "a call is lost", "the whole"],
)
def test_every_total_that_differs_is_named_with_both_figures(found: Totals, sentence: str) -> None:
    (difference,) = differences(expected=EXPECTED, found=found)

    assert sentence in difference


def test_equal_totals_differ_in_nothing() -> None:
    assert differences(expected=EXPECTED, found=EXPECTED) == []
