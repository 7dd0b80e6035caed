"""A request id takes effect at most once: retries change nothing and get the first outcome."""

from typing import Any

import pytest

from budgetd_server.domain.commands import Outcome, Requested
from budgetd_server.domain.errors import BelowZero, RequestIdReused, UnknownModel
from budgetd_server.domain.results import Charged, WindowsReset
from tests.domain.desk import (
    DAY_US,
    Desk,
    adjust,
    charge,
    create,
    delete,
    limited,
    reset,
    reset_many,
    reset_on_duration,
    update,
)

DAILY = limited(100, every_us=DAY_US)

EVERY_COMMAND = [
    pytest.param(charge(3, request_id="one"), id="a charge"),
    pytest.param(adjust(-3, request_id="one"), id="an adjustment"),
    pytest.param(create(DAILY, budget_id="new", request_id="one"), id="a creation"),
    pytest.param(create(DAILY, replaces=True, request_id="one"), id="a replacement"),
    pytest.param(update(limit=limited(7), request_id="one"), id="an update"),
    pytest.param(delete(request_id="one"), id="a deletion"),
    pytest.param(reset(request_id="one"), id="a reset"),
    pytest.param(reset_on_duration(request_id="one"), id="a reset on duration"),
    pytest.param(reset_many("alice", request_id="one"), id="a reset of all on duration"),
]


@pytest.fixture
def desk() -> Desk:
    """Alice may spend 100 nano-USD a day, has spent 10, and the day is over."""
    desk = Desk()
    desk.decide(create(DAILY))
    desk.decide(charge(10))
    return desk


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_the_same_request_again_changes_nothing_and_gets_the_first_outcome(desk: Desk, command: Requested[Any]) -> None:
    first = desk.decide(command)
    entries, stored = list(desk.state.new_entries), list(desk.state.new_requests)
    desk.now_us += 5 * DAY_US

    second = desk.decide(command)

    assert (second.entry_seq, second.result, second.replayed) == (first.entry_seq, first.result, True)
    assert desk.state.new_entries == entries
    assert desk.state.new_requests == stored


@pytest.mark.parametrize("command", EVERY_COMMAND)
def test_a_request_is_remembered_with_its_outcome(desk: Desk, command: Requested[Any]) -> None:
    outcome = desk.decide(command)

    kept = desk.state.new_requests[-1]
    assert (kept.request_id, kept.fingerprint) == command.request
    assert (kept.entry_seq, kept.created_at_us) == (outcome.entry_seq, desk.now_us)
    assert type(outcome.result).from_numbers(kept.numbers) == outcome.result


def test_the_same_id_with_other_content_is_refused(desk: Desk) -> None:
    desk.decide(charge(3, request_id="one"))

    with pytest.raises(RequestIdReused) as refusal:
        desk.decide(charge(4, request_id="one"))

    assert refusal.value.metadata == {"request_id": "one"}
    assert desk.budget().main.sums.cost_nano_usd == 13


def test_an_id_belongs_to_its_rpc_and_its_project() -> None:
    desk = Desk("shop", "bank")
    desk.decide(create(request_id="one"))
    desk.decide(create(request_id="one", project_id="bank"))

    outcomes = [
        desk.decide(charge(3, request_id="one")),
        desk.decide(charge(3, request_id="one", project_id="bank")),
        desk.decide(adjust(3, request_id="one")),
        desk.decide(reset(request_id="one")),
    ]

    assert [outcome.replayed for outcome in outcomes] == [False] * 4


def test_a_replay_returns_the_limits_as_of_now(desk: Desk) -> None:
    command = charge(3, request_id="one")
    desk.decide(command)
    desk.decide(charge(20))

    replay = desk.decide(command)
    desk.now_us += DAY_US
    tomorrow = desk.decide(command)

    assert [replay.limits[0].spent, tomorrow.limits[0].spent] == [33, 0]
    assert replay.result == Charged(3)


def test_a_replayed_charge_that_wants_no_limits_gets_none(desk: Desk) -> None:
    command = charge(3, request_id="one", wants_limits=False)
    desk.decide(command)

    assert desk.decide(command).limits == ()


def test_a_replayed_command_on_a_budget_returns_the_budget_as_of_now(desk: Desk) -> None:
    command = update(limit=limited(7), request_id="one")
    desk.decide(command)
    desk.decide(update(limit=limited(9)))

    replay = desk.decide(command)

    assert replay.budget is not None
    assert replay.budget.main_limit == limited(9)


@pytest.mark.parametrize("command", [charge(3, request_id="one"), adjust(3, request_id="one"), reset(request_id="one")])
def test_a_request_is_replayed_after_its_budget_is_gone(desk: Desk, command: Requested[Any]) -> None:
    first = desk.decide(command)
    desk.decide(delete())

    replay = desk.decide(command)

    assert replay == Outcome(first.entry_seq, first.result, replayed=True)


def test_a_refusal_is_not_remembered_and_a_retry_is_judged_afresh(desk: Desk) -> None:
    command = adjust(-11, request_id="one")
    with pytest.raises(BelowZero):
        desk.decide(command)
    desk.decide(charge(5))

    outcome = desk.decide(command)

    assert (outcome.result, outcome.replayed) == (Charged(-11), False)


def test_a_retry_that_can_no_longer_be_priced_is_still_a_replay(desk: Desk) -> None:
    command = charge(3, model="gpt", request_id="one")
    desk.decide(command)

    replay = desk.decide(command._replace(refusal=UnknownModel("gpt")))

    assert replay.replayed


def test_only_the_last_step_of_a_run_keeps_its_id(desk: Desk) -> None:
    desk.now_us += DAY_US

    step = desk.decide(reset_many("alice", request_id="run", is_last=False))
    next_step = desk.decide(reset_many("alice", request_id="run", is_last=False))
    last = desk.decide(reset_many(request_id="run", reset_count_before=1))
    again = desk.decide(reset_many("alice", request_id="run", is_last=False))

    assert (step.result, next_step.result, next_step.replayed) == (WindowsReset(1), WindowsReset(0), False)
    assert (last.result, last.replayed) == (WindowsReset(1), False)
    assert (again.result, again.replayed) == (WindowsReset(1), True)
