"""Every value comes back from the store as it went in: names of any script, great numbers, every kind of limit."""

from typing import Any

import pytest

from budgetd_server.domain.bounds import COUNTER_MAX, LIMIT_AMOUNT_MAX
from budgetd_server.domain.budget import Action, Limit, Sums
from budgetd_server.domain.entry import Cause, CostSource
from budgetd_server.domain.errors import BudgetNotFound
from budgetd_server.domain.usage import CallTerms, Parts, Usage
from budgetd_server.domain.window import Calendar, CalendarUnit, Fixed, Weekday
from budgetd_server.ledger.base import Ledger
from tests.domain.desk import ALICE, DAY_US, MONDAY_US, PROJECT, charge, create, limited, update
from tests.ledger.stores import all_entries, carry_out, commit

PLACE = (PROJECT, ALICE)

#: Each is an id of its own: composed and decomposed letters, cases and spaces are never taken for one another.
STRANGE_IDS = [
    "caf\u00e9",
    "cafe\u0301",
    "CAF\u00c9",
    "naïve 🙂",
    "👩‍👩‍👧‍👦",
    "العربية",
    "漢字",
    "a",
    "A",
    " a",
    "a ",
    "0",
    "1",
    "-1",
    "1.0",
    "1e3",
    "null",
    "*",
    "a*",
    "%",
    "_",
    "?",
    ":ids",
    "'; DROP TABLE entries; --",
    'quote"back\\slash`',
    '["a"]',
    '{"a": 1}',
    "\U0010ffff",
    "x" * 256,
    "ß" * 128,
]


async def test_strange_ids_are_ids_of_their_own(ledger: Ledger) -> None:
    await carry_out(ledger, *(create(budget_id=each, labels={each[:63]: each}) for each in STRANGE_IDS))
    await carry_out(
        ledger,
        *(charge(n, budget_id=each, model=each, request_id=f"{n}") for n, each in enumerate(STRANGE_IDS, start=1)),
    )

    places = [(PROJECT, each) for each in STRANGE_IDS]
    loaded = await ledger.load_budgets(places, places)
    assert loaded.keys() == set(places)
    for number, each in enumerate(STRANGE_IDS, start=1):
        budget = loaded[(PROJECT, each)]
        assert (budget.budget_id, budget.labels) == (each, {each[:63]: each})
        assert budget.models == {each: Sums(number, calls=1)}
        ((_, charged), _) = await all_entries(ledger, budget_id=each)
        assert (charged.cost_nano_usd, charged.model) == (number, each)


@pytest.mark.parametrize("project_id", STRANGE_IDS)
async def test_a_project_may_have_any_name(ledger: Ledger, project_id: str) -> None:
    await carry_out(ledger, create(project_id=project_id), charge(5, project_id=project_id))

    budget = (await ledger.load_budgets([(project_id, ALICE)]))[(project_id, ALICE)]
    assert budget.main.sums.cost_nano_usd == 5


async def test_visible_characters_of_every_kind_make_request_ids_of_their_own(ledger: Ledger) -> None:
    ids = ["a", "A", "'", '"', "\\", "%", "*", "0", "00", "~!@#$%^&*()_+", "x" * 64]
    await carry_out(ledger, create())

    first = await carry_out(ledger, *(charge(1, request_id=each) for each in ids))
    second = await carry_out(ledger, *(charge(1, request_id=each) for each in ids))

    assert [outcome.replayed for outcome in first] == [False] * len(ids)
    assert [outcome.entry_seq for outcome in second] == [outcome.entry_seq for outcome in first]


# --- Projects.


async def test_projects_know_nothing_of_each_other(ledger: Ledger) -> None:
    await carry_out(ledger, create(limited(1)), create(limited(2), project_id="bank"))
    await carry_out(ledger, charge(5, request_id="one"), charge(7, request_id="one", project_id="bank"))
    results = await commit(ledger, create(budget_id="bob"), charge(1, budget_id="bob", project_id="bank"))

    loaded = await ledger.load_budgets([PLACE, ("bank", ALICE), ("bank", "bob")])
    assert isinstance(results[1], BudgetNotFound)
    assert {place: budget.main.sums.cost_nano_usd for place, budget in loaded.items()} == {PLACE: 5, ("bank", ALICE): 7}
    assert [entry.seq for _, entry in await all_entries(ledger, "bank")] == [2, 1]
    assert [entry.seq for _, entry in await all_entries(ledger)] == [3, 2, 1]


async def test_a_batch_may_make_several_projects(ledger: Ledger) -> None:
    names = [f"project {number}" for number in range(5)]

    await carry_out(ledger, *(create(project_id=name) for name in names))
    await carry_out(ledger, *(charge(n, project_id=name) for n, name in enumerate(names)))

    loaded = await ledger.load_budgets([(name, ALICE) for name in names])
    assert [loaded[(name, ALICE)].main.sums.cost_nano_usd for name in names] == [0, 1, 2, 3, 4]


# --- Numbers, labels, limits, entries.


async def test_the_greatest_numbers_come_back_exactly(ledger: Ledger) -> None:
    usage = Usage(COUNTER_MAX - 1, 1, COUNTER_MAX - 1, 0, 1)
    await carry_out(ledger, create(limited(LIMIT_AMOUNT_MAX)), charge(COUNTER_MAX, model="gpt", usage=usage))

    budget = (await ledger.load_budgets([PLACE], [PLACE]))[PLACE]
    assert budget.main.sums == budget.models["gpt"] == Sums(COUNTER_MAX, *usage[:-1], 1)
    assert budget.lifetime_cost_nano_usd == COUNTER_MAX
    assert budget.main.limit == limited(LIMIT_AMOUNT_MAX)
    assert (await all_entries(ledger))[0][1].usage == usage


