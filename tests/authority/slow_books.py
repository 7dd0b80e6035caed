"""The books of one project, slow and obvious: a list of lines, and every number added up from it when it is asked for.

Only plain data and the computation of windows are shared with the code that it checks. In addition to the lines, the
books hold only what no line says: the configuration of each budget, the stored window of each limit and the line after
which it counts, and what each reservation holds.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

from budgetd_server.domain.bounds import COUNTER_MAX, OTHER_MODELS
from budgetd_server.domain.budget import MAIN, Limit, ResetMode, Sums, Unit
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.reservation import OnExpiry, ReservationState
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime, Roll, Span, rolled, window_at

#: The model asks again and again.
_rolled = lru_cache(maxsize=10_000)(rolled)


class RefusedError(Exception):
    """A command is refused; the reason is the argument."""


class Part(NamedTuple):
    """What a line adds to a limit, or a hold keeps of it."""

    cost: int
    usage: Usage | None
    calls: int
    model: str = ""
    other_names: tuple[str, ...] = ()

    def of(self, unit: Unit) -> int:
        """This part's amount in the given unit."""
        return {Unit.NANO_USD: self.cost, Unit.TOKENS: tokens_of(self.usage), Unit.CALLS: self.calls}[unit]


class Line(NamedTuple):
    """One entry."""

    seq: int
    key: int
    kind: EntryKind
    at_us: int
    cost: int = 0
    usage: Usage | None = None
    calls: int = 0
    model: str = ""
    other_names: tuple[str, ...] = ()
    other_keys: tuple[int, ...] = ()
    reservation: int | None = None
    adjusted: int | None = None
    limit_id: str = ""
    reason: str = ""
    cause: Cause = Cause.NONE
    is_late: bool = False
    is_estimated: bool = False
    overage: int = 0
    request_id: str = ""
    skipped: int = 0

    @property
    def is_counted(self) -> bool:
        """True if it adds something, if only zero."""
        kinds = (EntryKind.CHARGE, EntryKind.SETTLE, EntryKind.ADJUST)
        return self.kind in kinds or self.is_estimated or self.adjusted is not None

    @property
    def part(self) -> Part:
        """What it adds."""
        return Part(self.cost, self.usage, self.calls, self.model, self.other_names)

    @property
    def keys(self) -> tuple[int, ...]:
        """The budgets that it counts on."""
        return (self.key, *self.other_keys)


@dataclass(slots=True)
class Rule:
    """A limit, the window in which it counts, and the last line that it does not count."""

    limit: Limit | None
    span: Span
    since: int = 0

    @property
    def unit(self) -> Unit:
        """What it counts."""
        return Unit.NANO_USD if self.limit is None else self.limit.unit

    def matches(self, part: Part) -> bool:
        """True if it counts such a part."""
        patterns = self.limit.models if self.limit is not None else ()
        names = {part.model, *part.other_names} - {""}
        begins = any(name.startswith(each[:-1]) for each in patterns if each[-1] == "*" for name in names)
        return not patterns or bool(names & set(patterns)) or begins


@dataclass(slots=True, kw_only=True)
class Account:
    """One incarnation of a budget; its rules by limit id, main one first."""

    key: int
    budget_id: str
    parent_key: int | None
    is_template: bool
    labels: Mapping[str, str]
    created_at_us: int
    version: int = 1
    is_deleted: bool = False
    rules: dict[str, Rule] = field(default_factory=dict)
    #: The models that the main rule counts apart in its window, and that of the rest once there are too many.
    names: set[str] = field(default_factory=set)

    @property
    def etag(self) -> str:
        """Callers never look into an etag; the tests do, here."""
        return f"{self.key}-{self.version}"


@dataclass(slots=True, kw_only=True)
class Hold:
    """A reservation."""

    seq: int
    keys: tuple[int, ...]
    kept: Part
    on_expiry: OnExpiry
    expires_at_us: int
    state: ReservationState = ReservationState.OPEN
    ended_seq: int | None = None

    @property
    def is_open(self) -> bool:
        """True while it holds something."""
        return self.state is ReservationState.OPEN


