"""Make holds: reserve money, tokens and a call before the work is done."""

from budgetd_server.domain.admission import admit, grant
from budgetd_server.domain.alerting import fire_all
from budgetd_server.domain.commands import (
    Outcome,
    ReserveCost,
    Rpc,
)
from budgetd_server.domain.counting import Part, check_room, hold
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.reservation import Reservation
from budgetd_server.domain.results import Held
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.status import limit_statuses
from budgetd_server.domain.touching import add_touched, make_if_new, replay_touched, touched_by
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.usage import Usage


def reserve(turn: Turn, command: ReserveCost) -> Outcome[Held]:
    """Hold money, tokens and a call on every budget that is touched, or refuse."""
    state, now_us = turn.state, turn.now_us
    if command.refusal is not None:
        raise command.refusal
    touched = touched_by(turn, command)
    part = Part(command.amount_nano_usd, command.usage, 1, command.model, command.other_names)
    for budget in touched.budgets:
        check_room(budget, part, now_us)
    if command.least_nano_usd is None:
        admit(turn, touched, part)
    else:
        least = command.least_nano_usd
        granted = grant(turn, touched, part, least_nano_usd=least)
        part = part._replace(cost_nano_usd=granted)
    make_if_new(turn, command, touched)
    for budget in touched.budgets:
        roll_if_due(turn, budget)
    own = touched.budgets[0]
    entry = state.append(
        own,
        EntryKind.HOLD,
        now_us,
        model=command.model,
        other_names=command.other_names,
        request_id=turn.request_id,
        labels=command.labels,
        terms=command.terms,
        other_keys=touched.other_keys,
    )
    reservation = Reservation(
        project_key=own.project_key,
        seq=entry.seq,
        budget_key=own.budget_key,
        budget_id=own.budget_id,
        other_keys=touched.other_keys,
        model=command.model,
        other_names=command.other_names,
        labels=command.labels,
        provider=command.terms.provider,
        on_expiry=command.on_expiry,
        created_at_us=now_us,
        expires_at_us=now_us + command.ttl_us,
        held_nano_usd=part.cost_nano_usd,
        held_usage=None if part.usage is None else Usage(part.usage.input_tokens, part.usage.output_tokens),
        is_new=True,
    )
    state.add_reservation(reservation)
    state.tally.count_hold("made")
    for budget in touched.budgets:
        hold(budget, part, sign=1)
        fire_all(state, budget)
    held = Held(
        granted_nano_usd=part.cost_nano_usd,
        expires_at_us=reservation.expires_at_us,
        granted_tokens=reservation.held_tokens,
    )
    limits = tuple(status for budget in touched.budgets for status in limit_statuses(budget, now_us))
    return Outcome(entry.seq, held, limits=limits)


def _needs_of_hold(needs: Needs, command: ReserveCost) -> None:
    add_touched(needs, command, may_refuse=True)


RESERVE_COST = Rule(
    command=ReserveCost,
    result=Held,
    rpc=Rpc.RESERVE_COST,
    needs=_needs_of_hold,
    carry_out=reserve,
    replay=replay_touched,
)
