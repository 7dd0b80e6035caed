"""Costs that are brought over from other books count as any others, and are no news."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from budgetd_server.domain.budget import Limit, Unit
from budgetd_server.domain.commands import Charge, LimitDraft
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed
from tests.domain.desk import ALICE, DAY_US, HOUR_US, MONDAY_US, Desk, charge, create, limited

TOKENS = Limit(limit_id="tokens", unit=Unit.TOKENS, amount=100, window=Fixed(length_us=DAY_US, anchor_at_us=MONDAY_US))


def desk_with(now_us: int = MONDAY_US) -> Desk:
    """Alice, whose team's money and whose own money and tokens are limited a day."""
    desk = Desk(now_us=now_us)
    desk.decide(create(limited(100, every_us=DAY_US), budget_id="team"))
    alice = create(limited(100, every_us=DAY_US))
    desk.decide(replace(alice, parent_id="team", limits=(*alice.limits, LimitDraft(limit=TOKENS))))
    return desk


def old(command: Charge) -> Charge:
    return command._replace(is_history=True)


def counted(desk: Desk) -> list[object]:
    """All that is counted, on each budget."""
    budgets = [desk.budget(name) for name in (ALICE, "team")]
    counters = [counter for budget in budgets for counter in budget.counters()]
    entries = [entry._replace(request_id="") for entry in desk.entries()]
    sums = [(counter.sums, counter.alerts_fired, counter.span) for counter in counters]
    return [sums, [(budget.models, budget.lifetime_cost_nano_usd) for budget in budgets], entries]


def rates(desk: Desk) -> list[tuple[int, int | None]]:
    counters = [counter for name in (ALICE, "team") for counter in desk.budget(name).counters()]
    return [(counter.burn_rate_per_hour, counter.burn_at_us) for counter in counters]


STEPS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from(["", "gpt"]), st.booleans(), st.integers(0, 2 * DAY_US // HOUR_US)),
    max_size=12,
)


@given(STEPS)
def test_history_counts_as_any_cost_and_the_rates_are_those_of_the_other_costs_alone(
    steps: list[tuple[int, str, bool, int]],
) -> None:
    mixed, all_live, without = desk_with(), desk_with(), desk_with()
    for number, (cost, model, is_history, hours) in enumerate(steps):
        command = charge(cost, model=model, usage=Usage(cost), request_id=f"r{number}")
        mixed.decide(old(command) if is_history else command)
        all_live.decide(command)
        if not is_history:
            without.decide(command)
        for desk in (mixed, all_live, without):
            desk.now_us += hours * HOUR_US

    assert counted(mixed) == counted(all_live)
    assert rates(mixed) == rates(without)


def test_history_alone_is_no_rate_and_runs_out_never() -> None:
    desk = desk_with()

    desk.decide(old(charge(60)))

    limit = desk.status().limits[0]
    assert (limit.spent, limit.burn_rate_per_hour, limit.exhaustion_at_us) == (60, None, None)


def test_a_threshold_that_history_reaches_gives_no_notice_then_nor_later_in_the_window() -> None:
    desk = desk_with()

    desk.decide(old(charge(85, usage=Usage(60))))
    desk.decide(charge(1))
    assert desk.state.tally.alerts == []
    desk.decide(charge(14))

    assert desk.state.tally.alerts == [(Unit.NANO_USD, 1.0)] * 2
