"""What every ledger keeps of trees, limits and reservations, when it is opened again and when two share a store."""

import asyncio

import pytest

from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.budget import Action, Limit, Unit
from budgetd_server.domain.commands import AdjustCost, DeleteBudget, Outcome, Sweep
from budgetd_server.domain.errors import BudgetNotFound, HasOpenReservations, RefundExceedsEntry
from budgetd_server.domain.queries import Due, ReservationQuery
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.results import Deleted, Settled
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed
from budgetd_server.ledger.base import Ledger
from tests.domain.desk import DAY_US, HOUR_US, MONDAY_US, PROJECT, charge, limited, request
from tests.domain.holding_desk import (
    MINUTE_US,
    commit_hold,
    extend_hold,
    limits_of,
    move,
    release_hold,
    reserve,
    with_limits,
)
from tests.ledger.stores import Store, carry_out, commit

ALICE = (PROJECT, "alice")
EVERYTHING = Limit(
    limit_id="all of it",
    unit=Unit.TOKENS,
    amount=10**18,
    window=Calendar(unit=CalendarUnit.WEEK, time_zone="Europe/Berlin"),
    models=("gpt-4*", "ü'\"%"),
    action=Action.WARN,
    alert_ratios=(0.1, 0.25, 9.5),
)
CALLS = Limit(limit_id="calls", unit=Unit.CALLS, amount=3, alert_ratios=())


async def test_limits_parents_and_holds_are_the_same_when_the_store_is_opened_again(
    store: Store, ledger: Ledger
) -> None:
    await carry_out(ledger, with_limits(limited(100, every_us=DAY_US), budget_id="team", is_template=False))
    await carry_out(ledger, with_limits(limited(50), EVERYTHING, CALLS, parent_id="team"))
    await carry_out(ledger, reserve(7, model="gpt-4o", usage=Usage(3, 4)), charge(2, model="gpt-4", usage=Usage(1, 1)))

    other = await store.open()
    loaded = (await other.load_budgets([ALICE]))[ALICE]
    (line,) = await other.lineage(PROJECT, ["alice"])
    await other.close()

    assert loaded.limits() == (limited(50), EVERYTHING, CALLS)
    assert [(each.budget_id, each.parent_id, each.main.held) for each in line] == [
        ("alice", "team", 7),
        ("team", "", 7),
    ]
    assert [(counter.spent, counter.held) for counter in loaded.counters()] == [(2, 7), (2, 7), (1, 1)]
    assert [counter.alerts_fired for counter in line[1].counters()] == [0]


async def test_a_hold_is_settled_on_the_budgets_that_it_was_made_on(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(budget_id="old"), with_limits(budget_id="new"), with_limits(budget_id="tag"))
    await carry_out(ledger, with_limits(parent_id="old"))
    (hold,) = await carry_out(ledger, reserve(9, also=["tag", "alice", "tag"]))
    await carry_out(ledger, move("new"))

    await carry_out(ledger, commit_hold(hold.entry_seq, 5))

    budgets = await ledger.load_budgets([(PROJECT, name) for name in ("alice", "old", "new", "tag")])
    spent = {name: budget.main.sums.cost_nano_usd for (_, name), budget in budgets.items()}
    assert spent == {"alice": 5, "old": 5, "new": 0, "tag": 5}
    assert not any(budget.main.held for budget in budgets.values())


async def test_a_hold_and_its_end_may_be_in_one_batch(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(limited(10)))

    results = await commit(ledger, reserve(6), commit_hold(2, 4), reserve(6), reserve(1), release_hold(4), reserve(6))

    assert [isinstance(result, Outcome) for result in results] == [True, True, True, False, True, True]


async def test_two_ledgers_that_hold_at_once_pass_no_limit(store: Store, ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(limited(50), budget_id="team"), with_limits(parent_id="team"))
    other = await store.open()

    pairs = await asyncio.gather(*(commit(each, reserve(1), reserve(1)) for _ in range(40) for each in (ledger, other)))
    await other.close()

    results = [result for pair in pairs for result in pair]
    assert sum(isinstance(result, Outcome) for result in results) == 50
    assert all(isinstance(result, Outcome | BudgetExceeded) for result in results)


