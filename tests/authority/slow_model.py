"""The rules a second time, slow and obvious: returns the outcome of every command and the lines that it writes."""

from collections.abc import Callable
from typing import Any, NamedTuple

from budgetd_server.domain.budget import MAIN
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CommitReservation,
    CreateBudget,
    DeleteBudget,
    ExtendReservation,
    ReleaseReservation,
    Requested,
    ReserveCost,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    Sweep,
    UpdateBudget,
)
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.steps import RunSteps
from budgetd_server.domain.window import Lifetime, window_at
from tests.authority import slow_configuring, slow_spending
from tests.authority.slow_books import Account, Books, Line, Part, RefusedError, anchored_at, due
from tests.authority.slow_spending import Done, check_correction, check_no_template


class Standing(NamedTuple):
    """The state of a limit."""

    budget_id: str
    limit_id: str
    amount: int
    spent: int
    held: int


class Answer(NamedTuple):
    """What a caller receives: the reason of a refusal, or the outcome of the command."""

    refusal: str = ""
    entry_seq: int = 0
    result: int = 0
    replayed: bool = False
    more: tuple[int, ...] = ()


class SlowModel:
    """What a ledger should hold after the commands that it has carried out.

    Args:
        project_ids: The projects.
        depth_max: How many levels a tree may have.
        models_max: How many models a budget counts apart.
    """

    def __init__(self, *project_ids: str, depth_max: int, models_max: int) -> None:
        self.books = {project_id: Books(project_id, depth_max, models_max) for project_id in project_ids}
        #: The budgets whose limits the answer to the last command has. None: any, since it was a replay.
        self.reported_accounts: tuple[Account, ...] | None = None
        self._effects: dict[tuple[str, type[Requested[Any]], str], tuple[bytes, Answer]] = {}

    def carry_out(self, command: Command[Any], now_us: int) -> Answer:
        """Carry out a command."""
        self.reported_accounts = None
        books = self.books[command.project_id]
        books.request_id = command.request.request_id if isinstance(command, Requested) else ""
        if isinstance(command, Sweep):
            return Answer(result=_sweep(books, command, now_us))
        assert not isinstance(command, RunSteps), "what is chosen in the transaction has a model of its own"
        assert isinstance(command, Requested)
        name = (command.project_id, type(command), command.request.request_id)
        if name in self._effects:
            fingerprint, answer = self._effects[name]
            same = fingerprint == command.request.fingerprint
            return answer._replace(replayed=True) if same else Answer("REQUEST_ID_REUSED")
        try:
            done = _RULES[type(command)](books, command, now_us)
        except RefusedError as refusal:
            return Answer(str(refusal))
        self.reported_accounts = done.reported
        answer = Answer("", done.entry_seq, done.result, more=done.more)
        # A project is made by its first line.
        if books.lines and (not isinstance(command, ResetManyOnDuration) or command.is_last):
            self._effects[name] = (command.request.fingerprint, answer)
        return answer

    def spent(self, project_id: str, account: Account, now_us: int) -> int:
        """What a budget has spent in its main window, in money."""
        books, main = self.books[project_id], account.rules[MAIN]
        return 0 if books.is_over(account, main, now_us) else books.spent_on(account, main)

    def standings(self, project_id: str, account: Account, now_us: int) -> list[Standing]:
        """Where the limits of a budget stand at an instant, rolled or not."""
        books = self.books[project_id]
        return [
            Standing(
                account.budget_id,
                name,
                rule.limit.amount,
                books.spent_at(account, rule, now_us),
                books.held(account, rule),
            )
            for name, rule in account.rules.items()
            if rule.limit is not None
        ]


def correctable(books: Books, account: Account) -> list[Line]:
    """The lines of a budget that an adjustment may name."""
    kinds = (EntryKind.CHARGE, EntryKind.SETTLE)
    return [line for line in books.lines if line.key == account.key and line.kind in kinds and line.adjusted is None]


