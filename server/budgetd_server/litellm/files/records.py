"""One user's record of `user_cost.json`: checked against the rules that budgets have, each breach by its name."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, NamedTuple

from budgetd.user_cost import DURATION_DAYS_MAX, KEYS, SECONDS_PER_DAY
from budgetd_server.domain.bounds import (
    ID_BYTES_MAX,
    LIMIT_AMOUNT_MAX,
    MODELS_PER_WINDOW_MAX,
    NANO_USD_PER_USD,
    US_PER_SECOND,
)
from budgetd_server.litellm.files.members import shown

#: The year 10000, in seconds since 1970.
_TIME_SECONDS_END = 253_402_300_800
#: Sums of floats are off by their rounding: by less than a nano-dollar an addend, or a billionth of the whole.
_FLOAT_ERROR = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """What a record asks for."""

    user: str
    total_nano_usd: int
    #: The length of the window; None: the budget never ends.
    duration_seconds: int | None
    #: When the current window began, in microseconds since 1970; None: now.
    window_start_us: int | None
    #: As the record tells it, in seconds since 1970; None: it does not, or the budget has no window.
    created_at: float | None
    #: Nano-dollars by model; what was spent on none under "". Empty: nothing was ever counted.
    costs: tuple[tuple[str, int], ...]

    @property
    def spent_nano_usd(self) -> int:
        """All costs."""
        return sum(cost for _, cost in self.costs)

    @property
    def digest(self) -> str:
        """The same for the same record and no other, however its models are sorted."""
        parts = (self.total_nano_usd, self.duration_seconds, self.window_start_us, self.created_at, sorted(self.costs))
        return hashlib.sha256(repr((self.user, *parts)).encode()).hexdigest()[:32]


class Refusal(NamedTuple):
    """One reason why a record is not imported."""

    user: str
    field: str
    value: str
    rule: str

    @property
    def sentence(self) -> str:
        """The value and the rule that it breaks."""
        return f"{self.field} {self.rule}, got {self.value}"


class Checked(NamedTuple):
    """What a record comes to."""

    #: None: it is refused.
    record: UserRecord | None
    refusals: list[Refusal]
    #: What is not kept of a record that is imported all the same.
    notes: list[str]


def checked(user: str, value: Any) -> Checked:
    """Check a record."""
    checks = _Checks(user)
    checks.name(user, "user")
    if not isinstance(value, Mapping):
        checks.refuse("record", value, "must be an object")
        return Checked(None, checks.refusals, [])
    unknown = [key for key in value if key not in KEYS]
    notes = [f"{shown(key)} is no part of a record, and is left out" for key in unknown]
    total = checks.amount(value, "total_budget")
    duration = checks.duration(value.get("duration"))
    created_at = checks.time(value, "created_at") if duration else None
    updated_at = checks.time(value, "last_updated_at") if duration else None
    costs = _costs(checks, value)
    if len(costs) > MODELS_PER_WINDOW_MAX:
        notes.append(f"of its {len(costs):,} models those beyond {MODELS_PER_WINDOW_MAX} are counted together")
    if checks.refusals:
        return Checked(None, checks.refusals, [])
    start = created_at if updated_at is None else updated_at
    record = UserRecord(
        user=user,
        total_nano_usd=total,
        duration_seconds=duration,
        window_start_us=None if start is None else round(start * US_PER_SECOND),
        created_at=created_at,
        costs=costs,
    )
    return Checked(record, [], notes)


def _costs(checks: "_Checks", record: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    by_model = record.get("model_cost", {})
    if not isinstance(by_model, Mapping):
        checks.refuse("model_cost", by_model, "must be an object with dollars for each model")
        return ()
    for model in by_model:
        checks.name(model, "model of model_cost")
    costs = [(model, checks.amount(by_model, model, f"model_cost[{shown(model)}]")) for model in by_model]
    models = sum(cost for _, cost in costs)
    if "current_cost" not in record:
        if models > LIMIT_AMOUNT_MAX:
            checks.refuse("model_cost", _dollars(models), "must come to at most 1,000,000,000 dollars")
        return tuple(costs)
    current = checks.amount(record, "current_cost")
    if checks.refusals:
        return ()
    rest = current - models
    if rest < -max(len(costs), models // _FLOAT_ERROR):
        rule = f"must be at least what model_cost comes to, {_dollars(models)}"
        checks.refuse("current_cost", record["current_cost"], rule)
    if rest > len(costs) or not costs:  # A cost of zero: the record has costs, and they come to nothing.
        costs.append(("", rest))
    return tuple(costs)


def _dollars(nano_usd: int) -> Decimal:
    return Decimal(nano_usd) / NANO_USD_PER_USD


class _Checks:
    """Collects what is wrong with a record."""

    def __init__(self, user: str) -> None:
        self._user = user
        self.refusals: list[Refusal] = []

    def refuse(self, field: str, value: object, rule: str) -> None:
        self.refusals.append(Refusal(self._user, field, shown(value), rule))

    def name(self, text: str, field: str) -> None:
        """A user's or model's name; a lone surrogate is what remains of bytes that are no text."""
        is_text = not any("\ud800" <= character <= "\udfff" for character in text)
        if not text or not is_text or len(text.encode()) > ID_BYTES_MAX:
            self.refuse(field, text, f"must be 1 to {ID_BYTES_MAX} bytes of UTF-8")
        elif any(ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0 for character in text):
            self.refuse(field, text, "must not contain control characters")

    def amount(self, record: Mapping[str, Any], key: str, field: str | None = None) -> int:
        """Dollars as nano-dollars; zero if they are refused."""
        rule = "must be a number of dollars from 0 to 1,000,000,000"
        if key not in record:
            self.refusals.append(Refusal(self._user, key, "nothing", rule))
            return 0
        value = record[key]
        if not _is_number(value) or not 0 <= value * NANO_USD_PER_USD <= LIMIT_AMOUNT_MAX:
            self.refuse(field or key, value, rule)
            return 0
        if field is None and key == "total_budget" and 0 < value * NANO_USD_PER_USD < 1:
            self.refuse(key, value, "must be 0, or at least a nano-dollar (1e-09)")
            return 0
        return int((Decimal(value) * NANO_USD_PER_USD).to_integral_value(ROUND_HALF_EVEN))

    def duration(self, days: Any) -> int | None:
        """Days as seconds; None: there are none, or they are refused."""
        if days is None:
            return None
        if _is_number(days) and 0 < days <= DURATION_DAYS_MAX:
            seconds = Decimal(days) * SECONDS_PER_DAY
            # Days that are no whole number have gone through a float, and may be off by a little.
            whole = max(round(seconds), 1)
            if abs(seconds - whole) < Decimal("1e-6"):
                return whole
        self.refuse("duration", days, f"must be a number of days up to {DURATION_DAYS_MAX:,}, in whole seconds")
        return None

    def time(self, record: Mapping[str, Any], key: str) -> float | None:
        """Seconds since 1970; None: not told, or refused."""
        value = record.get(key)
        if value is None:
            return None
        if not _is_number(value) or not 0 <= value < _TIME_SECONDS_END:
            self.refuse(key, value, "must be a time of the years 1970 to 9999, in seconds since 1970")
            return None
        return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | Decimal) and not isinstance(value, bool) and math.isfinite(value)