class Books:
    """The lines, budgets and reservations of one project.

    Args:
        project_id: Its id.
        depth_max: How many levels a tree may have.
        models_max: How many models a budget counts apart.
    """

    def __init__(self, project_id: str, depth_max: int, models_max: int) -> None:
        self.project_id = project_id
        self.depth_max = depth_max
        self.models_max = models_max
        #: That of the command that is carried out; empty: it has none.
        self.request_id = ""
        self.lines: list[Line] = []
        #: All that ever were, by their keys, which count up from 1.
        self.accounts: dict[int, Account] = {}
        #: All that ever were, by the number of the line that made them.
        self.holds: dict[int, Hold] = {}

    # --- Who is there.

    def living(self) -> dict[str, Account]:
        """The live budgets by their ids."""
        return {each.budget_id: each for each in self.accounts.values() if not each.is_deleted}

    def account(self, budget_id: str) -> Account:
        """A live budget."""
        account = self.living().get(budget_id)
        if account is None:
            raise RefusedError("BUDGET_NOT_FOUND")
        return account

    def upwards(self, account: Account) -> Iterator[Account]:
        """A budget and its ancestors."""
        yield account
        while account.parent_key is not None:
            account = self.accounts[account.parent_key]
            yield account

    def children(self, account: Account) -> list[Account]:
        """The live budgets right below, in order of creation."""
        return [each for each in self.living().values() if each.parent_key == account.key]

    def of_keys(self, keys: Iterable[int]) -> list[Account]:
        """The budgets of these keys, deleted or not."""
        return [self.accounts[key] for key in keys]

    def open_holds(self, account: Account) -> list[Hold]:
        """The open holds that count on a budget, oldest first."""
        return [each for each in self.holds.values() if each.is_open and account.key in each.keys]

    # --- What it comes to.

    def counted(self, account: Account, rule: Rule) -> list[Line]:
        """The lines that count under a rule of a budget; one that corrects another only if that one does."""
        return [
            line
            for line in self.lines
            if line.seq > rule.since
            and account.key in line.keys
            and (line.adjusted is None or line.adjusted > rule.since)
            and line.is_counted
            and rule.matches(line.part)
        ]

    def spent(self, account: Account, rule: Rule) -> int:
        """What they come to, in the rule's unit."""
        return sum(line.part.of(rule.unit) for line in self.counted(account, rule))

    def spent_on(self, account: Account, rule: Rule, model: str | None = None) -> int:
        """What they come to in money, of one model or of all."""
        return sum(line.cost for line in self.counted(account, rule) if model in (None, line.model))

    def by_model(self, account: Account) -> dict[str, Sums]:
        """What the main rule's lines come to by model, those of models that are not counted apart together."""
        models: dict[str, Sums] = {}
        for line in self.counted(account, account.rules[MAIN]):
            name = line.model if line.model in account.names else OTHER_MODELS
            models.setdefault(name, Sums()).add(line.cost, line.usage, line.calls)
        return models

    def name_of(self, account: Account, model: str) -> str:
        """The name under which a model counts from now on."""
        has_room = len(account.names) < self.models_max
        return model if has_room or model in account.names else OTHER_MODELS

    def check_room(self, accounts: Iterable[Account], part: Part, now_us: int, freed: int = 0) -> None:
        """No count of money, with what is held, and none of tokens passes the largest number."""
        for account in accounts:
            main = account.rules[MAIN]
            money = max(self.lifetime(account), self.spent_on(account, main)) + self.held(account, main) - freed
            tokens = [
                sum(tokens_of(line.usage) for line in self.counted(account, rule))
                for rule in account.rules.values()
                if not (has_ended(rule, now_us) or part.usage is None)
            ]
            if money + part.cost > COUNTER_MAX or max(tokens, default=0) + tokens_of(part.usage) > COUNTER_MAX:
                raise RefusedError("COUNTER_OVERFLOW")

    def held(self, account: Account, rule: Rule) -> int:
        """What open holds keep under a rule, in its unit."""
        return sum(each.kept.of(rule.unit) for each in self.open_holds(account) if rule.matches(each.kept))

    def lifetime(self, account: Account) -> int:
        """All that a budget ever cost."""
        return sum(line.cost for line in self.lines if account.key in line.keys)

    # --- Time.

    def is_over(self, account: Account, rule: Rule, now_us: int) -> bool:
        """True if a rule counts from zero by now; the windows of deleted budgets stay."""
        return has_ended(rule, now_us) and not account.is_deleted

    def spent_at(self, account: Account, rule: Rule, now_us: int) -> int:
        """What is spent in the window of now, in the rule's unit."""
        return 0 if self.is_over(account, rule, now_us) else self.spent(account, rule)

    def roll(self, account: Account, now_us: int) -> None:
        """Let every rule go where the clock says."""
        for limit_id in account.rules:
            self.roll_one(account, limit_id, now_us)

    def roll_one(self, account: Account, limit_id: str, now_us: int, request_id: str = "") -> int:
        """Let one rule go where the clock says; the number of the line at which it began again, or 0."""
        rule = account.rules[limit_id]
        roll = due(rule, now_us)
        if roll is None or account.is_deleted:
            return 0
        cause = Cause.CLOCK_STEPPED_BACK if roll.keeps_count else Cause.WINDOW_ENDED
        line = self.append(
            account,
            EntryKind.RESET,
            now_us,
            limit_id=limit_id,
            cause=cause,
            request_id=request_id,
            skipped=roll.windows_skipped,
        )
        rule.span = roll.span
        return 0 if roll.keeps_count else self.begin_again(account, limit_id, line)

    def begin_again(self, account: Account, limit_id: str, line: Line) -> int:
        """Let one rule count what comes after a line, whose number it returns."""
        account.rules[limit_id].since = line.seq
        if limit_id == MAIN:
            account.names = set()
        return line.seq

    def append(self, account: Account, kind: EntryKind, now_us: int, part: Part | None = None, **fields: Any) -> Line:
        """Write the next line."""
        counts = {} if part is None else part._asdict()
        fields = {"request_id": self.request_id, **counts, **fields}
        line = Line(len(self.lines) + 1, account.key, kind, now_us, **fields)
        self.lines.append(line)
        for each in self.of_keys(line.keys) if line.is_counted else ():
            if line.adjusted is None or line.adjusted > each.rules[MAIN].since:
                each.names.add(self.name_of(each, line.model))
        return line


