"""Plain commands that are chosen inside the transaction: all of them or none, with the note that ends a second try."""

from dataclasses import dataclass

import pytest

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.commands import Charge
from budgetd_server.domain.errors import BelowZero, BudgetExists, CounterOverflow
from budgetd_server.domain.needs import NoteKey
from budgetd_server.domain.results import Result
from budgetd_server.domain.steps import NO_REQUEST, RunSteps, Steps
from tests.domain.desk import ALICE, PROJECT, Desk, adjust, charge, create, limited

KEY = NoteKey("a protocol", ALICE)


@dataclass(frozen=True, slots=True)
class Counted(Result):
    """What the functions of these tests result in: how many steps they have carried out."""

    steps_count: int


def spent_once(steps: Steps) -> Counted:
    """Charge 30, unless the note says that it was done before."""
    if steps.note(KEY) is not None:
        return Counted(0)
    if steps.budget is None:
        steps.do(create(limited(1_000)))
    steps.do(Charge(PROJECT, ALICE, NO_REQUEST, 30, "o3"))
    steps.keep(KEY, b"\x00done\xff")
    return Counted(1)


def run(choose: object, **more: object) -> RunSteps[Counted]:
    """The command with a function."""
    return RunSteps(project_id=PROJECT, budget_id=ALICE, choose=choose, notes=(KEY,), creates=True, **more)  # type: ignore[arg-type]


def test_steps_are_carried_out_in_turn_and_each_sees_the_budget_as_the_last_one_left_it() -> None:
    desk = Desk()

    outcome = desk.decide(run(spent_once))

    assert outcome.result == Counted(1)
    assert outcome.entry_seq == desk.budget(ALICE).last_seq
    assert desk.status(ALICE).current_cost_nano_usd == 30
    assert desk.state.new_notes == {(PROJECT, KEY): b"\x00done\xff"}


def test_the_note_makes_the_same_command_harmless() -> None:
    desk = Desk()

    results = [desk.decide(run(spent_once)).result for _ in range(3)]

    assert results == [Counted(1), Counted(0), Counted(0)]
    assert desk.status(ALICE).current_cost_nano_usd == 30


def test_a_note_that_is_forgotten_is_there_no_more() -> None:
    desk = Desk()
    desk.decide(run(spent_once))

    def forgotten(steps: Steps) -> Counted:
        steps.keep(KEY, None)
        return Counted(0)

    desk.decide(run(forgotten))

    assert desk.state.new_notes == {(PROJECT, KEY): None}
    assert desk.decide(run(spent_once)).result == Counted(1)


def test_charges_that_are_steps_are_in_the_tally_of_the_transaction() -> None:
    desk = Desk()
    desk.decide(create(limited(1_000)))
    desk.decide(charge(7))

    desk.decide(run(spent_once))

    assert (desk.state.tally.charges, desk.state.tally.charged_nano_usd) == (1, 30)


def test_a_first_step_that_is_refused_refuses_the_command_and_leaves_everything_as_it_was() -> None:
    desk = Desk()
    desk.decide(create())
    entries = len(desk.entries())

    with pytest.raises(BudgetExists):
        desk.decide(run(lambda steps: steps.do(create())))

    assert len(desk.entries()) == entries
    assert desk.state.new_notes == {}


@pytest.mark.parametrize("first", ["a step", "a note"])
def test_a_refusal_after_a_change_is_an_internal_error_so_that_no_half_is_committed(first: str) -> None:
    desk = Desk()
    desk.decide(create())

    def half(steps: Steps) -> Counted:
        if first == "a step":
            steps.do(charge(5))
        else:
            steps.keep(KEY, b"half")
        steps.do(adjust(-1_000))
        return Counted(2)

    with pytest.raises(RuntimeError, match="refused after a change") as caught:
        desk.decide(run(half))

    assert isinstance(caught.value.__cause__, BelowZero)


def test_a_refusal_that_the_function_catches_is_no_refusal_of_the_command() -> None:
    desk = Desk()
    desk.decide(create())

    def caught(steps: Steps) -> Counted:
        steps.do(charge(5))
        with pytest.raises(BelowZero):
            steps.do(adjust(-1_000))
        return Counted(1)

    assert desk.decide(run(caught)).result == Counted(1)
    assert desk.status(ALICE).current_cost_nano_usd == 5


@pytest.mark.parametrize("is_there", [True, False])
def test_room_is_looked_for_before_the_first_step_even_if_there_is_no_budget_yet(*, is_there: bool) -> None:
    desk = Desk()
    if is_there:
        desk.decide(create())

    def looked(steps: Steps) -> Counted:
        steps.check_room(COUNTER_MAX)
        steps.check_room(COUNTER_MAX + 1)
        return Counted(0)

    with pytest.raises(CounterOverflow):
        desk.decide(run(looked))