async def test_holds_that_are_due_are_found_however_often_their_expiry_was_moved(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits())
    holds = [
        outcome.entry_seq
        for outcome in await carry_out(ledger, *(reserve(1, ttl_us=minutes * MINUTE_US) for minutes in (1, 2, 3)))
    ]
    await carry_out(ledger, extend_hold(holds[0], HOUR_US), extend_hold(holds[2], MINUTE_US))
    await carry_out(ledger, release_hold(holds[1]))

    assert await ledger.due(MONDAY_US + MINUTE_US - 1, 10) == Due([], [])
    assert (await ledger.due(MONDAY_US + 10 * MINUTE_US, 10)).holds == [(PROJECT, holds[2])]
    assert (await ledger.due(MONDAY_US + HOUR_US, 1)).holds == [(PROJECT, holds[2])]


async def test_windows_that_are_over_are_found_until_they_are_rolled_or_their_budget_is_deleted(ledger: Ledger) -> None:
    daily = limited(5, every_us=DAY_US)
    hourly = Limit(limit_id="hourly", amount=5, window=Fixed(length_us=HOUR_US, anchor_at_us=MONDAY_US))
    await carry_out(ledger, *(with_limits(daily, hourly, budget_id=name) for name in ("a", "b", "c")))
    await carry_out(ledger, with_limits(limited(5), budget_id="d"))
    later = MONDAY_US + HOUR_US

    assert (await ledger.due(later, 10)).budgets == [(PROJECT, "a"), (PROJECT, "b"), (PROJECT, "c")]
    await carry_out(ledger, charge(1, budget_id="a"), now_us=later)
    await carry_out(
        ledger, DeleteBudget(project_id=PROJECT, budget_id="b", request=request(None, "delete")), now_us=later
    )
    assert (await ledger.due(later, 10)).budgets == [(PROJECT, "c")]
    (swept,) = await commit(ledger, Sweep(project_id=PROJECT, budget_ids=["a", "b", "c", "no"]), now_us=later)
    assert isinstance(swept, Outcome)
    assert (swept.result.changes_count, (await ledger.due(later, 10)).budgets) == (1, [])


async def test_reservations_are_listed_newest_first_in_pages(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(budget_id="tag"), with_limits(), with_limits(budget_id="bob"))
    made = await carry_out(
        ledger, *(reserve(n, budget_id=name, also=["tag"]) for n in (1, 2, 3) for name in ("alice", "bob"))
    )
    seqs = [outcome.entry_seq for outcome in made]
    await carry_out(ledger, release_hold(seqs[0]))

    page = await ledger.list_reservations(ReservationQuery(project_id=PROJECT, page_size=4))
    rest = await ledger.list_reservations(ReservationQuery(project_id=PROJECT, from_seq=page.next_seq))
    of_alice = await ledger.list_reservations(
        ReservationQuery(project_id=PROJECT, budget_id="alice", state=ReservationState.OPEN)
    )

    assert [each.seq for each in (*page.reservations, *rest.reservations)] == seqs[::-1]
    assert rest.next_seq is None
    assert [each.held_nano_usd for each in of_alice.reservations] == [3, 2]
    assert [of_alice.names[key] for key in of_alice.reservations[0].other_keys] == ["tag"]
    with pytest.raises(BudgetNotFound):
        await ledger.list_reservations(ReservationQuery(project_id=PROJECT, budget_id="nobody"))


