"""Changing a window: the count is taken from the ledger in two steps, again if the world moved in between."""

import pytest

from budgetd_server.domain.budget import Limit
from budgetd_server.domain.commands import LimitDraft, ResetCost, UpdateBudget
from budgetd_server.domain.errors import BudgetNotFound, StoreUnavailable
from budgetd_server.domain.window import Fixed
from budgetd_server.engine import engine as engines
from tests.engine.conftest import Bench
from tests.rpc.running_server import DAY_US, NOW_US, PROJECT

DAILY = Limit(amount=1_000, window=Fixed(length_us=DAY_US, anchor_at_us=NOW_US))


def with_limit(bench: Bench, limit: Limit, budget_id: str = "alice") -> UpdateBudget:
    """A command that sets the main limit."""
    return UpdateBudget(
        project_id=PROJECT,
        budget_id=budget_id,
        request=bench.request(),
        sets_limits=True,
        limits=(LimitDraft(limit=limit),),
    )


async def test_a_new_window_counts_what_the_ledger_holds_of_it(bench: Bench) -> None:
    await bench.create(limit=Limit(amount=1_000))
    await bench.engine.submit(bench.charge(5))
    bench.clock.advance(days=3)
    await bench.engine.submit(bench.charge(7))

    outcome = await bench.engine.update_budget(with_limit(bench, DAILY))

    assert bench.ledger.recounts == 1
    assert outcome.budget is not None
    assert (outcome.budget.current_cost_nano_usd, outcome.budget.lifetime_cost_nano_usd) == (7, 12)


async def test_a_charge_between_the_two_steps_is_counted_once(bench: Bench) -> None:
    await bench.create(limit=Limit(amount=1_000))
    await bench.engine.submit(bench.charge(5))

    async def charge() -> None:
        await bench.engine.submit(bench.charge(100))

    bench.ledger.on_recounted = charge
    outcome = await bench.engine.update_budget(with_limit(bench, DAILY))

    assert outcome.budget is not None
    assert outcome.budget.current_cost_nano_usd == 105
    assert bench.ledger.recounts == 1


async def test_a_reset_between_the_two_steps_has_both_taken_again(bench: Bench) -> None:
    await bench.create(limit=Limit(amount=1_000))
    await bench.engine.submit(bench.charge(5))

    async def reset_once() -> None:
        bench.ledger.on_recounted = None
        await bench.engine.submit(ResetCost(project_id=PROJECT, budget_id="alice", request=bench.request()))

    bench.ledger.on_recounted = reset_once
    outcome = await bench.engine.update_budget(with_limit(bench, DAILY))

    assert outcome.budget is not None
    assert outcome.budget.current_cost_nano_usd == 0
    assert bench.ledger.recounts == 2


async def test_edits_of_a_budget_that_always_changes_are_given_up_with_an_error_to_retry(bench: Bench) -> None:
    await bench.create(limit=Limit(amount=1_000))

    async def reset() -> None:
        await bench.engine.submit(ResetCost(project_id=PROJECT, budget_id="alice", request=bench.request()))

    bench.ledger.on_recounted = reset
    with pytest.raises(StoreUnavailable, match="changed again and again"):
        await bench.engine.update_budget(with_limit(bench, DAILY))

    assert bench.ledger.recounts == engines.RECOUNTS_MAX


async def test_the_same_window_with_another_amount_is_not_counted_again(bench: Bench) -> None:
    await bench.create(limit=DAILY)
    await bench.engine.submit(bench.charge(5))

    outcome = await bench.engine.update_budget(with_limit(bench, Limit(amount=3, window=DAILY.window)))

    assert bench.ledger.recounts == 0
    assert outcome.budget is not None
    assert outcome.budget.limits[0].is_exceeded


async def test_a_budget_that_is_not_there_is_refused_without_a_recount(bench: Bench) -> None:
    with pytest.raises(BudgetNotFound):
        await bench.engine.update_budget(with_limit(bench, DAILY, "nobody"))

    assert bench.ledger.recounts == 0
