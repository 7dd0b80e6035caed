"""Charges and holds, slow and obvious: whom they touch, whether they pass, and what becomes of holds."""

from collections.abc import Sequence
from typing import NamedTuple

from budgetd_server.domain.budget import Action, Sums, Unit
from budgetd_server.domain.commands import (
    Charge,
    CommitReservation,
    ExtendReservation,
    ReleaseReservation,
    ReserveCost,
)
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.usage import Usage
from tests.authority.slow_books import Account, Books, Hold, Part, RefusedError, Rule, first_span, tokens_of


class Done(NamedTuple):
    """What a command came to."""

    entry_seq: int = 0
    result: int = 0
    more: tuple[int, ...] = ()
    #: The budgets whose limits are in the answer.
    reported: tuple[Account, ...] = ()


def charge(books: Books, command: Charge, now_us: int) -> Done:
    """Record a cost."""
    accounts = touched(books, command, now_us)
    part = Part(command.cost_nano_usd, command.usage, 1, command.model, command.other_names)
    books.check_room(accounts, part, now_us)
    if command.rejects_over_limit:
        admit(books, accounts, part, now_us)
    begin_work(books, accounts, now_us)
    line = books.append(accounts[0], EntryKind.CHARGE, now_us, part, other_keys=keys_of(accounts[1:]))
    return Done(line.seq, part.cost, reported=tuple(accounts) if command.wants_limits else ())


def reserve(books: Books, command: ReserveCost, now_us: int) -> Done:
    """Hold what a call may cost."""
    accounts = touched(books, command, now_us)
    part = Part(command.amount_nano_usd, command.usage, 1, command.model, command.other_names)
    books.check_room(accounts, part, now_us)
    if command.least_nano_usd is not None:
        room = money_left(books, accounts, part, now_us)
        if room < part.cost and expire_due(books, accounts, now_us):
            room = money_left(books, accounts, part, now_us)
        least = min(command.least_nano_usd, part.cost)
        part = part._replace(cost=max(least, min(room, part.cost)))
    admit(books, accounts, part, now_us)
    begin_work(books, accounts, now_us)
    held = part._replace(cost=0, usage=None, calls=0)
    line = books.append(accounts[0], EntryKind.HOLD, now_us, held, other_keys=keys_of(accounts[1:]))
    expires_at_us = now_us + command.ttl_us
    books.holds[line.seq] = Hold(
        seq=line.seq,
        keys=line.keys,
        kept=part,
        on_expiry=command.on_expiry,
        expires_at_us=expires_at_us,
    )
    return Done(line.seq, part.cost, (expires_at_us, tokens_of(part.usage)), tuple(accounts))


# --- Whom it touches.


def touched(books: Books, command: Charge | ReserveCost, now_us: int) -> list[Account]:
    """Its budget, the additional ones, and all their ancestors, each once. One that has to be made has the key 0."""
    living = books.living()
    own = living.get(command.budget_id)
    if own is None:
        own = copy_of_template(books, command, now_us)
    heads = [own]
    check_no_template(own)
    for additional_id in command.additional_ids:
        additional = living.get(additional_id)
        if additional is not None:
            check_no_template(additional)
            heads.append(additional)
        elif not command.skips_missing and additional_id != command.budget_id:
            raise RefusedError("BUDGET_NOT_FOUND")
    accounts = {each.key: each for head in heads for each in books.upwards(head)}
    return list(accounts.values())


def check_no_template(account: Account) -> None:
    """Templates are neither charged nor parents."""
    if account.is_template:
        raise RefusedError("IS_TEMPLATE")


def copy_of_template(books: Books, command: Charge | ReserveCost, now_us: int) -> Account:
    """What the template makes of a budget that does not exist; not in the books yet."""
    if not command.template_id:
        raise RefusedError("BUDGET_NOT_FOUND")
    template = books.account(command.template_id)
    if not template.is_template:
        raise RefusedError("INVALID_FIELD")
    return Account(
        key=0,
        budget_id=command.budget_id,
        parent_key=template.parent_key,
        is_template=False,
        labels=template.labels,
        created_at_us=now_us,
        rules={name: Rule(rule.limit, first_span(rule.limit, now_us)) for name, rule in template.rules.items()},
    )


def begin_work(books: Books, accounts: Sequence[Account], now_us: int) -> None:
    """Make the budget if it is new, and let all windows go where the clock says."""
    own = accounts[0]
    if not own.key:
        own.key = len(books.accounts) + 1
        books.accounts[own.key] = own
        line = books.append(own, EntryKind.CREATE, now_us, cause=Cause.FROM_TEMPLATE)
        for limit_id in own.rules:
            books.begin_again(own, limit_id, line)
    for account in accounts:
        books.roll(account, now_us)


