"""Usages of several requests: each request is priced by itself, and their exact costs are rounded once together."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from budgetd_server.domain.cost import Rounding, requests_cost_nano_usd, whole_cost_nano_usd
from budgetd_server.domain.errors import UnpricedUsage
from budgetd_server.domain.model_price import MTOK, ModelPrice, Rates, Schedule, Tier
from budgetd_server.domain.pricing import Catalogue
from budgetd_server.domain.usage import (
    COUNT_MAX,
    NO_PARTS,
    NO_USAGE,
    STANDARD_TERMS,
    CallTerms,
    Parts,
    Usage,
    requests_violations,
    total_of,
)
from tests.domain.test_pricing import prices, the_exact_cost, usages
from tests.domain.test_whole_cost import FULL, whole_usages

BATCH = CallTerms(is_batch=True)


def cost(
    price: ModelPrice,
    requests: list[Usage],
    rounding: Rounding = Rounding.HALF_EVEN,
    terms: CallTerms = STANDARD_TERMS,
) -> int:
    return requests_cost_nano_usd(price, requests, terms, at_us=0, rounding=rounding)


@given(prices(), st.lists(usages(), max_size=5))
def test_requests_cost_the_exact_sum_of_what_each_costs_rounded_once(price: ModelPrice, requests: list[Usage]) -> None:
    exact = sum((the_exact_cost(price, each) for each in requests), Fraction())

    assert cost(price, requests) == round(exact)  # Fraction rounds half to even.
    assert cost(price, requests, Rounding.UP) == -(-exact.numerator // exact.denominator)


@given(prices(), usages(), st.sampled_from(Rounding))
def test_one_request_costs_what_the_usage_costs_without_it(price: ModelPrice, usage: Usage, rounding: Rounding) -> None:
    catalogue = Catalogue({"any": price}, version="v")

    whole = catalogue.price("any", usage, at_us=0, rounding=rounding)

    assert catalogue.price("any", usage, at_us=0, rounding=rounding, requests=[usage]) == whole


@given(FULL, st.lists(whole_usages(), min_size=1, max_size=4), st.sampled_from([STANDARD_TERMS, BATCH]))
def test_requests_of_a_model_without_tiers_cost_what_their_sum_costs(
    price: ModelPrice, requests: list[Usage], terms: CallTerms
) -> None:
    in_batches = ModelPrice(model="any", rates=price.rates, batch=Schedule(price.rates, (), 2))
    total = whole_cost_nano_usd(in_batches, total_of(requests), terms, at_us=0)

    assert cost(in_batches, requests, terms=terms) == total


@given(st.lists(st.integers(0, 400_000), min_size=1, max_size=5), st.integers(1, 400_000))
def test_a_tier_is_that_of_a_request_and_never_of_the_sum(inputs: list[int], above: int) -> None:
    price = ModelPrice(model="any", rates=Rates(MTOK, MTOK), tiers=(Tier(above, Rates(3 * MTOK, MTOK)),))
    assume(sum(inputs) > above)

    assert cost(price, [Usage(each) for each in inputs]) == sum(each * (3 if each > above else 1) for each in inputs)


def test_no_requests_cost_nothing_and_a_free_model_nothing_for_any() -> None:
    assert cost(ModelPrice(model="any", rates=Rates(1, 1)), []) == 0
    assert cost(ModelPrice(model="any", is_free=True), [Usage(10**6), Usage(1)]) == 0


def test_what_has_no_price_in_any_request_is_refused_by_name() -> None:
    price = ModelPrice(model="any", rates=Rates(1, 1))
    requests = [Usage(1, 1), Usage(1, parts=Parts(pages=2))]

    with pytest.raises(UnpricedUsage) as refused:
        Catalogue({"any": price}, version="v7").price("any", total_of(requests), at_us=0, requests=requests)

    assert refused.value.metadata["field"] == "pages"


# --- What requests have to be.


@given(st.lists(st.one_of(usages(), whole_usages()), min_size=1, max_size=4))
def test_requests_that_add_up_are_valid_and_one_token_more_or_less_is_named(requests: list[Usage]) -> None:
    total = total_of(requests)
    more = total._replace(output_tokens=total.output_tokens + 1)

    assert requests_violations(total, requests, "requests") == []
    (violation,) = requests_violations(more, requests, "requests")
    assert violation.name == "output_tokens"
    assert f"must be {total.output_tokens}," in violation.description
    assert f"got {total.output_tokens + 1}" in violation.description


_NINES = Usage(100, 100, 20, 9, 9, Parts(*[9] * len(Parts._fields)))


@pytest.mark.parametrize("name", [*Usage._fields[:-1], *Parts._fields])
def test_every_count_has_to_be_the_sum(name: str) -> None:
    is_part = name in Parts._fields
    more = {name: getattr(_NINES.parts if is_part else _NINES, name) + 1}
    wrong = _NINES._replace(parts=_NINES.parts._replace(**more)) if is_part else _NINES._replace(**more)

    assert requests_violations(_NINES, [_NINES, NO_USAGE], "requests") == []
    assert [each.name for each in requests_violations(wrong, [_NINES, NO_USAGE], "requests")] == [name]


def test_an_invalid_count_is_named_by_its_request_and_not_summed() -> None:
    violations = requests_violations(Usage(1), [Usage(1), Usage(-1, COUNT_MAX + 1)], "requests")

    assert [(each.name, each.position) for each in violations] == [("input_tokens", 1), ("output_tokens", 1)]


def test_the_sum_of_usages_without_other_parts_has_none() -> None:
    assert total_of([Usage(1, 2), Usage(3, 4)]).parts is NO_PARTS
    assert total_of([]) is NO_USAGE