def tokens_of(usage: Usage | None) -> int:
    """Input and output."""
    return 0 if usage is None else usage.input_tokens + usage.output_tokens


def is_on_request(limit: Limit | None) -> bool:
    """True if only ResetOnDuration ends its window."""
    return limit is not None and limit.reset_mode is ResetMode.ON_REQUEST


def due(rule: Rule, now_us: int) -> Roll | None:
    """The step into another window that a rule has to make by the clock."""
    if rule.limit is None or is_on_request(rule.limit):
        return None
    return _rolled(rule.limit.window, rule.span, now_us)


def has_ended(rule: Rule, now_us: int) -> bool:
    """True if a rule's window is over by the clock, so that it counts from zero."""
    roll = due(rule, now_us)
    return roll is not None and not roll.keeps_count


def first_span(limit: Limit | None, now_us: int) -> Span:
    """The window in which a limit begins: that of now, or the one at its anchor if it is reset on request."""
    if limit is None:
        return window_at(Lifetime(), now_us)
    if is_on_request(limit) and isinstance(limit.window, Fixed):
        return Span(limit.window.anchor_at_us, limit.window.anchor_at_us + limit.window.length_us)
    return window_at(limit.window, now_us)


def anchored_at(limit: Limit, span: Span) -> Limit:
    """A fixed window that is named by the start of a span."""
    if isinstance(limit.window, Fixed) and span.start_at_us is not None:
        return replace(limit, window=replace(limit.window, anchor_at_us=span.start_at_us))
    return limit
