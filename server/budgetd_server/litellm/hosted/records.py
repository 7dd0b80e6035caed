"""Between LiteLLM's records, in dollars and seconds, and those of the rules, in nano-dollars and microseconds.

A record is an object with `total_budget`; with a duration also `duration` in days, `created_at` and `last_updated_at`,
the start of the current window; and, once something was charged or reset, `current_cost` and `model_cost`.
"""

import math
from collections.abc import Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from budgetd_server.domain.bounds import LIMIT_AMOUNT_MAX, NANO_USD_PER_USD, US_PER_SECOND
from budgetd_server.domain.errors import FieldViolation, InvalidField
from budgetd_server.domain.names import broken_name_rule
from budgetd_server.domain.status import BudgetStatus
from budgetd_server.domain.window import Lifetime
from budgetd_server.http.bodies import told
from budgetd_server.litellm.record import Record
from budgetd_server.litellm.saving import CREATED_AT_LABEL

KEYS = ("total_budget", "duration", "created_at", "last_updated_at", "current_cost", "model_cost")
US_PER_DAY = 86_400 * US_PER_SECOND
LENGTH_DAYS_MAX = 3_653
MODELS_MAX = 1_000
#: What stands for a budget without a main limit: the class could not send infinity back.
UNLIMITED_USD = LIMIT_AMOUNT_MAX // NANO_USD_PER_USD
_YEAR_10000 = 253_402_300_800


def record_of(status: BudgetStatus, *, is_fresh: bool) -> dict[str, Any]:
    """A budget as the class keeps it.

    Args:
        status: The budget, with its models.
        is_fresh: True: nothing was charged or reset since it was created, so it has no costs, not even zero.
    """
    limit = status.main_limit
    record: dict[str, Any] = {"total_budget": UNLIMITED_USD if limit is None else _usd(limit.amount)}
    if limit is not None and not isinstance(limit.window, Lifetime):
        span = status.limits[0].span
        assert span.start_at_us is not None and span.end_at_us is not None, "only a lifetime has no end"  # noqa: PT018
        days, rest = divmod(span.end_at_us - span.start_at_us, US_PER_DAY)
        record["duration"] = days + rest / US_PER_DAY if rest else days
        record["created_at"] = _created_at(status)
        record["last_updated_at"] = span.start_at_us / US_PER_SECOND
    if not is_fresh:
        record["current_cost"] = _usd(status.current_cost_nano_usd)
        record["model_cost"] = {each.model: _usd(each.sums.cost_nano_usd) for each in status.models if each.model}
    return record


def decoded(record: object, field: str = "") -> Record:
    """A record as the class has sent it.

    Raises:
        InvalidField: It breaks a rule; all that are broken are told.
    """
    if not isinstance(record, dict):
        raise InvalidField([FieldViolation(field or "record", f"must be an object, got {told(record)}")])
    decoding = _Decoding(record, f"{field}." if field else "")
    decoded = decoding.record()
    if decoding.violations:
        raise InvalidField(decoding.violations)
    return decoded


class _Decoding:
    """One record, and what is wrong with it."""

    def __init__(self, record: Mapping[str, Any], prefix: str) -> None:
        self.violations: list[FieldViolation] = []
        self._record, self._prefix = record, prefix

    def record(self) -> Record:
        """The record; nothing that may be used if there are violations."""
        record = self._record
        if "total_budget" not in record:
            self._refuse("total_budget", "must be there")
        spent = self._nano_usd("current_cost", record["current_cost"]) if "current_cost" in record else None
        models = self._models(record.get("model_cost"))
        if spent is None and models:
            spent = sum(cost for _, cost in models)
        created_at = record.get("created_at")
        return Record(
            total_nano_usd=self._nano_usd("total_budget", record.get("total_budget", 0)),
            length_us=self._length_us(record.get("duration")),
            created_at="" if self._at_us("created_at", created_at) is None else repr(float(created_at or 0)),
            window_at_us=self._at_us("last_updated_at", record.get("last_updated_at")),
            spent_nano_usd=spent,
            models=models,
        )

    def _models(self, costs: object) -> tuple[tuple[str, int], ...]:
        if costs is None:
            return ()
        if not isinstance(costs, dict):
            self._refuse("model_cost", f"must be an object of dollars by model, got {told(costs)}")
            return ()
        if len(costs) > MODELS_MAX:
            self._refuse("model_cost", f"must have at most {MODELS_MAX} models, got {len(costs)}")
            return ()
        for model in costs:
            if model and (rule := broken_name_rule(model)) is not None:
                self._refuse(f"model_cost[{told(model)}]", rule)
        return tuple((model, self._nano_usd("model_cost", cost, model)) for model, cost in costs.items())

    def _nano_usd(self, field: str, usd: object, model: str | None = None) -> int:
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not 0 <= usd <= UNLIMITED_USD:
            of = field if model is None else f"{field}[{told(model)}]"
            if self._number(of, usd) is not None:
                self._refuse(of, f"must be from 0 to {UNLIMITED_USD:,} dollars, got {told(usd)}")
            return 0
        if field == "total_budget" and 0 < usd < 1e-9:
            self._refuse(field, f"must be 0, or at least a nano-dollar (1e-09), got {told(usd)}")
            return 0
        # The shortest decimal form of a float is what its writer meant; it is rounded once.
        return int((Decimal(repr(usd)) * NANO_USD_PER_USD).to_integral_value(ROUND_HALF_EVEN))

    def _length_us(self, days: object) -> int | None:
        number = None if days is None else self._number("duration", days)
        if number is None:
            return None
        if not US_PER_SECOND / US_PER_DAY <= number <= LENGTH_DAYS_MAX:
            self._refuse("duration", f"must be from one second to {LENGTH_DAYS_MAX} days, got {told(days)}")
            return None
        return round(number * US_PER_DAY)

    def _at_us(self, field: str, seconds: object) -> int | None:
        number = None if seconds is None else self._number(field, seconds)
        if number is None:
            return None
        if not 0 <= number < _YEAR_10000:
            self._refuse(field, f"must be a time of the years 1970 to 9999 in seconds, got {told(seconds)}")
            return None
        return round(number * US_PER_SECOND)

    def _number(self, field: str, value: object) -> int | float | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or (isinstance(value, float) and not math.isfinite(value)):
            self._refuse(field, f"must be a finite number, got {told(value)}")
            return None
        assert isinstance(value, int | float), "it was looked at"
        return value

    def _refuse(self, field: str, rule: str) -> None:
        self.violations.append(FieldViolation(f"{self._prefix}{field}", rule))


def _created_at(status: BudgetStatus) -> float:
    """When the class says that it was created; if it says nothing that makes sense, when it was."""
    try:
        said = float(status.labels.get(CREATED_AT_LABEL, "nan"))
    except ValueError:
        said = math.nan
    return said if 0 <= said < _YEAR_10000 else status.created_at_us / US_PER_SECOND


def _usd(nano_usd: int) -> int | float:
    whole, rest = divmod(nano_usd, NANO_USD_PER_USD)
    return nano_usd / NANO_USD_PER_USD if rest else whole
