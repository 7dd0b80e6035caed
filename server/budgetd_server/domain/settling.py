"""Settle holds at the real cost of the work, release them, or extend them."""

from budgetd_server.domain.alerting import fire_all
from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.commands import (
    CommitReservation,
    ExtendReservation,
    Outcome,
    ReleaseReservation,
    Rpc,
)
from budgetd_server.domain.correcting import check_not_below_zero
from budgetd_server.domain.counting import Part, check_room, count, held_part, hold
from budgetd_server.domain.entry import EntryKind
from budgetd_server.domain.errors import AlreadySettled, BudgetNotFound, ReservationNotFound
from budgetd_server.domain.expiry import expire
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.releasing import release_hold
from budgetd_server.domain.reservation import Reservation, ReservationState, reservation_id
from budgetd_server.domain.results import Extended, Released, Settled
from budgetd_server.domain.rolling import roll_if_due
from budgetd_server.domain.rule import Rule
from budgetd_server.domain.state import State
from budgetd_server.domain.status import LimitStatus, limit_statuses
from budgetd_server.domain.touching import budgets_of
from budgetd_server.domain.turn import Turn
from budgetd_server.domain.usage import NO_USAGE, Usage


def commit(turn: Turn, command: CommitReservation) -> Outcome[Settled]:
    """Book the real cost of a held call. Limits do not refuse it, since it has been spent."""
    state = turn.state
    if command.refusal is not None:
        raise command.refusal
    reservation = find(state, command.project_id, command.reservation_seq)
    _expire_if_due(turn, reservation)
    match reservation.state:
        case ReservationState.OPEN | ReservationState.EXPIRED:
            return _settle(turn, command, reservation)
        case ReservationState.ESTIMATED:
            return _correct_estimate(turn, command, reservation)
    raise AlreadySettled(reservation_id(reservation.seq), reservation.state.name)


def release(turn: Turn, command: ReleaseReservation) -> Outcome[Released]:
    """Release what is held, or reverse a booked estimate. Does nothing if the hold has expired without one."""
    state = turn.state
    reservation = find(state, command.project_id, command.reservation_seq)
    _expire_if_due(turn, reservation)
    match reservation.state:
        case ReservationState.OPEN:
            seq = release_hold(turn, reservation)
            return Outcome(seq, Released(reservation.held_nano_usd))
        case ReservationState.EXPIRED:
            return Outcome(0, Released(0))
        case ReservationState.ESTIMATED:
            return _reverse_estimate(turn, reservation)
    raise AlreadySettled(reservation_id(reservation.seq), reservation.state.name)


def extend(turn: Turn, command: ExtendReservation) -> Outcome[Extended]:
    """Change the time at which a hold expires."""
    state, now_us = turn.state, turn.now_us
    reservation = find(state, command.project_id, command.reservation_seq)
    _expire_if_due(turn, reservation)
    if not reservation.is_open:
        raise AlreadySettled(reservation_id(reservation.seq), reservation.state.name)
    reservation.expires_at_us = now_us + command.ttl_us
    reservation.is_changed = True
    return Outcome(0, Extended(reservation.expires_at_us))


def find(state: State, project_id: str, seq: int) -> Reservation:
    """Return a reservation of a live budget.

    Raises:
        ReservationNotFound: The project has no reservation of that number.
        AlreadySettled: It has ended and its budget was deleted, even if another budget has that id now.
    """
    reservation = state.reservations.get((project_id, seq))
    if reservation is None:
        raise ReservationNotFound(project_id, reservation_id(seq))
    budget = state.by_key[(reservation.project_key, reservation.budget_key)]
    if budget.deleted_at_us is not None:
        how = reservation.state
        if reservation.is_open:
            if budget.deleted_by is None:
                raise BudgetNotFound(project_id, reservation.budget_id)
            how = ReservationState.RELEASED  # By the deletion of an ancestor, not yet written to this hold.
        raise AlreadySettled(reservation_id(reservation.seq), how.name, deleted_budget_id=reservation.budget_id)
    return reservation


def _expire_if_due(turn: Turn, reservation: Reservation) -> None:
    if reservation.is_due(turn.now_us):
        expire(turn, reservation)


