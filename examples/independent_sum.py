"""Calculates what a trace must have cost, with only the fractions of the standard library.

It does not use budgetd's arithmetic, only the prices that the server publishes, the trace, and the rule that a call's
cost is rounded once, half to even, to a whole nano-dollar.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from budgetd.v1 import model_price_pb2 as prices
from examples.llm_trace import LlmCall, model_of, user_of

MTOK = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Spending in nano-USD, and numbers of calls."""

    cost_nano_usd_by_user: Mapping[str, int]
    cost_nano_usd_by_model: Mapping[str, int]
    calls_by_model: Mapping[str, int]
    #: The cost of all calls, counted separately and not summed from the others.
    cost_nano_usd: int


def independent_totals(
    calls: Sequence[LlmCall], price_by_model: Mapping[str, prices.ModelPrice], *, refused: Collection[int] = ()
) -> Totals:
    """Price and sum every call of a trace, except those of the refused rows."""
    by_user: Counter[str] = Counter()
    by_model: Counter[str] = Counter()
    calls_by_model: Counter[str] = Counter()
    total = 0
    for row, call in enumerate(calls):
        if row in refused:
            continue
        model = model_of(row)
        cost_nano_usd = _cost_nano_usd(price_by_model[model], call)
        by_user[user_of(row)] += cost_nano_usd
        by_model[model] += cost_nano_usd
        calls_by_model[model] += 1
        total += cost_nano_usd
    return Totals(
        cost_nano_usd_by_user=by_user,
        cost_nano_usd_by_model=by_model,
        calls_by_model=calls_by_model,
        cost_nano_usd=total,
    )


def saved_nano_usd(
    calls: Sequence[LlmCall], price_by_model: Mapping[str, prices.ModelPrice], refused: Collection[int]
) -> int:
    """Return what the refused calls would have cost."""
    return sum(_cost_nano_usd(price_by_model[model_of(row)], calls[row]) for row in refused)


def wrong_admissions(
    calls: Sequence[LlmCall],
    price_by_model: Mapping[str, prices.ModelPrice],
    refused: Collection[int],
    *,
    limit_nano_usd: int,
) -> Sequence[str]:
    """Return a sentence for each wrong decision. Empty if all were right.

    The order in which a user's calls were decided is not known, but spending only grows: a call that was rightly
    refused has no room in the final rest of the limit, either.
    """
    spent = independent_totals(calls, price_by_model, refused=refused).cost_nano_usd_by_user
    wrong = [f"user {user} has spent {cost}" for user, cost in sorted(spent.items()) if cost > limit_nano_usd]
    for row in sorted(refused):
        cost, before = _cost_nano_usd(price_by_model[model_of(row)], calls[row]), spent.get(user_of(row), 0)
        if before + cost <= limit_nano_usd:
            wrong.append(f"the call of row {row} was refused though user {user_of(row)} has room for it")
    return wrong


def _cost_nano_usd(price: prices.ModelPrice, call: LlmCall) -> int:
    rates = price.rates
    for tier in price.tiers:  # In ascending order: the last tier that the input exceeds applies to the whole call.
        if call.input_tokens > tier.above_input_tokens:
            rates = tier.rates
    exact = Fraction(call.input_tokens * rates.input_nano_usd_per_mtok, MTOK)
    exact += Fraction(call.output_tokens * rates.output_nano_usd_per_mtok, MTOK)
    return round(exact)  # Python rounds a Fraction exactly, half to even.


def differences(*, expected: Totals, found: Totals) -> Sequence[str]:
    """Return a sentence for each wrong total. Empty if all are equal to the nano-dollar.

    The overall total comes first, then models, then users.
    """
    found_differences: list[str] = []
    for name, expected_by, found_by in (
        ("nano-USD in all", {"": expected.cost_nano_usd}, {"": found.cost_nano_usd}),
        ("nano-USD of model", expected.cost_nano_usd_by_model, found.cost_nano_usd_by_model),
        ("calls of model", expected.calls_by_model, found.calls_by_model),
        ("nano-USD of user", expected.cost_nano_usd_by_user, found.cost_nano_usd_by_user),
    ):
        for key in sorted({*expected_by, *found_by}):
            ours, theirs = expected_by.get(key, 0), found_by.get(key, 0)
            if ours != theirs:
                found_differences.append(
                    f"{f'{name} {key}'.strip()}: the server has {theirs}, it must be {ours} ({theirs - ours:+})"
                )
    return found_differences