def keys_of(accounts: Sequence[Account]) -> tuple[int, ...]:
    """Their keys."""
    return tuple(account.key for account in accounts)


# --- Whether it passes.


def admit(books: Books, accounts: Sequence[Account], part: Part, now_us: int) -> None:
    """Refuse what has no room, once no due hold keeps it."""
    failing = without_room(books, accounts, part, now_us)
    if failing and expire_due(books, failing, now_us):
        failing = without_room(books, accounts, part, now_us)
    if failing:
        raise RefusedError("BUDGET_EXCEEDED")


def without_room(books: Books, accounts: Sequence[Account], part: Part, now_us: int) -> list[Account]:
    """The budgets of which a limit that blocks has no room for its part."""
    return [
        account
        for account in accounts
        if any(
            0 < part.of(rule.unit) > room_of(books, account, rule, now_us) for rule in blocking(account, part).values()
        )
    ]


def blocking(account: Account, part: Part) -> dict[str, Rule]:
    """The rules that may stop a part."""
    return {
        name: rule
        for name, rule in account.rules.items()
        if rule.limit is not None and rule.limit.action is Action.BLOCK and rule.matches(part)
    }


def room_of(books: Books, account: Account, rule: Rule, now_us: int) -> int:
    """What may still be spent or held under a rule."""
    assert rule.limit is not None
    return rule.limit.amount - books.spent_at(account, rule, now_us) - books.held(account, rule)


def money_left(books: Books, accounts: Sequence[Account], part: Part, now_us: int) -> int:
    """The least room of all limits in money."""
    rules = [(each, rule) for each in accounts for rule in blocking(each, part).values()]
    rooms = [room_of(books, each, rule, now_us) for each, rule in rules if rule.unit is Unit.NANO_USD]
    return min(rooms, default=part.cost)


# --- What becomes of holds.


def expire_due(books: Books, accounts: Sequence[Account], now_us: int) -> bool:
    """Expire what is due of the holds on some budgets."""
    due = {hold.seq for account in accounts for hold in books.open_holds(account) if hold.expires_at_us <= now_us}
    for seq in sorted(due):
        expire(books, books.holds[seq], now_us)
    return bool(due)


def expire(books: Books, hold: Hold, now_us: int) -> None:
    """Expire one hold: it books what it kept, or nothing."""
    accounts = rolled_accounts(books, hold, now_us)
    books_it = hold.on_expiry is OnExpiry.COMMIT
    line = books.append(
        accounts[0],
        EntryKind.EXPIRE,
        now_us,
        hold.kept if books_it else hold.kept._replace(cost=0, usage=None, calls=0),
        other_keys=hold.keys[1:],
        reservation=hold.seq,
        is_estimated=books_it,
        request_id="",
    )
    hold.state, hold.ended_seq = ReservationState.ESTIMATED if books_it else ReservationState.EXPIRED, line.seq


def rolled_accounts(books: Books, hold: Hold, now_us: int) -> list[Account]:
    """The budgets of a hold, in the windows of now."""
    accounts = books.of_keys(hold.keys)
    for account in accounts:
        books.roll(account, now_us)
    return accounts


def found(books: Books, seq: int, now_us: int) -> Hold:
    """A reservation of a live budget, expired if it is due."""
    hold = books.holds.get(seq)
    if hold is None:
        raise RefusedError("RESERVATION_NOT_FOUND")
    if books.accounts[hold.keys[0]].is_deleted:
        raise RefusedError("ALREADY_SETTLED")
    if hold.is_open and hold.expires_at_us <= now_us:
        expire(books, hold, now_us)
    return hold


def commit(books: Books, command: CommitReservation, now_us: int) -> Done:
    """Settle a hold with the real cost."""
    hold = found(books, command.reservation_seq, now_us)
    if hold.state in (ReservationState.COMMITTED, ReservationState.RELEASED):
        raise RefusedError("ALREADY_SETTLED")
    kept, was_open, was_estimated = hold.kept, hold.is_open, hold.state is ReservationState.ESTIMATED
    if was_estimated:
        usage = None if command.usage is None else difference(command.usage, kept.usage)
        part = kept._replace(cost=command.cost_nano_usd - kept.cost, usage=usage, calls=0)
        check_correction(books, books.of_keys(hold.keys), part, now_us, hold.ended_seq)
        free, overage = max(-part.cost, 0), max(part.cost, 0)
    else:
        part = kept._replace(cost=command.cost_nano_usd, usage=command.usage)
        if command.model:
            part = part._replace(model=command.model, other_names=command.other_names)
        held = kept.cost if was_open else 0
        rest = max(held - part.cost, 0)
        free, overage = 0 if command.keeps_open else rest, max(part.cost - held, 0)
        books.check_room(books.of_keys(hold.keys), part, now_us, held - rest if command.keeps_open else held)
    accounts = rolled_accounts(books, hold, now_us)
    line = books.append(
        accounts[0],
        EntryKind.SETTLE,
        now_us,
        part,
        other_keys=hold.keys[1:],
        reservation=hold.seq,
        adjusted=hold.ended_seq if was_estimated else None,
        is_late=not was_open,
        overage=overage,
    )
    hold.kept = hold.kept._replace(calls=0)
    if command.keeps_open and was_open:
        hold.kept = hold.kept._replace(
            cost=max(kept.cost - command.cost_nano_usd, 0), usage=rest_of(kept.usage, command.usage)
        )
    elif not command.keeps_open:
        hold.state, hold.ended_seq = ReservationState.COMMITTED, line.seq
    elif was_estimated:
        hold.state, hold.ended_seq = ReservationState.EXPIRED, line.seq
    return Done(line.seq, command.cost_nano_usd, (free, overage, int(not was_open)), tuple(accounts))


