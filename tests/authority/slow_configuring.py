"""Creating, changing and deleting budgets, slow and obvious."""

from collections.abc import Iterator, Mapping, Sequence

from budgetd_server.domain.bounds import COUNTER_MAX
from budgetd_server.domain.budget import MAIN, Limit, Unit
from budgetd_server.domain.commands import CreateBudget, DeleteBudget, LimitDraft, UpdateBudget
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.window import Lifetime
from tests.authority.slow_books import (
    Account,
    Books,
    RefusedError,
    Rule,
    anchored_at,
    first_span,
    is_on_request,
    tokens_of,
)
from tests.authority.slow_spending import Done, check_no_template, expire_due, release_open


def create(books: Books, command: CreateBudget, now_us: int) -> Done:
    """Create a budget, or replace it: in either case its limits begin now."""
    account = books.living().get(command.budget_id)
    limits = limits_by_id(command.limits, now_us)
    if account is not None:
        if not command.replace_existing:
            raise RefusedError("BUDGET_EXISTS")
        parent_id = "" if account.parent_key is None else books.accounts[account.parent_key].budget_id
        if command.parent_id not in ("", parent_id) or command.is_template != account.is_template:
            raise RefusedError("INVALID_FIELD")
        check_units(account, limits)
        account.version += 1
        account.labels, account.created_at_us, cause = command.labels, now_us, Cause.REPLACED
    else:
        parent = new_parent(books, command.parent_id, height=1)
        account = Account(
            key=len(books.accounts) + 1,
            budget_id=command.budget_id,
            parent_key=None if parent is None else parent.key,
            is_template=command.is_template,
            labels=command.labels,
            created_at_us=now_us,
        )
        books.accounts[account.key], cause = account, Cause.NONE
    line = books.append(account, EntryKind.CREATE, now_us, cause=cause)
    account.rules = {
        name: Rule(limit, first_span(limit, now_us), since=line.seq) for name, limit in sorted(limits.items())
    }
    account.names = set()
    return Done(line.seq)


def update(books: Books, command: UpdateBudget, now_us: int) -> Done:
    """Change what is configured; what is counted follows from the lines."""
    account = books.account(command.budget_id)
    check_etag(account, command.etag)
    parent = None
    if command.parent_id:
        parent = new_parent(books, command.parent_id, height=height_of(books, account), of=account)
    if command.sets_limits:
        limits = limits_by_id(command.limits, account.created_at_us)
        check_units(account, limits)
        counts = {name: recounted(books, account, name, limit, now_us) for name, limit in limits.items()}
        books.roll(account, now_us)
        account.rules = {
            name: counts[name] or carried_on(account.rules[name], limit, now_us)
            for name, limit in sorted(limits.items())
        }
        if counts[MAIN] is not None:
            assert command.recount is not None
            name_again(books, account, command.recount.until_seq)
    if command.labels is not None:
        account.labels = command.labels
    if command.parent_id is not None:
        account.parent_key = None if parent is None else parent.key
    account.version += 1
    return Done(books.append(account, EntryKind.UPDATE, now_us).seq)


def delete(books: Books, command: DeleteBudget, now_us: int) -> Done:
    """Delete a budget; with force what is below it goes first, and the holds of all of them are released."""
    account = books.account(command.budget_id)
    check_etag(account, command.etag)
    family = list(family_of(books, account))
    if not command.force:
        if len(family) > 1:
            raise RefusedError("HAS_CHILDREN")
        expire_due(books, [account], now_us)
        if books.open_holds(account):
            raise RefusedError("HAS_OPEN_RESERVATIONS")
    seq = 0
    for each in reversed(family):
        for hold in books.open_holds(each):
            if hold.keys[0] == each.key:
                release_open(books, hold, now_us, Cause.BUDGET_DELETED)
        seq = books.append(each, EntryKind.DELETE, now_us).seq
        each.is_deleted = True
    return Done(seq, len(family))


