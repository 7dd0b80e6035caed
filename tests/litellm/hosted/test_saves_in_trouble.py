"""Saves whose outcome is unknown, that meet each other, or for which there is no room."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from budgetd.user_cost import record_of
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.engine import sweeper
from budgetd_server.http import bodies
from budgetd_server.ledger import loading
from budgetd_server.ledger.sqlite.verify import verify_file
from budgetd_server.litellm.hosted import protocol
from tests.litellm.hosted.conftest import Hosted, Start, answer_on, charge
from tests.litellm.hosted.test_bodies import begin, finish, is_let_in
from tests.rpc.running_server import PROJECT

USD = 10**9


def amount(hosted: Hosted) -> int:
    """What alice may spend, as the next load gives it."""
    return int(hosted.load()["alice"]["total_budget"])


def test_a_save_that_only_seemed_to_fail_is_taken_back_by_the_next(hosted: Hosted) -> None:
    """It was committed; and what comes next is again as it was given."""
    hosted.save_whole({"alice": {"total_budget": 10}})
    view = hosted.load()
    view["alice"]["total_budget"] = 20
    hosted.ledger.failures_after_commit.append(StoreUnavailable("away", metadata={"kind": "ioerr"}))
    answer = hosted.post("/set_budget", {"project_name": PROJECT, "user_dict": view})
    assert (answer.status_code, amount(hosted)) == (503, 20)

    view["alice"]["total_budget"] = 10
    hosted.save_whole(view)

    assert amount(hosted) == 10


def test_records_that_the_store_refuses_are_counted_as_unavailable_charges(hosted: Hosted) -> None:
    hosted.ledger.failures.append(StoreUnavailable("away", metadata={"kind": "busy"}))
    users = {"alice": {"total_budget": 10, "current_cost": 1}, "bob": {"total_budget": 10}, "carol": {}}

    assert hosted.post("/set_budget", {"project_name": PROJECT, "user_dict": users}).status_code == 503

    counts = [
        hosted.observed.value(f'budgetd_charges_total{{result="{result}"}}')
        for result in ("recorded", "refused", "unavailable")
    ]
    assert counts == [0, 0, 2], "carol's record was refused before it could be a charge"


def test_of_two_saves_of_one_client_at_once_the_later_one_wins(hosted: Hosted) -> None:
    hosted.save_whole({"alice": {"total_budget": 10}})
    view, changed = hosted.load(), hosted.load()
    changed["alice"] = {**view["alice"], "total_budget": 20}
    gate = hosted.ledger.before_commit
    hosted.server.loop.call(gate.close)

    with ThreadPoolExecutor(2) as clients:
        first = clients.submit(hosted.save, changed)
        hosted.server.loop.run(gate.arrival())
        second = clients.submit(hosted.save, view)
        while hosted.calls_served() < 2:
            pass
        hosted.server.loop.call(gate.open)

    assert [first.result(), second.result()] == [{"status": "success"}] * 2
    assert amount(hosted) == 10


def test_entries_tell_which_client_has_brought_them(hosted: Hosted) -> None:
    hosted.server.create()
    view = hosted.load()
    charge(view["alice"], 0.5)
    hosted.save_whole(view)

    (entry,) = hosted.server.entries(labels={"litellm.client": view["alice"]["budgetd"]["view"].partition(".")[0]})

    assert (entry.budget_id, entry.cost_nano_usd, entry.model) == ("alice", USD // 2, "gpt-4o")


def test_our_own_class_reads_when_litellms_says_a_budget_was_created(hosted: Hosted) -> None:
    times = {"duration": 1, "created_at": 5.5, "last_updated_at": 7.5}
    hosted.save_whole({"alice": {"total_budget": 10, **times}})
    request = service.GetBudgetRequest(project_id=PROJECT, budget_id="alice", view=pb.BUDGET_VIEW_FULL)

    budget = hosted.server.stub.GetBudget(request).budget

    assert record_of(budget, was_counted=False) == {"total_budget": 10, **times}


def test_a_body_of_millions_of_empty_arrays_is_refused_before_it_is_parsed(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "CONTAINERS_MAX", 10)

    answer = hosted.post("/set_budget", {"project_name": PROJECT, "user_dict": {"alice": [[]] * 10}})

    assert answer.status_code == 413
    assert answer.json()["message"] == "the body must have at most 10 objects and arrays"


def test_a_body_for_which_there_is_no_room_for_long_is_refused_with_a_time_to_retry(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "ROOM_SECONDS_MAX", 0.05)
    hosted = start(bytes_max=1_000)
    first = begin(hosted, 800)
    assert is_let_in(first)

    with begin(hosted, 500) as second:
        status, answer_body = answer_on(second)

    assert (status, answer_body["message"]) == (503, "there is no room for more bodies: try again in a moment")
    assert finish(first, 800) == 200


def test_a_project_that_could_not_be_saved_again_is_not_given(hosted: Hosted, monkeypatch: pytest.MonkeyPatch) -> None:
    hosted.save_whole({f"user{number}": {"total_budget": 1} for number in range(20)})
    monkeypatch.setattr(protocol, "BODY_BYTES_MAX", 500)

    answer = hosted.post("/get_budget", {"project_name": PROJECT})

    assert answer.status_code == 413
    assert "use gRPC" in answer.json()["message"]


def saves_around_a_deletion(hosted: Hosted, project_id: str, *, steps: bool) -> list[Any]:
    """What LiteLLM's class is answered, and loads, while the team of its users is deleted."""
    users = [f"user{number}" for number in range(5)]
    hosted.server.create("team", project_id=project_id)
    for user in users:
        hosted.server.create(user, project_id=project_id, parent_budget_id="team")
    hosted.server.create("alone", project_id=project_id)
    view = hosted.load(project_id)
    seen: list[Any] = []

    def note(answer: object) -> None:
        seen.append(answer)
        loaded = hosted.load(project_id).items()
        seen.append({user: {key: kept[key] for key in kept if key != "budgetd"} for user, kept in loaded})
        if steps:
            hosted.server.loop.run(hosted.server.server.engine.sweeper.sweep())

    request = service.DeleteBudgetRequest(project_id=project_id, budget_id="team", force=True)
    note(hosted.server.stub.DeleteBudget(request).deleted_count)
    due = hosted.server.loop.run(hosted.ledger.due(hosted.server.clock(), 10))
    assert due.deleting == ((project_id,) if steps else ())
    for user in (*users[:2], "alone"):
        charge(view[user], 0.5)
    note(hosted.save(view, project_id))
    view["user3"] = {"total_budget": 7}  # Created again by the class, which knows of no deletion.
    del view["user4"]
    charge(view["user1"], 0.25)
    note(hosted.save(view, project_id))
    fresh = hosted.load(project_id)
    charge(fresh["user3"], 1)
    note(hosted.save(fresh, project_id))
    return seen


def test_saves_while_a_large_tree_is_deleted_in_steps_come_to_the_same_as_after_a_deletion_at_once(
    hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosted.server.loop.run(hosted.server.server.engine.sweeper.stop())
    monkeypatch.setattr(sweeper, "DELETION_STEPS_MAX", 1)
    monkeypatch.setattr(loading, "DELETED_IN_STEP", 1)
    at_once = saves_around_a_deletion(hosted, "at-once", steps=False)
    monkeypatch.setattr(loading, "DELETED_AT_ONCE_MAX", 1)

    in_steps = saves_around_a_deletion(hosted, "in-steps", steps=True)

    assert in_steps == at_once
    assert in_steps[0] == 6
    assert verify_file(hosted.server.database).deviations == []
