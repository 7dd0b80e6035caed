"""ListBudgets and ListEntries: order, pages, filters, and answers of bounded size."""

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.engine import engine as engines
from budgetd_server.rpc import answer_pages
from tests.rpc.running_server import NOW_US, PROJECT, SECOND_US, RunningServer

NOW_S = NOW_US // SECOND_US
CHARGE, CREATE, UPDATE = pb.ENTRY_KIND_CHARGE, pb.ENTRY_KIND_CREATE, pb.ENTRY_KIND_UPDATE


def budget_pages(server: RunningServer, page_size: int, **filters: Any) -> Iterator[list[str]]:
    """The ids of each page of ListBudgets."""
    request = service.ListBudgetsRequest(project_id=PROJECT, page_size=page_size, **filters)
    while True:
        answer = server.stub.ListBudgets(request)
        yield [budget.budget_id for budget in answer.budgets]
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


def budget_ids(server: RunningServer, **filters: Any) -> list[str]:
    """The ids of all budgets that pass the filters."""
    return [each for page in budget_pages(server, 3, **filters) for each in page]


def entry_pages(server: RunningServer, page_size: int, **filters: Any) -> Iterator[list[pb.Entry]]:
    """Each page of ListEntries."""
    request = service.ListEntriesRequest(project_id=PROJECT, page_size=page_size, **filters)
    while True:
        answer = server.stub.ListEntries(request)
        yield list(answer.entries)
        request.page_token = answer.next_page_token
        if not request.page_token:
            return


def costs(server: RunningServer, **filters: Any) -> list[int]:
    """The costs of all entries that pass the filters, newest first."""
    return [entry.cost_nano_usd for page in entry_pages(server, 3, **filters) for entry in page]


# --- Budgets.


def test_budgets_are_listed_in_order_of_creation_each_once_whatever_the_page(server: RunningServer) -> None:
    names = [f"b{n * 7 % 10}" for n in range(10)]
    for name in names:
        server.create(name)
    server.create("elsewhere", project_id="other")

    for page_size in (1, 3, 10, 11, 1_000):
        pages = list(budget_pages(server, page_size))

        assert [name for page in pages for name in page] == names
        assert all(len(page) <= page_size for page in pages)


def test_a_budget_that_is_created_between_two_pages_comes_in_the_last_one(server: RunningServer) -> None:
    server.create("a")
    server.create("b")
    pages = budget_pages(server, 1)
    assert next(pages) == ["a"]

    server.create("0")

    assert [name for page in pages for name in page] == ["b", "0"]


def test_pages_have_fifty_budgets_by_default_and_a_thousand_at_most(server: RunningServer) -> None:
    server.create_many(f"b{n}" for n in range(1_001))

    assert len(next(budget_pages(server, 0))) == 50
    assert len(next(budget_pages(server, 2**31 - 1))) == 1_000


def test_filters_are_all_optional_and_all_must_pass(server: RunningServer) -> None:
    for name, team, spent in (("ann", "x", 1), ("anton", "x", 5), ("bea", "x", 9), ("anna", "y", 9)):
        server.create(name, pb.Limit(amount=10), labels={"team": team, "all": "1"})
        server.charge(spent, name)
    server.create("anton without", labels={"team": "x"})

    assert budget_ids(server, id_prefix="an") == ["ann", "anton", "anna", "anton without"]
    assert budget_ids(server, labels={"team": "x"}) == ["ann", "anton", "bea", "anton without"]
    assert budget_ids(server, labels={"team": "x", "all": "1"}) == ["ann", "anton", "bea"]
    assert budget_ids(server, min_used_ratio=0.5) == ["anton", "bea", "anna"]
    assert budget_ids(server, min_used_ratio=0) == ["ann", "anton", "bea", "anna", "anton without"]
    assert budget_ids(server, min_used_ratio=0.5, labels={"team": "x"}, id_prefix="an") == ["anton"]
    assert budget_ids(server, labels={"team": "z"}) == []


def test_the_used_ratio_is_that_of_now_even_if_the_window_was_not_rolled(server: RunningServer) -> None:
    hour = pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=3_600)))
    server.create("alice", pb.Limit(amount=10, window=hour))
    server.charge(9)
    assert budget_ids(server, min_used_ratio=0.9) == ["alice"]

    server.clock.advance(seconds=3_600)

    assert budget_ids(server, min_used_ratio=0.9) == []


def test_deleted_budgets_are_listed_only_if_asked_for(server: RunningServer) -> None:
    for name in ("a", "b"):
        server.create(name)
    server.clock.advance(seconds=5)
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="a"))

    assert budget_ids(server) == ["b"]
    assert budget_ids(server, show_deleted=True) == ["a", "b"]
    deleted = server.stub.ListBudgets(service.ListBudgetsRequest(project_id=PROJECT, show_deleted=True)).budgets[0]
    assert deleted.delete_time.seconds == NOW_S + 5


@pytest.mark.parametrize("view", [pb.BUDGET_VIEW_UNSPECIFIED, pb.BUDGET_VIEW_STATUS, pb.BUDGET_VIEW_FULL])
def test_a_listed_budget_is_what_reading_it_gives(server: RunningServer, view: pb.BudgetView.ValueType) -> None:
    server.create("alice", pb.Limit(amount=10), labels={"a": "b"})
    server.charge(3, model="m")

    (listed,) = server.stub.ListBudgets(service.ListBudgetsRequest(project_id=PROJECT, view=view)).budgets

    assert (
        listed
        == server.stub.GetBudget(service.GetBudgetRequest(project_id=PROJECT, budget_id="alice", view=view)).budget
    )


