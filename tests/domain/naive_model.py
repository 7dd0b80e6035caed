"""The rules once more, slow and obvious: a list of entries, and every number added up from it whenever it is asked for.

Nothing here is shared with the code that it checks but the plain data: commands, limits, usage and the names of kinds
and reasons. It keeps no sums. What it keeps beside the entries is what no entry says: each budget's configuration, its
window, since which entry it counts, and which models it counts apart.
"""

from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from budgetd_server.domain.bounds import COUNTER_MAX, OTHER_MODELS
from budgetd_server.domain.budget import Limit, Sums
from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    CreateBudget,
    DeleteBudget,
    Requested,
    ResetCost,
    ResetManyOnDuration,
    ResetOnDuration,
    UpdateBudget,
)
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.usage import Usage
from budgetd_server.domain.window import Fixed, Lifetime
from tests.domain.naive_windows import Bounds, first_window, is_on_request, window_of, windows_skipped


class Told(NamedTuple):
    """What a caller is told: the reason of a refusal, or what the command came to."""

    refusal: str = ""
    entry_seq: int = 0
    result: int = 0
    replayed: bool = False


class Line(NamedTuple):
    """One entry."""

    seq: int
    key: int
    budget_id: str
    kind: EntryKind
    at_us: int
    cost_nano_usd: int = 0
    usage: Usage | None = None
    model: str = ""
    request_id: str = ""
    reason: str = ""
    cause: Cause = Cause.NONE
    skipped: int = 0


@dataclass(slots=True, kw_only=True)
class Account:
    """One incarnation of a budget."""

    project_id: str
    budget_id: str
    key: int
    limit: Limit | None
    labels: dict[str, str]
    created_at_us: int
    window: Bounds
    since_seq: int = 0
    version: int = 1
    #: The models that are counted apart.
    names: set[str] = field(default_factory=set)


_Known = Charge | AdjustCost | UpdateBudget | DeleteBudget | ResetCost | ResetOnDuration


class _RefusedError(Exception):
    """The reason is the argument."""