def new_parent(books: Books, parent_id: str, *, height: int, of: Account | None = None) -> Account | None:
    """The budget that is to be the parent of another one, and may be."""
    if not parent_id:
        return None
    parent = books.account(parent_id)
    check_no_template(parent)
    above = list(books.upwards(parent))
    if any(each is of for each in above):
        raise RefusedError("PARENT_CYCLE")
    if len(above) + height > books.depth_max:
        raise RefusedError("TOO_DEEP")
    return parent


def family_of(books: Books, account: Account) -> Iterator[Account]:
    """A budget and all below it, each after its parent."""
    yield account
    for child in books.children(account):
        yield from family_of(books, child)


def height_of(books: Books, account: Account) -> int:
    """The levels from a budget down to its lowest descendant."""
    return 1 + max((height_of(books, child) for child in books.children(account)), default=0)


def check_etag(account: Account, etag: str) -> None:
    """The budget is as the caller knows it."""
    if etag and etag != account.etag:
        raise RefusedError("ETAG_MISMATCH")


def limits_by_id(drafts: Sequence[LimitDraft], created_at_us: int) -> dict[str, Limit | None]:
    """The limits of a budget that was created then; the main one is None if there is none."""
    limits: dict[str, Limit | None] = {each.limit.limit_id: each.anchored(created_at_us) for each in drafts}
    return {MAIN: None, **limits}


def check_units(account: Account, limits: Mapping[str, Limit | None]) -> None:
    """The unit of a limit never changes."""
    for name, limit in limits.items():
        rule = account.rules.get(name)
        if rule is not None and rule.limit is not None and limit is not None and rule.unit is not limit.unit:
            raise RefusedError("INVALID_FIELD")


def recounted(books: Books, account: Account, name: str, limit: Limit | None, now_us: int) -> Rule | None:
    """The rule of a limit that counts something else than before, as the lines of the window have it; else None."""
    if not starts_over(account.rules.get(name), limit):
        return None
    rule = Rule(limit, first_span(limit, now_us))
    start_at_us = rule.span.start_at_us
    for line in books.lines:
        if account.key not in line.keys:
            continue
        is_reset = (line.key, line.kind, line.cause) == (account.key, EntryKind.RESET, Cause.REQUESTED)
        is_reset = is_reset and line.limit_id == name
        began = is_reset or (line.key == account.key and line.kind is EntryKind.CREATE)
        if began or (start_at_us is not None and line.at_us < start_at_us):
            rule.since = line.seq
    if rule.unit is Unit.NANO_USD:
        models = {line.model for line in books.counted(account, rule)} if name == MAIN else {None}
        if any(books.spent_on(account, rule, model) < 0 for model in models):
            raise RefusedError("BELOW_ZERO")
    if sum(tokens_of(line.usage) for line in books.counted(account, rule)) > COUNTER_MAX:
        raise RefusedError("COUNTER_OVERFLOW")
    return rule


def name_again(books: Books, account: Account, until_seq: int) -> None:
    """Count the first models apart that a recount meets: newest first up to a line, then the newer ones alike.

    What corrects others comes last.
    """
    lines = books.counted(account, account.rules[MAIN])
    account.names = set()
    for line in sorted(lines, key=lambda line: (line.adjusted is not None, line.seq > until_seq, -line.seq)):
        account.names.add(books.name_of(account, line.model))


def starts_over(rule: Rule | None, limit: Limit | None) -> bool:
    """True if a limit's count cannot go on from what was counted so far."""
    if rule is None:
        return True
    if is_on_request(limit):
        return False
    before, after = (
        (each.window, each.models) if each is not None else (Lifetime(), ()) for each in (rule.limit, limit)
    )
    return is_on_request(rule.limit) or before != after


def carried_on(rule: Rule, limit: Limit | None, now_us: int) -> Rule:
    """The rule of a limit that goes on counting."""
    if limit is None or not is_on_request(limit):
        return Rule(limit, rule.span, rule.since)
    if rule.limit is None or rule.limit.window != limit.window:
        return Rule(limit, first_span(limit, now_us), rule.since)
    return Rule(anchored_at(limit, rule.span), rule.span, rule.since)
