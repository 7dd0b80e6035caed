"""Decide each command: a pure function of the working set, the command and the time.

The commands of a batch are decided in order, each on the working set that the previous ones have left. A command that
is refused raises before it has changed anything, so it does not affect the others. A command whose request id has taken
effect before, in the store or earlier in the same batch, changes nothing and returns the first outcome again. All of
this happens inside one transaction of the ledger; no caller is answered before that transaction is durable.

A counter whose window is over rolls when a command touches it: an entry records that, and the count restarts at zero
after that entry. It rolls only forward (see window.py), so a clock that is set back neither loses nor repeats a count.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from budgetd_server.domain.charging import CHARGE
from budgetd_server.domain.commands import Command, Outcome, Requested
from budgetd_server.domain.configure import CREATE_BUDGET, UPDATE_BUDGET
from budgetd_server.domain.correcting import ADJUST_COST
from budgetd_server.domain.deleting import DELETE_BUDGET
from budgetd_server.domain.errors import RequestIdReused
from budgetd_server.domain.holding import RESERVE_COST
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.resetting import RESET_COST, RESET_MANY_ON_DURATION, RESET_ON_DURATION
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.settling import COMMIT_RESERVATION, EXTEND_RESERVATION, RELEASE_RESERVATION
from budgetd_server.domain.state import NewRequest, State, StoredRequest
from budgetd_server.domain.steps import RUN_STEPS
from budgetd_server.domain.sweeping import SWEEP
from budgetd_server.domain.turn import Turn

#: The registry: the rule of each command.
RULES: Mapping[type[Command[Any]], Rule[Any]] = {
    rule.command: rule
    for rule in (
        CHARGE,
        CREATE_BUDGET,
        UPDATE_BUDGET,
        DELETE_BUDGET,
        ADJUST_COST,
        RESET_COST,
        RESET_ON_DURATION,
        RESET_MANY_ON_DURATION,
        RESERVE_COST,
        COMMIT_RESERVATION,
        RELEASE_RESERVATION,
        EXTEND_RESERVATION,
        SWEEP,
        RUN_STEPS,
    )
}


def needs_of(commands: Sequence[Command[Any]]) -> Needs:
    """Return what a batch of commands touches."""
    needs = Needs()
    for command in commands:
        rule = RULES[type(command)]
        if rule.rpc is not None:
            asked: Requested[Any] = command  # type: ignore[assignment]
            needs.requests.setdefault((asked.project_id, rule.rpc), []).append(asked.request.request_id)
        rule.needs(needs, command)
    return needs


def decide(state: State, command: Command[Any], now_us: int) -> Outcome[Any]:
    """Carry out one command on the working set.

    Raises:
        Refusal: The command is refused; the working set is unchanged.
    """
    rule = RULES[type(command)]
    if rule.rpc is None:
        return rule.carry_out(Turn(state, now_us), command)
    asked: Requested[Any] = command  # type: ignore[assignment]
    request_id = asked.request.request_id
    turn = Turn(state, now_us, request_id)
    stored = state.requests.get((asked.project_id, rule.rpc, request_id))
    if stored is not None:
        return _replay(turn, rule, asked, stored)
    outcome = rule.carry_out(turn, asked)
    if rule.completes is None or rule.completes(asked):
        state.remember(asked, rule.rpc, outcome, now_us)
    return outcome


def _replay(turn: Turn, rule: Rule[Any], command: Requested[Any], stored: StoredRequest | NewRequest) -> Outcome[Any]:
    """Return the first outcome again, with limits and budget as of now."""
    if command.request.fingerprint != stored.fingerprint:
        raise RequestIdReused(command.request.request_id)
    first = Outcome(stored.entry_seq, rule.result.from_numbers(stored.numbers), replayed=True)
    return rule.replay(turn, command, first)