def _adjust(books: Books, command: AdjustCost, now_us: int) -> Done:
    own, seq = books.account(command.budget_id), command.entry_seq
    check_no_template(own)
    part = Part(command.amount_nano_usd, None, 0, command.model, command.other_names)
    accounts = list(books.upwards(own))
    if seq is not None:
        named = next((line for line in correctable(books, own) if line.seq == seq), None)
        if named is None:
            raise RefusedError("ENTRY_NOT_FOUND")
        if command.model not in ("", named.model):
            raise RefusedError("INVALID_FIELD")
        left = named.cost + sum(line.cost for line in books.lines if line.adjusted == seq)
        if left + part.cost < 0 > part.cost:
            raise RefusedError("REFUND_EXCEEDS_ENTRY")
        part = part._replace(model=named.model, other_names=named.other_names)
        accounts = books.of_keys(named.keys)
    check_correction(books, accounts, part, now_us, seq)
    for account in accounts:
        books.roll(account, now_us)
    keys = tuple(account.key for account in accounts[1:])
    line = books.append(own, EntryKind.ADJUST, now_us, part, other_keys=keys, adjusted=seq, reason=command.reason)
    return Done(line.seq, part.cost, reported=tuple(accounts))


def _reset_cost(books: Books, command: ResetCost, now_us: int) -> Done:
    account = books.account(command.budget_id)
    if not account.rules.keys() >= set(command.limit_ids):
        raise RefusedError("INVALID_FIELD")
    books.roll(account, now_us)
    for name in command.limit_ids or tuple(account.rules):
        line = books.append(account, EntryKind.RESET, now_us, cause=Cause.REQUESTED, limit_id=name)
        books.begin_again(account, name, line)
    return Done(len(books.lines))


def _reset_on_duration(books: Books, command: ResetOnDuration, now_us: int) -> Done:
    account = books.account(command.budget_id)
    limit = account.rules[MAIN].limit
    if limit is None or isinstance(limit.window, Lifetime):
        raise RefusedError("NO_WINDOW")
    seq = _end_main(books, account, now_us)
    return Done(seq, int(seq > 0))


def _end_main(books: Books, account: Account, now_us: int) -> int:
    """Begin the main limit's count again if its window is over; the line at which it did, or 0."""
    rule = account.rules[MAIN]
    if rule.limit is None or rule.span.end_at_us is None:
        return 0
    if due(rule, now_us) is not None:
        return books.roll_one(account, MAIN, now_us, books.request_id)
    if now_us < rule.span.end_at_us:
        return 0
    span, (start_us, end_us) = window_at(rule.limit.window, now_us), rule.span
    assert start_us is not None
    assert end_us is not None
    assert span.start_at_us is not None
    skipped = len(range(end_us, span.start_at_us, end_us - start_us))
    line = books.append(account, EntryKind.RESET, now_us, cause=Cause.REQUESTED, skipped=skipped)
    rule.span, rule.limit = span, anchored_at(rule.limit, span)
    return books.begin_again(account, MAIN, line)


def _reset_many(books: Books, command: ResetManyOnDuration, now_us: int) -> Done:
    living = books.living()
    accounts = [living[budget_id] for budget_id in command.budget_ids if budget_id in living]
    resets = [bool(_end_main(books, account, now_us)) for account in accounts]
    return Done(0, command.reset_count_before + sum(resets))


def _sweep(books: Books, command: Sweep, now_us: int) -> int:
    done = 0
    for seq in command.reservation_seqs:
        hold = books.holds.get(seq)
        if hold is not None and hold.is_open and hold.expires_at_us <= now_us:
            slow_spending.expire(books, hold, now_us)
            done += 1
    for budget_id in command.budget_ids:
        account, before = books.living().get(budget_id), len(books.lines)
        if account is not None:
            books.roll(account, now_us)
            done += len(books.lines) > before
    return done


_RULES: dict[type[Any], Callable[[Books, Any, int], Done]] = {
    Charge: slow_spending.charge,
    ReserveCost: slow_spending.reserve,
    CommitReservation: slow_spending.commit,
    ReleaseReservation: slow_spending.release,
    ExtendReservation: slow_spending.extend,
    CreateBudget: slow_configuring.create,
    UpdateBudget: slow_configuring.update,
    DeleteBudget: slow_configuring.delete,
    AdjustCost: _adjust,
    ResetCost: _reset_cost,
    ResetOnDuration: _reset_on_duration,
    ResetManyOnDuration: _reset_many,
}