def _settle(turn: Turn, command: CommitReservation, reservation: Reservation) -> Outcome[Settled]:
    """Book a cost in full, even if it is above the hold or the hold has expired."""
    state, now_us = turn.state, turn.now_us
    budgets = budgets_of(state, reservation)
    is_late = not reservation.is_open
    cost_nano_usd = command.cost_nano_usd
    held_nano_usd = 0 if is_late else reservation.held_nano_usd
    rest_nano_usd = max(held_nano_usd - cost_nano_usd, 0)
    freed_nano_usd = held_nano_usd - (rest_nano_usd if command.keeps_open else 0)
    part = _booked(command, reservation, cost_nano_usd, command.usage, reservation.held_calls)
    for budget in budgets:
        check_room(budget, part, now_us, freed_nano_usd=freed_nano_usd)
    overage_nano_usd = max(cost_nano_usd - held_nano_usd, 0)
    entry = _book(turn, command, reservation, part, overage_nano_usd=overage_nano_usd, is_late=is_late)
    if not is_late:
        _free(reservation, budgets, command, rest_nano_usd)
    reservation.held_calls = 0
    reservation.is_changed = True
    if not command.keeps_open:
        reservation.end(ReservationState.COMMITTED, entry, now_us)
        state.tally.count_hold("committed")
    for budget in budgets:
        count(budget, part, now_us)
        fire_all(state, budget)
    settled = Settled(
        cost_nano_usd,
        released_nano_usd=0 if command.keeps_open else rest_nano_usd,
        overage_nano_usd=overage_nano_usd,
        is_late=is_late,
    )
    return Outcome(entry, settled, limits=_limits(budgets, now_us))


def _free(reservation: Reservation, budgets: list[BudgetState], command: CommitReservation, rest_nano_usd: int) -> None:
    """Release a hold on all its budgets; if it stays open, release all but the rest."""
    before = held_part(reservation)
    for budget in budgets:
        hold(budget, before, sign=-1)
    if not command.keeps_open:
        return
    reservation.held_nano_usd, reservation.held_calls = rest_nano_usd, 0
    reservation.held_usage = _rest(reservation.held_usage, command.usage)
    rest = held_part(reservation)
    for budget in budgets:
        hold(budget, rest, sign=1)


def _correct_estimate(turn: Turn, command: CommitReservation, reservation: Reservation) -> Outcome[Settled]:
    """Book the difference between real cost and estimate, on the model of the estimate, where that still counts."""
    state, now_us = turn.state, turn.now_us
    budgets = budgets_of(state, reservation)
    estimate = held_part(reservation)
    usage = None if command.usage is None else _difference(command.usage, estimate.usage or NO_USAGE)
    part = estimate._replace(cost_nano_usd=command.cost_nano_usd - estimate.cost_nano_usd, usage=usage, calls=0)
    _check_correction(budgets, reservation, part, now_us)
    overage_nano_usd = max(part.cost_nano_usd, 0)
    entry = _book(
        turn,
        command,
        reservation,
        part,
        overage_nano_usd=overage_nano_usd,
        is_late=True,
        adjusted_seq=reservation.ended_seq,
    )
    for budget in budgets:
        count(budget, part, now_us, corrects_seq=reservation.ended_seq)
        fire_all(state, budget)
    # Further partial costs are booked as after any other expiry.
    reservation.held_calls = 0
    how = ReservationState.EXPIRED if command.keeps_open else ReservationState.COMMITTED
    reservation.end(how, entry, now_us)
    if not command.keeps_open:
        state.tally.count_hold("committed")
    settled = Settled(
        command.cost_nano_usd,
        released_nano_usd=max(-part.cost_nano_usd, 0),
        overage_nano_usd=overage_nano_usd,
        is_late=True,
    )
    return Outcome(entry, settled, limits=_limits(budgets, now_us))


def _reverse_estimate(turn: Turn, reservation: Reservation) -> Outcome[Released]:
    """Reverse an estimate wherever it still counts."""
    state, now_us = turn.state, turn.now_us
    budgets = budgets_of(state, reservation)
    estimate = held_part(reservation)
    usage = None if estimate.usage is None else _difference(NO_USAGE, estimate.usage)
    part = estimate._replace(cost_nano_usd=-estimate.cost_nano_usd, usage=usage, calls=-estimate.calls)
    _check_correction(budgets, reservation, part, now_us)
    for budget in budgets:
        roll_if_due(turn, budget)
    entry = state.append(
        budgets[0],
        EntryKind.RELEASE,
        now_us,
        cost_nano_usd=part.cost_nano_usd,
        usage=usage,
        calls=part.calls,
        model=reservation.model,
        other_names=reservation.other_names,
        request_id=turn.request_id,
        labels=reservation.labels,
        reservation_seq=reservation.seq,
        adjusted_seq=reservation.ended_seq,
        other_keys=reservation.other_keys,
    )
    for budget in budgets:
        count(budget, part, now_us, corrects_seq=reservation.ended_seq)
    reservation.end(ReservationState.RELEASED, entry.seq, now_us)
    state.tally.count_hold("released")
    return Outcome(entry.seq, Released(estimate.cost_nano_usd))