async def test_an_estimate_that_is_corrected_counts_where_it_still_does(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(limited(100, every_us=HOUR_US)))
    (hold,) = await carry_out(ledger, reserve(9, ttl_us=MINUTE_US, on_expiry=OnExpiry.COMMIT, usage=Usage(5, 5)))
    await carry_out(ledger, charge(1), now_us=MONDAY_US + 2 * HOUR_US)
    await carry_out(
        ledger, Sweep(project_id=PROJECT, reservation_seqs=[hold.entry_seq]), now_us=MONDAY_US + 2 * HOUR_US
    )

    (late,) = await carry_out(ledger, commit_hold(hold.entry_seq, 4, usage=Usage(2, 1)), now_us=MONDAY_US + 3 * HOUR_US)

    budget = (await ledger.load_budgets([ALICE]))[ALICE]
    assert late.result == Settled(4, released_nano_usd=5, overage_nano_usd=0, is_late=True)
    assert (budget.main.sums.cost_nano_usd, budget.lifetime_cost_nano_usd) == (0, 5)


async def test_refunds_of_one_entry_are_added_up_across_batches(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits())
    (spent,) = await carry_out(ledger, charge(10))

    def refund(amount: int) -> AdjustCost:
        return AdjustCost(
            project_id=PROJECT,
            budget_id="alice",
            request=request(None, "refund", amount),
            amount_nano_usd=-amount,
            reason="a refund",
            entry_seq=spent.entry_seq,
        )

    await carry_out(ledger, refund(4), refund(3))
    results = await commit(ledger, refund(4), refund(3), refund(1))

    assert [isinstance(result, RefundExceedsEntry) for result in results] == [True, False, True]


async def test_a_budget_with_open_holds_is_deleted_by_force_alone_and_the_holds_are_released(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(budget_id="team"), with_limits(parent_id="team"), with_limits(budget_id="bob"))
    (mine,) = await carry_out(ledger, reserve(1))
    (other,) = await carry_out(ledger, reserve(2, budget_id="bob", also=["alice"]))

    def delete(budget_id: str, *, force: bool) -> DeleteBudget:
        asked = request(None, "delete", budget_id, force)
        return DeleteBudget(project_id=PROJECT, budget_id=budget_id, request=asked, force=force)

    refused = await commit(ledger, delete("alice", force=False))
    assert isinstance(refused[0], HasOpenReservations)
    (deleted,) = await carry_out(ledger, delete("team", force=True))
    await carry_out(ledger, commit_hold(other.entry_seq, 2))

    states = [await ledger.reservation(PROJECT, each.entry_seq) for each in (mine, other)]
    assert deleted.result == Deleted(2)
    assert [each[0].state.name for each in states if each is not None] == ["RELEASED", "COMMITTED"]
    assert (await ledger.load_budgets([(PROJECT, "bob")]))[(PROJECT, "bob")].lifetime_cost_nano_usd == 2


async def test_a_limit_that_is_removed_and_added_again_starts_at_zero(ledger: Ledger) -> None:
    await carry_out(ledger, with_limits(CALLS), reserve(1), charge(1))
    await carry_out(ledger, limits_of())
    assert (await ledger.load_budgets([ALICE]))[ALICE].named == {}

    results = await commit(ledger, limits_of(CALLS))

    assert not isinstance(results[0], Outcome), "its count has to be read first"


@pytest.mark.parametrize(
    ("now_us", "open_nano_usd", "expired_nano_usd"), [(0, [2, 1], []), (MONDAY_US + HOUR_US, [2], [1])]
)
async def test_reservations_are_listed_by_what_has_become_of_them_at_the_time_of_the_query(
    ledger: Ledger, now_us: int, open_nano_usd: list[int], expired_nano_usd: list[int]
) -> None:
    await carry_out(ledger, with_limits())
    await carry_out(ledger, reserve(1, ttl_us=HOUR_US), reserve(2, ttl_us=HOUR_US + 1))

    async def held(state: ReservationState) -> list[int]:
        page = await ledger.list_reservations(ReservationQuery(project_id=PROJECT, state=state, now_us=now_us))
        return [each.held_nano_usd for each in page.reservations]

    assert await held(ReservationState.OPEN) == open_nano_usd
    assert await held(ReservationState.EXPIRED) == expired_nano_usd