def release(books: Books, command: ReleaseReservation, now_us: int) -> Done:
    """Give back what is held, or was estimated."""
    hold = found(books, command.reservation_seq, now_us)
    kept = hold.kept
    match hold.state:
        case ReservationState.OPEN:
            return Done(release_open(books, hold, now_us), kept.cost)
        case ReservationState.EXPIRED:
            return Done()
        case ReservationState.ESTIMATED:
            usage = None if kept.usage is None else difference(Usage(), kept.usage)
            part = kept._replace(cost=-kept.cost, usage=usage, calls=-kept.calls)
            check_correction(books, books.of_keys(hold.keys), part, now_us, hold.ended_seq)
            accounts = rolled_accounts(books, hold, now_us)
            line = books.append(
                accounts[0],
                EntryKind.RELEASE,
                now_us,
                part,
                other_keys=hold.keys[1:],
                reservation=hold.seq,
                adjusted=hold.ended_seq,
            )
            hold.state, hold.ended_seq = ReservationState.RELEASED, line.seq
            return Done(line.seq, kept.cost)
    raise RefusedError("ALREADY_SETTLED")


def release_open(books: Books, hold: Hold, now_us: int, cause: Cause = Cause.NONE) -> int:
    """Release an open hold; the number of the line that says so."""
    accounts = rolled_accounts(books, hold, now_us)
    part = hold.kept._replace(cost=0, usage=None, calls=0)
    line = books.append(
        accounts[0],
        EntryKind.RELEASE,
        now_us,
        part,
        other_keys=hold.keys[1:],
        reservation=hold.seq,
        cause=cause,
    )
    hold.state, hold.ended_seq = ReservationState.RELEASED, line.seq
    return line.seq


def extend(books: Books, command: ExtendReservation, now_us: int) -> Done:
    """Let a hold expire at another time."""
    hold = found(books, command.reservation_seq, now_us)
    if not hold.is_open:
        raise RefusedError("ALREADY_SETTLED")
    hold.expires_at_us = now_us + command.ttl_us
    return Done(0, hold.expires_at_us)


def check_correction(books: Books, accounts: Sequence[Account], part: Part, now_us: int, corrects: int | None) -> None:
    """A correction passes no largest number, and takes nothing below zero where it counts.

    That is said of the limits in money, of the model and of the lifetime.
    """
    for account in accounts:
        books.check_room([account], part, now_us)
        if part.cost >= 0:
            continue
        for limit_id, rule in account.rules.items():
            is_over = books.is_over(account, rule, now_us)
            counts = corrects is None or (corrects > rule.since and not is_over)
            if not (counts and rule.matches(part) and rule.unit is Unit.NANO_USD):
                continue
            sums = [books.spent_on(account, rule)]
            if not limit_id:
                name = books.name_of(account, part.model)
                sums.append(books.by_model(account).get(name, Sums()).cost_nano_usd)
            if is_over or min(sums) + part.cost < 0:
                raise RefusedError("BELOW_ZERO")
        if books.lifetime(account) + part.cost < 0:
            raise RefusedError("BELOW_ZERO")


def difference(one: Usage, other: Usage | None) -> Usage:
    """How many tokens more the one is."""
    less = other or Usage()
    return Usage(
        one.input_tokens - less.input_tokens,
        one.output_tokens - less.output_tokens,
        one.cached_input_tokens - less.cached_input_tokens,
        one.cache_write_tokens - less.cache_write_tokens,
        one.reasoning_tokens - less.reasoning_tokens,
        one.parts,
    )


def rest_of(held: Usage | None, used: Usage | None) -> Usage | None:
    """The tokens that stay held."""
    if held is None or used is None:
        return held
    return Usage(max(held.input_tokens - used.input_tokens, 0), max(held.output_tokens - used.output_tokens, 0))
