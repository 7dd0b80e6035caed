"""Rows: whatever is written of an entry, a budget, a count or a reservation comes back in the same field."""

import sqlite3
from collections import Counter as Tally
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from budgetd_server.domain.budget import Action, BudgetState, Counter, Limit, ResetMode, Sums, Unit
from budgetd_server.domain.entry import Cause, CostSource, Entry, EntryFields, EntryKind
from budgetd_server.domain.reservation import OnExpiry, Reservation, ReservationState
from budgetd_server.domain.usage import CallTerms, Parts, Usage
from budgetd_server.domain.window import Fixed, Span
from budgetd_server.ledger import budgets, columns, rows
from budgetd_server.ledger.columns import LISTS, with_columns
from budgetd_server.ledger.sqlite.file import connect, open_file
from budgetd_server.ledger.sqlite.statements import SqliteStatements

STATEMENTS = SqliteStatements()
SQL = STATEMENTS.sql
PROJECT_KEY, BUDGET_KEY = 101, 102
#: Above every other number here.
NEWEST = 10**6

LIMIT = Limit(
    limit_id="daily",
    unit=Unit.TOKENS,
    amount=201,
    window=Fixed(length_us=202_000_000, anchor_at_us=203),
    models=("gpt-*", "claude"),
    action=Action.WARN,
    reset_mode=ResetMode.ON_REQUEST,
    alert_ratios=(0.25, 0.75),
)
SUMS = Sums(*range(301, 308))
MAIN = Counter(replace(LIMIT, limit_id="", amount=211), Span(204, 205), 206, SUMS, 207, 208, 209, 5)
NAMED = Counter(LIMIT, Span(214, 215), 216, Sums(*range(311, 318)), 217, 218, 219, 6)
BUDGET = BudgetState(
    project_key=PROJECT_KEY,
    budget_key=BUDGET_KEY,
    budget_id="alice",
    parent_key=103,
    parent_id="team",
    is_template=True,
    labels={"tier": "gold", "city": "Ghent"},
    version=104,
    created_at_us=105,
    updated_at_us=106,
    deleted_at_us=107,
    main=MAIN,
    named={"daily": NAMED},
    models_count=108,
    lifetime_cost_nano_usd=109,
    last_seq=110,
)
PARENT = replace(BUDGET, budget_key=103, budget_id="team", parent_key=None, parent_id="", named={}, deleted_at_us=None)
ENTRY = Entry(
    project_key=PROJECT_KEY,
    seq=401,
    budget_key=BUDGET_KEY,
    previous_seq=402,
    kind=EntryKind.SETTLE,
    created_at_us=403,
    cost_nano_usd=404,
    usage=Usage(405, 406, 407, 408, 409, Parts(*range(501, 501 + len(Parts._fields)))),
    model="gpt-4o",
    request_id="request",
    labels={"city": "Ghent"},
    reason="why",
    event_at_us=410,
    price_version="prices",
    windows_skipped=411,
    calls=412,
    cost_source=CostSource.USAGE,
    other_names=("openai/gpt-4o", "4o"),
    reservation_seq=413,
    adjusted_seq=414,
    is_estimated=True,
    is_late=False,
    overage_nano_usd=415,
    limit_id="daily",
    cause=Cause.BUDGET_DELETED,
    terms=CallTerms("groq", "flex", is_batch=True, inference_geo="us"),
    unread_fields=("usage.new",),
    other_keys=(103,),
)
RESERVATION = Reservation(
    project_key=PROJECT_KEY,
    seq=ENTRY.seq,
    budget_key=BUDGET_KEY,
    budget_id="alice",
    other_keys=ENTRY.other_keys,
    model=ENTRY.model,
    other_names=ENTRY.other_names,
    labels=ENTRY.labels,
    provider=ENTRY.terms.provider,
    on_expiry=OnExpiry.COMMIT,
    created_at_us=601,
    expires_at_us=602,
    state=ReservationState.EXPIRED,
    held_nano_usd=603,
    held_usage=Usage(604, 605),
    held_calls=606,
    ended_at_us=607,
    ended_seq=608,
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a file that holds the two budgets."""
    open_file(tmp_path / "budgetd.db", migrates=False)
    connection = connect(tmp_path / "budgetd.db")
    connection.execute(SQL["insert_project"], (PROJECT_KEY, "chat"))
    for budget in (PARENT, BUDGET):
        connection.execute(SQL["save_budget"], rows.budget_row(budget))
        for counter in budget.counters():
            connection.execute(SQL["save_counter"], rows.counter_row(budget, counter))
    yield connection
    connection.close()


def put_entry(connection: sqlite3.Connection, entry: Entry) -> None:
    if rows.is_plain(entry):
        connection.execute(SQL["insert_plain_entry"], rows.plain_entry_row(entry))
    else:
        connection.execute(SQL["insert_entry"], rows.entry_row(entry))


def read_entry(connection: sqlite3.Connection) -> tuple[str, Entry]:
    parameters = {"project_key": PROJECT_KEY, "from_seq": NEWEST, "rows_max": 1}
    return rows.entry_from_row(connection.execute(SQL["walk_project"], parameters).fetchone())


def read_budget(connection: sqlite3.Connection) -> BudgetState:
    found = STATEMENTS.carried_out(connection, budgets.upwards(PROJECT_KEY, [BUDGET_KEY], is_deleting=False))
    return next(budget for budget in found if budget.budget_key == BUDGET_KEY)


def repeated(values: object) -> list[object]:
    """The values that occur twice; those that may be true or false cannot all be different."""
    assert isinstance(values, tuple)
    counts = Tally(value for value in values if not isinstance(value, bool) and value not in {None, 0, 1, 2})
    return [value for value, count in counts.items() if count > 1]


# --- Every field in its column.


def test_an_entry_with_another_value_in_each_field_comes_back(connection: sqlite3.Connection) -> None:
    assert repeated(rows.entry_row(ENTRY)) == []

    put_entry(connection, ENTRY)

    assert read_entry(connection) == ("alice", ENTRY)


def test_an_entry_that_fills_all_columns_of_a_plain_one_is_written_as_one_and_comes_back(
    connection: sqlite3.Connection,
) -> None:
    usual = {name: Entry._field_defaults[name] for name in rows._RARE}  # noqa: SLF001
    plain = ENTRY._replace(**usual)._replace(usage=Usage(405, 406, 407, 408, 409))
    assert rows.is_plain(plain)

    put_entry(connection, plain)

    assert read_entry(connection) == ("alice", plain)


@pytest.mark.parametrize("name", rows._RARE)  # noqa: SLF001
def test_an_entry_with_one_rare_field_is_not_written_as_a_plain_one(connection: sqlite3.Connection, name: str) -> None:
    first = Entry(PROJECT_KEY, 1, BUDGET_KEY, 0, EntryKind.CHARGE, 403)
    value: Any = True if name == "is_late" else getattr(ENTRY, name)
    entry = first._replace(**{name: value})

    put_entry(connection, entry)

    assert read_entry(connection) == ("alice", entry)


def test_a_budget_with_another_value_in_each_field_comes_back(connection: sqlite3.Connection) -> None:
    written = rows.budget_row(BUDGET) + rows.counter_row(BUDGET, BUDGET.main)
    assert repeated(written[: len(columns.BUDGET)] + written[len(columns.BUDGET) + 3 :]) == []

    assert read_budget(connection) == BUDGET


def test_every_field_of_a_budget_that_a_change_of_configuration_may_change_is_changed(
    connection: sqlite3.Connection,
) -> None:
    changed = replace(BUDGET, parent_key=None, parent_id="", labels={}, version=704, created_at_us=705)
    changed = replace(changed, updated_at_us=706, deleted_at_us=None)

    connection.execute(SQL["save_budget"], rows.budget_row(changed))

    assert read_budget(connection) == changed


@pytest.mark.parametrize("limit_id", ["", "daily"])
@pytest.mark.parametrize("statement", ["save_count", "save_counter"])
def test_every_part_of_a_count_that_a_charge_changes_is_changed(
    connection: sqlite3.Connection, limit_id: str, statement: str
) -> None:
    budget = read_budget(connection)
    counter = budget.counter(limit_id)
    assert counter is not None
    counter.sums = Sums(*range(801, 808))
    counter.burn_rate_per_hour, counter.burn_at_us, counter.held, counter.alerts_fired = 811, 812, 813, 7
    budget.models_count, budget.lifetime_cost_nano_usd, budget.last_seq = 814, 815, 816
    row = rows.count_row if statement == "save_count" else rows.counter_row

    connection.execute(SQL[statement], row(budget, counter))

    found = read_budget(connection)
    assert found.counter(limit_id) == counter
    if not limit_id:
        assert found == budget


def test_the_sums_of_a_model_come_back(connection: sqlite3.Connection) -> None:
    connection.execute(SQL["save_model"], rows.model_row(BUDGET, "gpt-4o", SUMS))

    ((key, model, *sums),) = connection.execute(
        SQL["load_all_models"], {"project_key": PROJECT_KEY, "keys": f"[{BUDGET_KEY}]"}
    )
    assert (key, model, Sums(*sums)) == (BUDGET_KEY, "gpt-4o", SUMS)


def test_a_reservation_with_another_value_in_each_field_comes_back_and_so_do_its_changes(
    connection: sqlite3.Connection,
) -> None:
    assert repeated(rows.reservation_row(RESERVATION)) == []
    put_entry(connection, ENTRY._replace(kind=EntryKind.HOLD))
    parameters = {"project_key": PROJECT_KEY, "from_seq": NEWEST, "rows_max": 1}
    changed = replace(RESERVATION, state=ReservationState.RELEASED, held_nano_usd=703, held_usage=Usage(704, 705))
    changed = replace(changed, held_calls=706, ended_at_us=707, ended_seq=708, expires_at_us=709)

    for reservation in (RESERVATION, changed):
        connection.execute(SQL["save_reservation"], rows.reservation_row(reservation))

        found = rows.reservation_from_row(connection.execute(SQL["list_reservations"], parameters).fetchone())
        assert found == reservation


# --- The lists of columns.


def test_each_table_has_the_columns_of_its_lists_and_no_others(connection: sqlite3.Connection) -> None:
    def stored(table: str) -> set[str]:
        return {str(name) for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))}

    key = {"project_key", "budget_key", "is_model", "limit_id", "model"}
    assert stored("entries") == set(columns.STORED_ENTRY)
    assert stored("budgets") == set(columns.BUDGET)
    assert stored("counters") == key | set(columns.CONFIGURED_COUNT)
    assert stored("reservations") == set(columns.RESERVATION)


def test_a_list_names_no_column_twice() -> None:
    assert [name for name, each in LISTS.items() if len(set(each)) < len(each)] == []


def test_a_statement_that_names_no_list_of_columns_is_refused() -> None:
    assert with_columns("SELECT {c.TOTALS}") == "SELECT c.models_count, c.lifetime_cost_nano_usd, c.last_seq"
    with pytest.raises(KeyError, match="TOTAL"):
        with_columns("SELECT {c.TOTAL}")


def test_what_a_rule_may_say_of_an_entry_is_every_field_beyond_its_place() -> None:
    assert tuple(EntryFields.__annotations__) == tuple(Entry._field_defaults)
    assert {name: str(kind) for name, kind in EntryFields.__annotations__.items()} == {
        name: str(kind) for name, kind in Entry.__annotations__.items() if name in Entry._field_defaults
    }


def test_the_fields_of_a_counter_that_are_kept_as_they_are_come_last() -> None:
    assert tuple(field.name for field in fields(Counter))[4:] == columns.COUNTER_FIELDS
