"""A command whose steps are plain commands chosen inside the transaction, and a note that is kept with them.

For protocols that send a state instead of commands: what to do depends on the state of the ledger at that moment, and
on the note that the protocol kept the last time. `RunSteps` calls a function of the protocol with the budget and its
notes. The function carries out plain commands one by one and changes the note. All of that is one command of the batch,
and is committed together or not at all.

Such a command has no request id. The note makes it idempotent: it records for the function what has been done before.
Notes are opaque bytes to everything except their owner.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.budget import BudgetState, Limit
from budgetd_server.domain.charging import CHARGE
from budgetd_server.domain.commands import Command, Outcome, R_co, Request
from budgetd_server.domain.configure import CREATE_BUDGET, set_main_limit
from budgetd_server.domain.correcting import ADJUST_COST
from budgetd_server.domain.counting import Part, check_room
from budgetd_server.domain.deleting import DELETE_BUDGET
from budgetd_server.domain.errors import CounterOverflow, Refusal
from budgetd_server.domain.needs import Needs, NoteKey
from budgetd_server.domain.resetting import RESET_COST
from budgetd_server.domain.results import Configured, Result
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.touching import upwards
from budgetd_server.domain.turn import Turn

R = TypeVar("R", bound=Result)

#: The request of a step. Steps have no request id.
NO_REQUEST = Request("", b"")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSteps(Command[R_co]):
    """Carry out plain commands on one budget. The function that chooses them is called inside the transaction."""

    project_id: str
    budget_id: str
    #: Carries out the steps. It may be called more than once, on the event loop or on a thread of the ledger, and must
    #: depend only on its argument. A refusal that it raises before the first change refuses the command.
    choose: "Callable[[Steps], R_co]"
    #: The notes that it reads.
    notes: tuple[NoteKey, ...] = ()
    #: The models that it may charge. An empty name means no model.
    models: tuple[str, ...] = ()
    #: True: it may create the budget.
    creates: bool = False
    #: True: it may delete the budget.
    deletes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetMainLimit(Command[Configured]):
    """Change the main limit and the labels of a budget, and keep its counts even if the window changes. Only a step."""

    project_id: str
    budget_id: str
    #: None: the main limit is removed.
    limit: Limit | None
    labels: Mapping[str, str]


class Steps:
    """What a function that chooses steps can see and do."""

    def __init__(self, turn: Turn, command: RunSteps[Any]) -> None:
        self._turn, self._state, self._command = turn, turn.state, command
        #: The time, in microseconds since 1970.
        self.now_us = turn.now_us
        #: True: a step was carried out, or a note was changed. Changes that are due by the clock do not count: before
        #: a command is refused, holds may expire and windows may end.
        self.has_changed = False

    @property
    def budget(self) -> BudgetState | None:
        """The budget as the last step left it, only to be read. None if there is none."""
        return self._state.budgets.get((self._command.project_id, self._command.budget_id))

    def note(self, key: NoteKey) -> bytes | None:
        """Return a note that the command reads. None if there is none."""
        assert key in self._command.notes, "it was loaded"
        return self._state.notes.get((self._command.project_id, key))

    def keep(self, key: NoteKey, note: bytes | None) -> None:
        """Replace a note. None deletes it."""
        self.has_changed = True
        self._state.keep_note((self._command.project_id, key), note)

    def do(self, step: Command[R]) -> Outcome[R]:
        """Carry out a plain command on the budget.

        Raises:
            Refusal: It is refused; nothing of this step has changed.
        """
        rule = _PLAIN[type(step)]
        outcome: Outcome[R] = rule.carry_out(self._turn, step)
        self.has_changed = True
        if rule.is_charge and rule.charged_nano_usd is not None:
            self._state.tally.count_charge(rule.charged_nano_usd(step, outcome.result))
        return outcome

    def check_room(self, cost_nano_usd: int) -> None:
        """Make sure that a cost can be charged.

        Raises:
            CounterOverflow: The count of the budget, or of an ancestor, would pass its largest value.
        """
        budget = self.budget
        if budget is None:
            if cost_nano_usd > COUNTER_MAX:
                raise CounterOverflow(counter="the lifetime cost in nano-USD", value=0, added=cost_nano_usd)
            return
        for each in (budget, *upwards(self._state, budget)):
            check_room(each, Part(cost_nano_usd, None, 1), self.now_us)

    def roll(self) -> None:
        """Begin the windows of the budget, which must exist, that are due by now."""
        budget = self.budget
        assert budget is not None, "it was looked for"
        roll_if_due(self._turn, budget)


def run_steps(turn: Turn, command: RunSteps[R]) -> Outcome[R]:
    """Carry out the steps that the function of the command chooses.

    Raises:
        Refusal: It is refused; nothing has changed.
        RuntimeError: A step was refused after a change, so the transaction must not be committed.
    """
    steps = Steps(turn, command)
    try:
        result = command.choose(steps)
    except Refusal as refusal:
        # A batch that lacks something is dropped by the ledger and decided again, so this outcome is void.
        if steps.has_changed and not turn.state.lacking:
            raise RuntimeError("a step was refused after a change") from refusal
        raise
    budget = steps.budget
    return Outcome(0 if budget is None else budget.last_seq, result)


def _set_main_limit(turn: Turn, command: SetMainLimit) -> Outcome[Configured]:
    budget = turn.state.budget(command.project_id, command.budget_id)
    set_main_limit(turn, budget, command.limit, command.labels)
    return Outcome(budget.last_seq, Configured())


def _needs(needs: Needs, command: RunSteps[Any]) -> None:
    place = (command.project_id, command.budget_id)
    needs.add_budgets(*place)
    needs.models.update((*place, model) for model in command.models)
    if command.notes:
        needs.notes.setdefault(command.project_id, set()).update(command.notes)
    if command.creates:
        needs.creating.add(command.project_id)
    if command.deletes:
        needs.deleted.add(place)


def _needs_of_main_limit(needs: Needs, command: SetMainLimit) -> None:
    needs.add_budgets(command.project_id, command.budget_id)


RUN_STEPS = Rule(command=RunSteps, result=Result, needs=_needs, carry_out=run_steps)
SET_MAIN_LIMIT = Rule(command=SetMainLimit, result=Configured, needs=_needs_of_main_limit, carry_out=_set_main_limit)

#: The commands that may be steps.
_PLAIN: Mapping[type[Command[Any]], Rule[Any]] = {
    rule.command: rule for rule in (CHARGE, ADJUST_COST, CREATE_BUDGET, DELETE_BUDGET, RESET_COST, SET_MAIN_LIMIT)
}