async def test_times_before_1970_and_far_ahead_come_back_exactly(ledger: Ledger) -> None:
    for number, now_us in enumerate((-(10**15) - 1, 0, 253_402_300_799_999_999)):
        await carry_out(ledger, create(budget_id=f"{number}"), now_us=now_us)

    assert [entry.created_at_us for _, entry in await all_entries(ledger)] == [
        253_402_300_799_999_999,
        0,
        -(10**15) - 1,
    ]


@pytest.mark.parametrize(
    "labels",
    [{}, {"a": ""}, {"b": "2", "a": "1"}, {"é": "🙂", "e\u0301": '"\\'}, {f"k{n}": "v" * 256 for n in range(64)}],
    ids=["none", "an empty value", "two", "of any script", "as many as may be"],
)
async def test_labels_come_back_as_they_were(ledger: Ledger, labels: dict[str, str]) -> None:
    await carry_out(ledger, create(labels=labels), charge(1, labels=labels))

    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    (_, charged), (_, created) = await all_entries(ledger)
    assert budget.labels == labels
    assert (charged.labels or {}, created.labels or {}) == (labels, labels)


async def test_labels_can_be_changed_and_taken_away(ledger: Ledger) -> None:
    await carry_out(ledger, create(labels={"a": "1"}))
    await carry_out(ledger, update(sets_limits=False, labels={"b": "2"}))
    changed = (await ledger.load_budgets([PLACE]))[PLACE].labels
    await carry_out(ledger, update(sets_limits=False, labels={}))

    assert changed == {"b": "2"}
    assert (await ledger.load_budgets([PLACE]))[PLACE].labels == {}


@pytest.mark.parametrize(
    "limit",
    [
        None,
        limited(0),
        limited(5, action=Action.WARN),
        limited(5, window=Fixed(length_us=DAY_US + 1, anchor_at_us=-7)),
        limited(5, every_us=DAY_US, on_request=True),
        limited(5, window=Calendar(unit=CalendarUnit.MONTH, count=6, time_zone="America/Argentina/Buenos_Aires")),
        limited(5, window=Calendar(unit=CalendarUnit.WEEK, time_zone="UTC", first_weekday=Weekday.SUNDAY)),
    ],
    ids=["none", "zero", "a warning", "fixed", "on request", "calendar", "weeks from Sunday"],
)
async def test_limits_come_back_as_they_were(ledger: Ledger, limit: Limit | None) -> None:
    await carry_out(ledger, create(limit))

    budget = (await ledger.load_budgets([PLACE]))[PLACE]
    assert budget.main.limit == limit
    assert (budget.created_at_us, budget.updated_at_us, budget.deleted_at_us) == (MONDAY_US, MONDAY_US, None)


async def test_an_entry_comes_back_with_every_field(ledger: Ledger) -> None:
    usage = Usage(50, 40, 30, 20, 10)
    command = charge(7, model="gpt", usage=usage, labels={"a": "1"}, request_id="one")
    await carry_out(ledger, create(limited(5, every_us=DAY_US)))

    await carry_out(ledger, command._replace(event_at_us=MONDAY_US - 5), now_us=MONDAY_US + 3 * DAY_US)

    (budget_id, charged), (_, rolled), (_, created) = await all_entries(ledger)
    assert budget_id == ALICE
    assert (charged.seq, charged.previous_seq, rolled.previous_seq, created.previous_seq) == (3, 2, 1, 0)
    assert (charged.cost_nano_usd, charged.usage, charged.model, charged.request_id) == (7, usage, "gpt", "one")
    assert (charged.labels, charged.event_at_us, charged.price_version) == ({"a": "1"}, MONDAY_US - 5, "v1")
    assert (charged.created_at_us, charged.windows_skipped, rolled.windows_skipped) == (MONDAY_US + 3 * DAY_US, 0, 2)
    assert (created.usage, created.labels, created.event_at_us, rolled.cause) == (None, None, None, Cause.WINDOW_ENDED)


async def test_an_entry_is_returned_with_everything_about_its_call(ledger: Ledger) -> None:
    usage = Usage(50, 40, 30, 20, 10, Parts(audio_input_tokens=5, cache_write_1h_tokens=3, pages=2))
    reported: dict[str, Any] = {
        "other_names": ("openai/gpt", "gpt"),
        "cost_source": CostSource.PROVIDER,
        "terms": CallTerms("openai", "flex", is_batch=True, inference_geo="us"),
        "unread_fields": ("usage.new_tokens", "usage.ünread"),
    }
    await carry_out(ledger, create(), charge(7, model="gpt-2", usage=usage)._replace(**reported))

    (_, entry), _ = await all_entries(ledger)

    assert entry.usage == usage
    assert {name: getattr(entry, name) for name in reported} == reported


async def test_no_usage_and_a_usage_of_nothing_are_two_things(ledger: Ledger) -> None:
    await carry_out(ledger, create(), charge(1), charge(1, usage=Usage()))

    (_, nothing), (_, untold), _ = await all_entries(ledger)
    assert (nothing.usage, untold.usage) == (Usage(), None)
