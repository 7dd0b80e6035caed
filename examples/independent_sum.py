"""What a trace must have cost, summed with fractions of the standard library alone.

Nothing here uses budgetd's arithmetic: only the prices that the server publishes, the trace, and the rule that a call's
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
    """What was spent, in nano-USD, and on how many calls."""

    cost_nano_usd_by_user: Mapping[str, int]
    cost_nano_usd_by_model: Mapping[str, int]
    calls_by_model: Mapping[str, int]
    #: Of all calls; kept apart, not summed from the others.
    cost_nano_usd: int


def independent_totals(
    calls: Sequence[LlmCall], price_by_model: Mapping[str, prices.ModelPrice], *, refused: Collection[int] = ()
) -> Totals:
    """Price and sum every call of a trace but those of the refused rows."""
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
    """What the refused calls would have cost."""
    return sum(_cost_nano_usd(price_by_model[model_of(row)], calls[row]) for row in refused)


def wrong_admissions(
    calls: Sequence[LlmCall],
    price_by_model: Mapping[str, prices.ModelPrice],
    refused: Collection[int],
    *,
    limit_nano_usd: int,
) -> Sequence[str]:
    """Every admission that was wrong, one sentence each; empty: all were right.

    In which order the calls of a user were judged is not known, but what a user has spent only grows: a call that was
    rightly refused has no room in what was left in the end, either.
    """
    spent = independent_totals(calls, price_by_model, refused=refused).cost_nano_usd_by_user
    told = [f"user {user} has spent {cost}" for user, cost in sorted(spent.items()) if cost > limit_nano_usd]
    for row in sorted(refused):
        cost, before = _cost_nano_usd(price_by_model[model_of(row)], calls[row]), spent.get(user_of(row), 0)
        if before + cost <= limit_nano_usd:
            told.append(f"the call of row {row} was refused though user {user_of(row)} has room for it")
    return told


def _cost_nano_usd(price: prices.ModelPrice, call: LlmCall) -> int:
    rates = price.rates
    for tier in price.tiers:  # By rising length: the last one that the input exceeds holds for the whole call.
        if call.input_tokens > tier.above_input_tokens:
            rates = tier.rates
    exact = Fraction(call.input_tokens * rates.input_nano_usd_per_mtok, MTOK)
    exact += Fraction(call.output_tokens * rates.output_nano_usd_per_mtok, MTOK)
    return round(exact)  # Python rounds a Fraction half to even, and exactly.


def differences(*, expected: Totals, found: Totals) -> Sequence[str]:
    """Every total that is not what it must be, one sentence each; empty: all are equal to the nano-dollar.

    The whole comes first, then models, then users.
    """
    told: list[str] = []
    for name, expected_by, found_by in (
        ("nano-USD in all", {"": expected.cost_nano_usd}, {"": found.cost_nano_usd}),
        ("nano-USD of model", expected.cost_nano_usd_by_model, found.cost_nano_usd_by_model),
        ("calls of model", expected.calls_by_model, found.calls_by_model),
        ("nano-USD of user", expected.cost_nano_usd_by_user, found.cost_nano_usd_by_user),
    ):
        for key in sorted({*expected_by, *found_by}):
            ours, theirs = expected_by.get(key, 0), found_by.get(key, 0)
            if ours != theirs:
                told.append(
                    f"{f'{name} {key}'.strip()}: the server has {theirs}, it must be {ours} ({theirs - ours:+})"
                )
    return told