def test_a_filter_that_passes_few_gives_short_pages_and_ends(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LIST_ROWS_MAX", 4)
    server.create_many(f"b{n:03}" for n in range(50))

    pages = list(budget_pages(server, 10, id_prefix="b049"))

    assert len(pages) > 1  # Five reads of four rows a page.
    assert [name for page in pages for name in page] == ["b049"]


def test_a_project_without_budgets_gives_an_empty_page(server: RunningServer) -> None:
    assert list(budget_pages(server, 0)) == [[]]
    assert list(entry_pages(server, 0)) == [[]]


# --- Entries.


def test_entries_are_listed_newest_first_each_once_whatever_the_page(server: RunningServer) -> None:
    server.create("alice")
    server.create("bob")
    for n in range(10):
        server.charge(n, "bob" if n % 3 else "alice")

    for page_size in (1, 4, 12, 1_000):
        for filters, expected in (
            ({}, [*range(9, -1, -1), 0, 0]),
            ({"budget_id": "alice"}, [9, 6, 3, 0, 0]),
        ):
            pages = list(entry_pages(server, page_size, **filters))

            assert [entry.cost_nano_usd for page in pages for entry in page] == expected
            assert all(len(page) <= page_size for page in pages)


def test_entries_of_an_id_go_back_across_its_deletion(server: RunningServer) -> None:
    server.create()
    server.charge(1)
    server.stub.DeleteBudget(service.DeleteBudgetRequest(project_id=PROJECT, budget_id="alice"))
    assert costs(server, budget_id="alice") == [0, 1, 0]
    server.create()
    server.charge(2)

    assert costs(server, budget_id="alice") == [2, 0, 0, 1, 0]


def test_filters_of_entries_are_all_optional_and_all_must_pass(server: RunningServer) -> None:
    server.create()
    server.charge(1, labels={"a": "x", "b": "y"}, request_id="r1")
    server.clock.advance(seconds=60)
    server.charge(2, labels={"a": "x"})
    server.clock.advance(seconds=60)
    server.stub.AdjustCost(
        cost_pb.AdjustCostRequest(
            project_id=PROJECT, budget_id="alice", amount_nano_usd=3, reason="test", request_id="r1", labels={"a": "x"}
        )
    )
    minute = Timestamp(seconds=NOW_S + 60)

    assert costs(server, kinds=[CHARGE]) == [2, 1]
    assert costs(server, kinds=[CHARGE, CREATE, CHARGE]) == [2, 1, 0]
    assert costs(server, start_time=minute) == [3, 2]
    assert costs(server, end_time=minute) == [1, 0]
    assert costs(server, start_time=minute, end_time=Timestamp(seconds=NOW_S + 120)) == [2]
    assert costs(server, start_time=minute, end_time=minute) == []
    assert costs(server, request_id="r1") == [3, 1]
    assert costs(server, labels={"a": "x"}) == [3, 2, 1]
    assert costs(server, labels={"a": "x", "b": "y"}) == [1]
    assert costs(server, budget_id="alice", request_id="r1", kinds=[CHARGE], labels={"a": "x"}) == [1]
    assert costs(server, kinds=[UPDATE]) == []


def test_an_entry_that_is_written_between_two_pages_shifts_nothing(server: RunningServer) -> None:
    server.create()
    for n in range(1, 4):
        server.charge(n)
    pages = entry_pages(server, 2)
    assert [entry.cost_nano_usd for entry in next(pages)] == [3, 2]

    server.charge(9)

    assert [entry.cost_nano_usd for page in pages for entry in page] == [1, 0]


# --- Answers of bounded size.

_WIDE = {f"{n:02}{'k' * 61}": "😀" * 256 for n in range(64)}


def test_a_page_of_wide_entries_ends_before_the_answer_is_too_big_and_loses_none(server: RunningServer) -> None:
    server.create()
    server.charge(1, labels=_WIDE)
    (entry,) = server.entries()[:1]
    count = answer_pages.ANSWER_BYTES_MAX // entry.ByteSize() + 5
    for n in range(2, count + 1):
        server.charge(n, labels=_WIDE)

    for filters in ({}, {"budget_id": "alice"}):
        pages = list(entry_pages(server, 1_000, **filters))

        assert [entry.cost_nano_usd for page in pages for entry in page] == [*range(count, 0, -1), 0]
        assert len(pages) == 2
        assert all(sum(entry.ByteSize() for entry in page) <= answer_pages.ANSWER_BYTES_MAX for page in pages)


def test_a_page_of_wide_budgets_ends_before_the_answer_is_too_big_and_loses_none(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_pages, "ANSWER_BYTES_MAX", 200_000)
    names = [f"b{n}" for n in range(7)]
    for name in names:
        server.create(name, labels=_WIDE)

    pages = list(budget_pages(server, 1_000))

    assert [name for page in pages for name in page] == names
    assert [len(page) for page in pages] == [2, 2, 2, 1]


def test_a_single_budget_is_answered_however_wide_it_is(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_pages, "ANSWER_BYTES_MAX", 1_000)
    for name in ("a", "b"):
        server.create(name, labels=_WIDE)

    assert list(budget_pages(server, 10)) == [["a"], ["b"]]


def test_budgets_in_full_are_listed_with_all_their_models(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "LIST_ROWS_WITH_MODELS_MAX", 2)
    for name in ("a", "b", "c"):
        server.create(name)
        for model in ("m", "n"):
            server.charge(1, name, model=model)

    request = service.ListBudgetsRequest(project_id=PROJECT, view=pb.BUDGET_VIEW_FULL)
    budgets = server.stub.ListBudgets(request).budgets

    assert [[each.model for each in budget.model_costs] for budget in budgets] == [["m", "n"]] * 3
