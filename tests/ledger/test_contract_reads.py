"""What every ledger answers to those who only look: budgets and entries in pages, and recounts."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from budgetd_server.domain.budget import MAIN, Sums
from budgetd_server.domain.commands import Command, UpdateBudget
from budgetd_server.domain.entry import Entry, EntryKind
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.queries import BudgetQuery, EntryQuery
from budgetd_server.domain.recount import Recount, begin_recount
from budgetd_server.ledger.base import Ledger
from tests.domain.desk import (
    ALICE,
    DAY_US,
    HOUR_US,
    MONDAY_US,
    PROJECT,
    adjust,
    charge,
    create,
    delete,
    limited,
    reset,
    update,
)
from tests.ledger.stores import all_entries, carry_out

PLACE = (PROJECT, ALICE)
DAILY = limited(100, every_us=DAY_US)


async def ids(ledger: Ledger, **query: object) -> list[str]:
    """The ids of one page of budgets."""
    page = await ledger.list_budgets(replace(BudgetQuery(project_id=PROJECT), **query))  # type: ignore[arg-type]
    return [budget.budget_id for budget in page]


# --- Budgets.


async def test_only_budgets_that_live_are_loaded(ledger: Ledger) -> None:
    await carry_out(ledger, create(), create(budget_id="bob"), create(budget_id="carol", project_id="bank"))
    await carry_out(ledger, delete(budget_id="bob"))

    loaded = await ledger.load_budgets([PLACE, (PROJECT, "bob"), (PROJECT, "carol"), ("bank", "carol"), ("no", "no")])

    assert loaded.keys() == {PLACE, ("bank", "carol")}


async def test_models_are_loaded_for_those_that_are_asked_for(ledger: Ledger) -> None:
    await carry_out(ledger, create(), create(budget_id="bob"), create(project_id="bank"))
    for place in (("shop", ALICE), ("shop", "bob"), ("bank", ALICE)):
        await carry_out(ledger, charge(1, model="gpt", project_id=place[0], budget_id=place[1]))

    loaded = await ledger.load_budgets([PLACE, (PROJECT, "bob"), ("bank", ALICE)], [PLACE, ("bank", ALICE)])

    models = {place: budget.models for place, budget in loaded.items()}
    assert models == {
        PLACE: {"gpt": Sums(1, calls=1)},
        (PROJECT, "bob"): {},
        ("bank", ALICE): {"gpt": Sums(1, calls=1)},
    }


async def test_loading_nothing_gives_nothing(ledger: Ledger) -> None:
    assert await ledger.load_budgets([]) == {}


async def test_budgets_are_listed_in_order_of_creation_page_by_page(ledger: Ledger) -> None:
    names = ["zoe", "adam", "mia", "bob", "eve"]
    await carry_out(ledger, *(create(budget_id=name) for name in names), create(project_id="bank"))
    await carry_out(ledger, charge(1, budget_id="zoe"), create(budget_id="adam", replaces=True))

    pages, after_key = [], 0
    while page := await ledger.list_budgets(BudgetQuery(project_id=PROJECT, after_key=after_key, rows_max=2)):
        pages.append([budget.budget_id for budget in page])
        after_key = page[-1].budget_key

    assert pages == [["zoe", "adam"], ["mia", "bob"], ["eve"]]


async def test_deleted_budgets_are_listed_only_if_asked_for(ledger: Ledger) -> None:
    await carry_out(ledger, create(), create(budget_id="bob"))
    await carry_out(ledger, delete(), create())

    page = await ledger.list_budgets(BudgetQuery(project_id=PROJECT, with_deleted=True))

    assert await ids(ledger) == ["bob", ALICE]
    assert [(each.budget_id, each.deleted_at_us) for each in page] == [(ALICE, MONDAY_US), ("bob", None), (ALICE, None)]


async def test_budgets_are_listed_with_their_models_if_asked_for(ledger: Ledger) -> None:
    await carry_out(ledger, create(), create(budget_id="bob"), charge(1, model="gpt"), charge(2, model="claude"))

    with_models = await ledger.list_budgets(BudgetQuery(project_id=PROJECT, with_models=True))
    without = await ledger.list_budgets(BudgetQuery(project_id=PROJECT))

    assert [each.models for each in with_models] == [{"gpt": Sums(1, calls=1), "claude": Sums(2, calls=1)}, {}]
    assert [each.models for each in without] == [{}, {}]


async def test_a_project_that_never_was_has_no_budgets(ledger: Ledger) -> None:
    assert await ids(ledger, project_id="nowhere") == []


# --- Entries.


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    """A ledger with a little of everything: seven entries of alice, two of bob, an hour between batches."""
    await carry_out(ledger, create(DAILY), create(DAILY, budget_id="bob", request_id="made"))
    batches: list[list[Command[Any]]] = [
        [charge(1, request_id="one", labels={"team": "red", "env": "test"}), charge(2, budget_id="bob")],
        [adjust(5), charge(3, labels={"team": "red"})],
        [reset(), charge(4, request_id="four", labels={"team": "blue"})],
        [update(sets_limits=False, labels={"a": "b"})],
    ]
    for hours, batch in enumerate(batches, start=1):
        await carry_out(ledger, *batch, now_us=MONDAY_US + hours * HOUR_US)
    return ledger


async def test_entries_of_a_project_are_listed_newest_first_with_their_budgets(filled: Ledger) -> None:
    entries = await all_entries(filled)

    assert [entry.seq for _, entry in entries] == [9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert [budget_id for budget_id, _ in entries] == [ALICE] * 5 + ["bob", ALICE, "bob", ALICE]


async def test_entries_of_a_budget_are_its_own(filled: Ledger) -> None:
    assert [entry.seq for _, entry in await all_entries(filled, budget_id="bob")] == [4, 2]
    assert [entry.seq for _, entry in await all_entries(filled, budget_id=ALICE)] == [9, 8, 7, 6, 5, 3, 1]


async def test_entries_of_a_budget_id_go_back_through_all_its_incarnations(filled: Ledger) -> None:
    await carry_out(filled, delete())
    after_deletion = [entry.seq for _, entry in await all_entries(filled, budget_id=ALICE)]
    await carry_out(filled, create(DAILY), delete(), create(DAILY))
    await carry_out(filled, charge(1))

    entries = await all_entries(filled, budget_id=ALICE)

    assert after_deletion == [10, 9, 8, 7, 6, 5, 3, 1]
    assert [entry.seq for _, entry in entries] == [14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 3, 1]
    assert len({entry.budget_key for _, entry in entries}) == 3


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"kinds": (EntryKind.ADJUST, EntryKind.RESET)}, [7, 5]),
        ({"kinds": (EntryKind.CREATE,)}, [2, 1]),
        ({"start_at_us": MONDAY_US + 2 * HOUR_US}, [9, 8, 7, 6, 5]),
        ({"end_at_us": MONDAY_US + 2 * HOUR_US}, [4, 3, 2, 1]),
        ({"start_at_us": MONDAY_US + HOUR_US, "end_at_us": MONDAY_US + HOUR_US + 1}, [4, 3]),
        ({"request_id": "four"}, [8]),
        ({"request_id": "made"}, [2]),
        ({"request_id": "never"}, []),
        ({"labels": {"team": "red"}}, [6, 3]),
        ({"labels": {"team": "red", "env": "test"}}, [3]),
        ({"labels": {"team": "green"}}, []),
        ({"labels": {"team": "red"}, "kinds": (EntryKind.ADJUST,)}, []),
        ({"budget_id": "bob", "kinds": (EntryKind.CHARGE,)}, [4]),
    ],
    ids=str,
)
async def test_entries_are_filtered(filled: Ledger, filters: dict[str, object], expected: list[int]) -> None:
    query = replace(EntryQuery(project_id=PROJECT, page_size=100), **filters)  # type: ignore[arg-type]

    page = await filled.list_entries(query)

    assert [entry.seq for _, entry in page.entries] == expected
    assert page.next_seq is None


@pytest.mark.parametrize("budget_id", ["", ALICE])
@pytest.mark.parametrize("kinds", [(), (EntryKind.CHARGE,), (EntryKind.DELETE,)], ids=["all", "charges", "deletions"])
@pytest.mark.parametrize(("page_size", "rows_max"), [(1, 100), (2, 100), (100, 1), (100, 2), (2, 3), (9, 9), (7, 7)])
async def test_pages_of_any_size_hold_every_entry_once(
    filled: Ledger, budget_id: str, kinds: tuple[EntryKind, ...], page_size: int, rows_max: int
) -> None:
    query = EntryQuery(project_id=PROJECT, budget_id=budget_id, kinds=kinds, page_size=page_size, rows_max=rows_max)
    found: list[Entry] = []
    next_seq: int | None = None
    for _ in range(20):
        page = await filled.list_entries(replace(query, from_seq=next_seq))
        assert len(page.entries) <= min(page_size, rows_max)
        found += [entry for _, entry in page.entries]
        next_seq = page.next_seq
        if next_seq is None:
            break

    everything = [entry for _, entry in await all_entries(filled, budget_id=budget_id)]
    assert next_seq is None
    assert found == [entry for entry in everything if not kinds or entry.kind in kinds]


async def test_a_page_goes_on_where_it_stopped_whatever_is_written_meanwhile(filled: Ledger) -> None:
    query = EntryQuery(project_id=PROJECT, page_size=5)
    first = await filled.list_entries(query)
    await carry_out(filled, charge(1), charge(2))

    second = await filled.list_entries(replace(query, from_seq=first.next_seq))

    assert [entry.seq for _, entry in second.entries] == [4, 3, 2, 1]


async def test_entries_of_a_budget_that_never_was_are_not_found(filled: Ledger) -> None:
    for project_id, budget_id in ((PROJECT, "nobody"), ("nowhere", ALICE)):
        with pytest.raises(BudgetNotFound):
            await all_entries(filled, project_id, budget_id)


async def test_a_project_that_never_was_has_no_entries(filled: Ledger) -> None:
    assert await all_entries(filled, "nowhere") == []


# --- Recounts.


def models(recount: Recount) -> Mapping[str, Sums]:
    """What a recount of the main limit has found, corrections and all."""
    return recount.limits[MAIN].completed().models


async def recounted(ledger: Ledger, command: UpdateBudget, *, rows_max: int = 2) -> UpdateBudget:
    """An update with the first step of its recount, taken in slices."""
    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    recount = begin_recount(budget, {MAIN: command.limits[0].limit}, MONDAY_US)
    await ledger.recount(recount, PROJECT, rows_max)
    return replace(command, recount=recount)


@pytest.mark.parametrize("rows_max", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("every_us", [HOUR_US, 3 * HOUR_US, DAY_US, None])
async def test_a_recount_in_slices_is_the_sum_of_all(ledger: Ledger, rows_max: int, every_us: int | None) -> None:
    await carry_out(ledger, create(limited(5)), charge(1000), now_us=MONDAY_US)
    await carry_out(ledger, reset(), now_us=MONDAY_US + HOUR_US)
    for hour in range(1, 6):
        batch: list[Command[Any]] = [
            charge(10**hour, model=f"m{hour % 2}"),
            create(budget_id=f"{hour}"),
            adjust(-hour, model=f"m{hour % 2}"),
        ]
        await carry_out(ledger, *batch, now_us=MONDAY_US + hour * HOUR_US)
    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    recount = begin_recount(budget, {MAIN: limited(5, every_us=every_us)}, MONDAY_US + 5 * HOUR_US)

    await ledger.recount(recount, PROJECT, rows_max)

    counted = range(1, 6) if every_us is None or every_us == DAY_US else range(5 if every_us == HOUR_US else 3, 6)
    expected = {hour: Sums(10**hour - hour, calls=1) for hour in counted}
    assert sum(sums.cost_nano_usd for sums in models(recount).values()) == sum(
        sums.cost_nano_usd for sums in expected.values()
    )
    assert sum(sums.calls for sums in models(recount).values()) == len(expected)
    assert recount.until_seq == (await all_entries(ledger))[0][1].seq


async def test_a_recount_stops_where_the_count_began_again(ledger: Ledger) -> None:
    await carry_out(ledger, create(limited(5)), charge(1), reset(), charge(2))
    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    recount: Recount = begin_recount(budget, {MAIN: DAILY}, MONDAY_US)

    await ledger.recount(recount, PROJECT, 100)

    assert (recount.limits[MAIN].since_seq, models(recount)) == (3, {"": Sums(2, calls=1)})


async def test_a_recount_adds_what_came_between_its_steps_in_the_store_and_in_the_batch(ledger: Ledger) -> None:
    await carry_out(ledger, create(DAILY), charge(1, model="gpt"))
    prepared = await recounted(ledger, update(limit=limited(500)))
    await carry_out(ledger, charge(2, model="gpt"))

    await carry_out(ledger, charge(4, model="claude"), prepared)

    budget = (await ledger.load_budgets([PLACE], [PLACE]))[PLACE]
    assert budget.models == {"gpt": Sums(3, calls=2), "claude": Sums(4, calls=1)}
    assert budget.main.sums == Sums(7, calls=3)


async def test_updates_with_different_first_steps_in_one_batch_count_every_entry_once(ledger: Ledger) -> None:
    await carry_out(ledger, create(limited(100, every_us=HOUR_US)), charge(1))
    early = await recounted(ledger, update(limit=DAILY))
    await carry_out(ledger, charge(2))
    late = await recounted(ledger, update(limit=DAILY, labels={"n": "2"}))

    await carry_out(ledger, charge(4), early, late, charge(8))

    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    assert budget.main.sums == Sums(15, calls=4)