def _check_correction(budgets: list[BudgetState], reservation: Reservation, part: Part, now_us: int) -> None:
    for budget in budgets:
        check_room(budget, part, now_us)
        check_not_below_zero(budget, part, now_us, corrects_seq=reservation.ended_seq)


def _booked(
    command: CommitReservation, reservation: Reservation, cost_nano_usd: int, usage: Usage | None, calls: int
) -> Part:
    """Return what a commit books: on the model that it names, or else on that of the hold."""
    if command.model:
        return Part(cost_nano_usd, usage, calls, command.model, command.other_names)
    return Part(cost_nano_usd, usage, calls, reservation.model, reservation.other_names)


def _book(
    turn: Turn,
    command: CommitReservation,
    reservation: Reservation,
    part: Part,
    *,
    overage_nano_usd: int,
    is_late: bool,
    adjusted_seq: int | None = None,
) -> int:
    """Append the entry of a settlement, in the current windows; return its number."""
    state, now_us = turn.state, turn.now_us
    if command.unread_fields:
        state.tally.count_unread(command.usage_dialect)
    budgets = budgets_of(state, reservation)
    terms = command.terms
    if reservation.provider and not (command.model or terms.provider):
        terms = terms._replace(provider=reservation.provider)
    for budget in budgets:
        roll_if_due(turn, budget)
    entry = state.append(
        budgets[0],
        EntryKind.SETTLE,
        now_us,
        cost_nano_usd=part.cost_nano_usd,
        usage=part.usage,
        calls=part.calls,
        model=part.model,
        cost_source=command.cost_source,
        other_names=part.other_names,
        terms=terms,
        unread_fields=command.unread_fields,
        request_id=turn.request_id,
        labels=command.labels if command.labels is not None else reservation.labels,
        price_version=command.price_version,
        reservation_seq=reservation.seq,
        adjusted_seq=adjusted_seq,
        is_late=is_late,
        overage_nano_usd=overage_nano_usd,
        other_keys=reservation.other_keys,
    )
    return entry.seq


def _rest(held: Usage | None, used: Usage | None) -> Usage | None:
    """Return the tokens that stay held."""
    if held is None or used is None:
        return held
    return Usage(max(held.input_tokens - used.input_tokens, 0), max(held.output_tokens - used.output_tokens, 0))


def _difference(one: Usage, other: Usage) -> Usage:
    """Return `one` minus the tokens of `other`. The parts of `one` are kept, since no limit counts them."""
    return Usage(
        one.input_tokens - other.input_tokens,
        one.output_tokens - other.output_tokens,
        one.cached_input_tokens - other.cached_input_tokens,
        one.cache_write_tokens - other.cache_write_tokens,
        one.reasoning_tokens - other.reasoning_tokens,
        one.parts,
    )


def _limits(budgets: list[BudgetState], now_us: int) -> tuple[LimitStatus, ...]:
    return tuple(status for budget in budgets for status in limit_statuses(budget, now_us))


def _needs_of_settlement(needs: Needs, command: CommitReservation) -> None:
    needs.reservations.setdefault((command.project_id, command.reservation_seq), set()).add(command.model)


def _needs_of_reservation(needs: Needs, command: ReleaseReservation | ExtendReservation) -> None:
    needs.reservations.setdefault((command.project_id, command.reservation_seq), set()).add("")


def _replay_commit(turn: Turn, command: CommitReservation, first: Outcome[Settled]) -> Outcome[Settled]:
    state, now_us = turn.state, turn.now_us
    reservation = state.reservations.get((command.project_id, command.reservation_seq))
    return first if reservation is None else first._replace(limits=_limits(budgets_of(state, reservation), now_us))


COMMIT_RESERVATION = Rule(
    command=CommitReservation,
    result=Settled,
    rpc=Rpc.COMMIT_RESERVATION,
    needs=_needs_of_settlement,
    carry_out=commit,
    replay=_replay_commit,
    charged_nano_usd=lambda _, settled: settled.cost_nano_usd,
)
RELEASE_RESERVATION = Rule(
    command=ReleaseReservation,
    result=Released,
    rpc=Rpc.RELEASE_RESERVATION,
    needs=_needs_of_reservation,
    carry_out=release,
)
EXTEND_RESERVATION = Rule(
    command=ExtendReservation,
    result=Extended,
    rpc=Rpc.EXTEND_RESERVATION,
    needs=_needs_of_reservation,
    carry_out=extend,
)