class NaiveModel:
    """What a ledger would hold after the commands that it was told.

    Args:
        models_max: How many models a budget counts apart.
    """

    def __init__(self, models_max: int) -> None:
        self.models_max = models_max
        self.lines: dict[str, list[Line]] = {}
        self.accounts: dict[tuple[str, str], Account] = {}
        self.effects: dict[tuple[str, type[Requested[Any]], str], tuple[bytes, Told]] = {}
        self.keys: dict[str, int] = {}

    # --- What it comes to.

    def counted(self, account: Account) -> list[Line]:
        """The charges and adjustments that count in the account's window."""
        return [line for line in self._money(account) if line.seq > account.since_seq]

    def sums(self, account: Account) -> Sums:
        """What they come to."""
        return _summed(self.counted(account))

    def by_model(self, account: Account) -> dict[str, Sums]:
        """The same by model, those that are not counted apart together."""
        parts: dict[str, list[Line]] = {}
        for line in self.counted(account):
            parts.setdefault(line.model if line.model in account.names else OTHER_MODELS, []).append(line)
        return {name: _summed(lines) for name, lines in parts.items()}

    def lifetime(self, account: Account) -> int:
        """All costs of the account, ever."""
        return sum(line.cost_nano_usd for line in self._money(account))

    def is_over(self, account: Account, at_us: int) -> bool:
        """True if the account's window has ended by itself at an instant, so that it stands at zero."""
        end_us = account.window[1]
        return end_us is not None and not is_on_request(account.limit) and at_us >= end_us

    def spent(self, account: Account, at_us: int) -> int:
        """Where the account stands at an instant."""
        return 0 if self.is_over(account, at_us) else self.sums(account).cost_nano_usd

    def _money(self, account: Account) -> list[Line]:
        kinds = (EntryKind.CHARGE, EntryKind.ADJUST)
        return [line for line in self.lines[account.project_id] if line.key == account.key and line.kind in kinds]

    # --- What it is told.

    def tell(self, command: Requested[Any], now_us: int) -> Told:
        """Carry out a command."""
        name = (command.project_id, type(command), command.request.request_id)
        if name in self.effects:
            fingerprint, told = self.effects[name]
            same = fingerprint == command.request.fingerprint
            return told._replace(replayed=True) if same else Told("REQUEST_ID_REUSED")
        try:
            told = self._carried_out(command, now_us)
        except _RefusedError as refusal:
            return Told(str(refusal))
        if not isinstance(command, ResetManyOnDuration) or command.is_last:
            self.effects[name] = (command.request.fingerprint, told)
        return told

    def _carried_out(self, command: Requested[Any], now_us: int) -> Told:
        if isinstance(command, CreateBudget):
            return self._create(command, now_us)
        if isinstance(command, ResetManyOnDuration):
            accounts = [self.accounts.get((command.project_id, budget_id)) for budget_id in command.budget_ids]
            name = command.request.request_id
            reset = [self._reset_if_over(account, now_us, name) for account in accounts if account is not None]
            return Told(result=command.reset_count_before + sum(reset))
        assert isinstance(command, _Known), "the others are in tests/authority"
        account = self.accounts.get((command.project_id, command.budget_id))
        if account is None:
            raise _RefusedError("BUDGET_NOT_FOUND")
        known: _Known = command
        match known:
            case Charge():
                return self._charge(account, known, now_us)
            case AdjustCost():
                return self._adjust(account, known, now_us)
            case UpdateBudget():
                return self._update(account, known, now_us)
            case DeleteBudget():
                return self._delete(account, known, now_us)
        return self._reset(account, known, now_us)

    def _charge(self, account: Account, command: Charge, now_us: int) -> Told:
        if self.lifetime(account) + command.cost_nano_usd > COUNTER_MAX:
            raise _RefusedError("COUNTER_OVERFLOW")
        if command.usage is not None:
            tokens = 0 if self.is_over(account, now_us) else self.sums(account).usage.tokens
            if tokens + command.usage.tokens > COUNTER_MAX:
                raise _RefusedError("COUNTER_OVERFLOW")
        self._roll(account, now_us)
        account.names.add(self._name(account, command.model))
        line = self._append(
            account,
            EntryKind.CHARGE,
            now_us,
            cost_nano_usd=command.cost_nano_usd,
            usage=command.usage,
            model=command.model,
            request_id=command.request.request_id,
        )
        return Told(entry_seq=line.seq, result=command.cost_nano_usd)

    def _adjust(self, account: Account, command: AdjustCost, now_us: int) -> Told:
        amount = command.amount_nano_usd
        if self.lifetime(account) + amount > COUNTER_MAX:
            raise _RefusedError("COUNTER_OVERFLOW")
        part = self.by_model(account).get(self._name(account, command.model), Sums()).cost_nano_usd
        of_model = 0 if self.is_over(account, now_us) else part
        if min(self.spent(account, now_us), of_model) + amount < 0:
            raise _RefusedError("BELOW_ZERO")
        self._roll(account, now_us)
        account.names.add(self._name(account, command.model))
        line = self._append(
            account,
            EntryKind.ADJUST,
            now_us,
            cost_nano_usd=amount,
            model=command.model,
            request_id=command.request.request_id,
            reason=command.reason,
        )
        return Told(entry_seq=line.seq, result=amount)

    def _create(self, command: CreateBudget, now_us: int) -> Told:
        place = (command.project_id, command.budget_id)
        limit = command.limits[0].anchored(now_us) if command.limits else None
        account = self.accounts.get(place)
        if account is not None and not command.replace_existing:
            raise _RefusedError("BUDGET_EXISTS")
        cause = Cause.REPLACED if account is not None else Cause.NONE
        if account is None:
            self.keys[command.project_id] = self.keys.get(command.project_id, 0) + 1
            account = self.accounts[place] = Account(
                project_id=command.project_id,
                budget_id=command.budget_id,
                key=self.keys[command.project_id],
                limit=limit,
                labels={},
                created_at_us=now_us,
                window=(None, None),
                version=0,
            )
        account.limit, account.labels, account.created_at_us = limit, dict(command.labels), now_us
        account.window, account.names = first_window(limit, now_us), set()
        account.version += 1
        line = self._append(account, EntryKind.CREATE, now_us, request_id=command.request.request_id, cause=cause)
        account.since_seq = line.seq
        return Told(entry_seq=line.seq)

    def _update(self, account: Account, command: UpdateBudget, now_us: int) -> Told:
        self._check_etag(account, command.etag)
        if command.sets_limits:
            limit = command.limits[0].anchored(account.created_at_us) if command.limits else None
            self._limit(account, limit, now_us)
        if command.labels is not None:
            account.labels = dict(command.labels)
        account.version += 1
        line = self._append(account, EntryKind.UPDATE, now_us, request_id=command.request.request_id)
        return Told(entry_seq=line.seq)

    def _limit(self, account: Account, limit: Limit | None, now_us: int) -> None:
        windows = [each.window if each is not None else Lifetime() for each in (account.limit, limit)]
        if not is_on_request(limit) and (is_on_request(account.limit) or windows[0] != windows[1]):
            since_seq = self._since(account, window_of(limit, now_us))
            self._check_countable([line for line in self._money(account) if line.seq > since_seq])
            self._roll(account, now_us)
            account.window, account.since_seq = window_of(limit, now_us), since_seq
            account.names = {line.model for line in self.counted(account)}
            account.limit = limit
            return
        self._roll(account, now_us)
        if limit is not None and (account.limit is None or windows[0] != windows[1]):
            account.window = first_window(limit, now_us)
        elif limit is not None and is_on_request(limit):
            limit = _anchored(limit, account.window)
        account.limit = limit

    def _since(self, account: Account, window: Bounds) -> int:
        """The newest entry at which the count began again or that is older than a window."""
        for line in reversed(self.lines[account.project_id]):
            if line.key == account.key:
                began = line.kind is EntryKind.CREATE or (line.kind, line.cause) == (EntryKind.RESET, Cause.REQUESTED)
                if began or (window[0] is not None and line.at_us < window[0]):
                    return line.seq
        raise AssertionError("every account was created")

    def _delete(self, account: Account, command: DeleteBudget, now_us: int) -> Told:
        self._check_etag(account, command.etag)
        line = self._append(account, EntryKind.DELETE, now_us, request_id=command.request.request_id)
        del self.accounts[(account.project_id, account.budget_id)]
        return Told(entry_seq=line.seq, result=1)

    def _reset(self, account: Account, command: ResetCost | ResetOnDuration, now_us: int) -> Told:
        request_id = command.request.request_id
        if isinstance(command, ResetCost):
            self._roll(account, now_us)
            return Told(entry_seq=self._begin_again(account, now_us, Cause.REQUESTED, request_id))
        if account.limit is None or isinstance(account.limit.window, Lifetime):
            raise _RefusedError("NO_WINDOW")
        was_reset = self._reset_if_over(account, now_us, request_id)
        return Told(entry_seq=account.since_seq if was_reset else 0, result=int(was_reset))

    def _reset_if_over(self, account: Account, now_us: int, request_id: str) -> bool:
        if not is_on_request(account.limit):
            return self._roll(account, now_us, request_id)
        limit, end_us = account.limit, account.window[1]
        if limit is None or end_us is None or now_us < end_us:
            return False
        window = window_of(limit, now_us)
        assert window[0] is not None
        skipped = windows_skipped(limit, end_us=end_us, start_us=window[0])
        self._begin_again(account, now_us, Cause.REQUESTED, request_id, skipped)
        account.window, account.limit = window, _anchored(limit, window)
        return True

    def _roll(self, account: Account, now_us: int, request_id: str = "") -> bool:
        """Go where the clock says; True if the count began again."""
        limit, (start_us, end_us) = account.limit, account.window
        if limit is None or is_on_request(limit) or start_us is None or end_us is None:
            return False
        window = window_of(limit, now_us)
        assert window[0] is not None
        assert window[1] is not None
        if now_us >= end_us:
            skipped = windows_skipped(limit, end_us=end_us, start_us=window[0])
            self._begin_again(account, now_us, Cause.WINDOW_ENDED, request_id, skipped)
            account.window = window
            return True
        if start_us - now_us > max(end_us - start_us, window[1] - window[0]):
            self._append(account, EntryKind.RESET, now_us, request_id=request_id, cause=Cause.CLOCK_STEPPED_BACK)
            account.window = window
        return False

    def _begin_again(self, account: Account, now_us: int, cause: Cause, request_id: str, skipped: int = 0) -> int:
        line = self._append(account, EntryKind.RESET, now_us, request_id=request_id, cause=cause, skipped=skipped)
        account.since_seq, account.names = line.seq, set()
        return line.seq

    def _append(self, account: Account, kind: EntryKind, at_us: int, **fields: Any) -> Line:
        lines = self.lines.setdefault(account.project_id, [])
        line = Line(len(lines) + 1, account.key, account.budget_id, kind, at_us)._replace(**fields)
        lines.append(line)
        return line

    def _name(self, account: Account, model: str) -> str:
        return model if model in account.names or len(account.names) < self.models_max else OTHER_MODELS

    def _check_etag(self, account: Account, etag: str) -> None:
        # Callers never look into an etag; the tests do, once, here.
        if etag and etag != f"{account.key}-{account.version}":
            raise _RefusedError("ETAG_MISMATCH")

    def _check_countable(self, lines: list[Line]) -> None:
        models = {line.model for line in lines}
        if any(_summed([line for line in lines if line.model == model]).cost_nano_usd < 0 for model in models):
            raise _RefusedError("BELOW_ZERO")
        if _summed(lines).usage.tokens > COUNTER_MAX:
            raise _RefusedError("COUNTER_OVERFLOW")


def _summed(lines: list[Line]) -> Sums:
    usages = [line.usage for line in lines if line.usage is not None]
    cost_nano_usd = sum(line.cost_nano_usd for line in lines)
    tokens = [sum(usage[:-1][index] for usage in usages) for index in range(5)]
    calls = sum(line.kind is EntryKind.CHARGE for line in lines)
    return Sums(cost_nano_usd, tokens[0], tokens[1], tokens[2], tokens[3], tokens[4], calls)


def _anchored(limit: Limit, window: Bounds) -> Limit:
    """A fixed window is named by the start of its current one."""
    if isinstance(limit.window, Fixed) and window[0] is not None:
        return replace(limit, window=replace(limit.window, anchor_at_us=window[0]))
    return limit
