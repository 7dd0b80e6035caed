"""LiteLLM's records of users, as in `user_cost.json`: their rules, and from budgets to records and back.

The manager, the server's import of the file, and its self-hosted protocol all use these rules.

A record is a dictionary with `total_budget`, in dollars; with a duration also `duration` in days, `created_at` and
`last_updated_at` (the start of the current window) in seconds since 1970; and, once something was counted or reset,
`current_cost` in dollars and `model_cost`, dollars by model.
"""

import math
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from google.protobuf.duration_pb2 import Duration

from budgetd.v1 import budget_pb2 as pb
from budgetd.values import (
    DURATION_DAYS_MAX,
    NANO_USD_PER_USD,
    USD_MAX,
    BrokenRule,
    parse_length_us,
    parse_nano_usd,
    parse_seconds,
    parse_timestamp,
    short_repr,
    usd,
)

#: LiteLLM's words for durations, in days; its month has 28.
DAYS = {"daily": 1, "weekly": 7, "monthly": 28, "yearly": 365}
SECONDS_PER_DAY = 86_400
_US_PER_SECOND = 1_000_000
_US_PER_DAY = SECONDS_PER_DAY * _US_PER_SECOND
#: Large sums of floats are wrong by less than this part of them.
_FLOAT_ERROR = 10**9
#: The label that keeps a `created_at` given by the caller. Without it, a record has the time when the budget was made.
CREATED_AT_LABEL = "litellm.created_at"
KEYS = ("total_budget", "duration", "created_at", "last_updated_at", "current_cost", "model_cost")

Record = dict[str, Any]
FindBrokenRule = Callable[[str], str | None]
_MISSING = object()


class BrokenField(NamedTuple):
    """A field of a record that breaks a rule."""

    field: str
    #: As the reader shows it; "nothing" if the field is missing.
    value: str
    rule: str
    #: True if the value is of the wrong type.
    is_type: bool = False


class RecordReader:
    """Reads the fields of one record, each by its rule. Collects what is broken, for which zero or None is returned."""

    def __init__(self, record: Mapping[str, Any], show: Callable[[object], str]) -> None:
        """Begin with a record that may have any values.

        Args:
            record: The record.
            show: Returns a value as messages show it.
        """
        self.broken: list[BrokenField] = []
        self._record, self._show = record, show

    def dollars(self, key: str) -> int:
        """Return a field in dollars, which must exist, as nano-dollars."""
        return self._nano_usd(key, self._record.get(key, _MISSING))

    def seconds(self, key: str) -> float | None:
        """Return a time in seconds since 1970. Returns None if the record has none."""
        value = self._record.get(key)
        try:
            return None if value is None else parse_seconds(value)
        except BrokenRule as broken:
            self.refuse(key, value, broken.rule, is_type=broken.is_type)
            return None

    def length_us(self) -> int | None:
        """Return the duration in microseconds. Returns None if the record has none."""
        value = self._record.get("duration")
        try:
            return None if value is None else parse_length_us(value)
        except BrokenRule as broken:
            self.refuse("duration", value, broken.rule, is_type=broken.is_type)
            return None

    def models(self, find_broken_rule: FindBrokenRule | None = None) -> tuple[tuple[str, int], ...]:
        """Return nano-dollars by model. Empty if the record has no models.

        Args:
            find_broken_rule: Returns the rule that a model's name breaks, or None. None: names are not checked.
        """
        costs = self._record.get("model_cost")
        if costs is None:
            return ()
        if not isinstance(costs, Mapping):
            self.refuse("model_cost", costs, "must be an object of dollars by model", is_type=True)
            return ()
        for model in costs:
            if find_broken_rule is not None and (rule := find_broken_rule(model)) is not None:
                self.refuse("model of model_cost", model, rule)
        return tuple((str(model), self._nano_usd("model_cost", cost, model)) for model, cost in costs.items())

    def costs(self, find_broken_rule: FindBrokenRule | None = None) -> tuple[tuple[str, int], ...]:
        """Return what to charge for a record to have its costs: each model, and the rest under an empty name.

        Empty if nothing was ever counted. Costs of zero are a charge of zero.

        Args:
            find_broken_rule: As in `models`.
        """
        models = self.models(find_broken_rule)
        total = sum(cost for _, cost in models)
        if "current_cost" not in self._record:
            if total > USD_MAX * NANO_USD_PER_USD:
                rule = f"must come to at most {USD_MAX:,} dollars"
                self.broken.append(BrokenField("model_cost", _exact_dollars(total), rule))
            return models
        current = self.dollars("current_cost")
        if self.broken:
            return ()
        if total - current > max(len(models), total // _FLOAT_ERROR):
            rule = f"must be at least the sum of model_cost, {_exact_dollars(total)}"
            self.refuse("current_cost", self._record["current_cost"], rule)
        rest = compute_rest(current, models)
        return (*models, ("", rest)) if rest > 0 or not models else models

    def refuse(self, field: str, value: object, rule: str, *, is_type: bool = False) -> None:
        """Add a field that breaks a rule."""
        shown = "nothing" if value is _MISSING else self._show(value)
        self.broken.append(BrokenField(field, shown, rule, is_type))

    def _nano_usd(self, key: str, value: object, model: object = _MISSING) -> int:
        try:
            return parse_nano_usd(value, is_limit=key == "total_budget")
        except BrokenRule as broken:
            field = key if model is _MISSING else f"{key}[{self._show(model)}]"
            self.refuse(field, value, broken.rule, is_type=broken.is_type)
            return 0


def compute_rest(spent_nano_usd: int, models: Collection[tuple[str, int]]) -> int:
    """Return what was spent without a model. Below zero if the models have more than the whole.

    Sums of floats are wrong by less than a nano-dollar for each addend, so a smaller rest is zero.
    """
    rest = spent_nano_usd - sum(cost for _, cost in models)
    return rest if abs(rest) > len(models) else 0


def _exact_dollars(nano_usd: int) -> str:
    return str(Decimal(nano_usd) / NANO_USD_PER_USD)


def make_record(
    total_budget: float,
    *,
    span_us: tuple[int, int] | None,
    created_at: float,
    current_cost: float | None,
    model_cost: dict[str, float],
) -> Record:
    """Return a record.

    Args:
        total_budget: Dollars.
        span_us: When the current window starts and ends, in microseconds since 1970. None: it never ends.
        created_at: Seconds since 1970; only records with a window have it.
        current_cost: Dollars. None: nothing was counted or reset, and the record has no costs, not even zero.
        model_cost: Dollars by model.
    """
    record: Record = {"total_budget": total_budget}
    if span_us is not None:
        length_us = span_us[1] - span_us[0]
        record["duration"] = length_us / _US_PER_DAY if length_us % _US_PER_DAY else length_us // _US_PER_DAY
        record["created_at"] = created_at
        record["last_updated_at"] = span_us[0] / _US_PER_SECOND
    if current_cost is not None:
        record["current_cost"] = current_cost
        record["model_cost"] = model_cost
    return record


def find_created_at(labels: Mapping[str, str], created_at_us: int) -> float:
    """Return when a record's client says that it was created, or else when its budget was, in seconds since 1970."""
    try:
        return parse_seconds(float(labels.get(CREATED_AT_LABEL, "nan")))
    except (BrokenRule, ValueError):
        return created_at_us / _US_PER_SECOND


def record_of(budget: pb.Budget, *, was_counted: bool) -> Record:
    """Return a budget, in view FULL, as a record.

    A budget without a main limit, which only other clients make, has an infinite `total_budget`.
    """
    limit = main_limit(budget)
    span_us = None
    if limit is not None and limit.HasField("window") and not limit.window.HasField("lifetime"):
        status = _main_status(budget)
        span_us = status.window_start_time.ToMicroseconds(), status.window_end_time.ToMicroseconds()
    current_cost = usd(budget.current_cost_nano_usd) if budget.current_cost_nano_usd else 0
    return make_record(
        math.inf if limit is None else usd(limit.amount),
        span_us=span_us,
        created_at=find_created_at(budget.labels, budget.create_time.ToMicroseconds()),
        current_cost=current_cost if was_counted else None,
        model_cost=model_costs(budget),
    )


def main_limit(budget: pb.Budget) -> pb.Limit | None:
    """Return the main limit, the only one that managers know. None if another client made the budget without one."""
    return next((limit for limit in budget.limits if not limit.limit_id), None)


def _main_status(budget: pb.Budget) -> pb.LimitStatus:
    """Return the status of the main limit, which must exist."""
    return next(status for status in budget.limit_statuses if not status.limit_id)


def model_costs(budget: pb.Budget) -> dict[str, float]:
    """Return dollars by model. Costs without a model are only in the current cost."""
    return {each.model: usd(each.cost_nano_usd) for each in budget.model_costs if each.model}


def needs_history(budget: pb.Budget) -> bool:
    """Return True if only the ledger shows whether anything was counted or reset since the budget was made."""
    return not budget.current_cost_nano_usd and not budget.model_costs


def limit_of(total_nano_usd: int, window: pb.Window | None, reset_mode: pb.ResetMode.ValueType) -> pb.Limit:
    """Make a main limit. Without a window it applies to the lifetime of the budget."""
    if window is None:
        return pb.Limit(amount=total_nano_usd)
    return pb.Limit(amount=total_nano_usd, window=window, reset_mode=reset_mode)


def parse_window(days: object, start_at: object = None) -> pb.Window | None:
    """Make a fixed window of whole days. Returns None if `days` is None.

    Raises:
        TypeError, ValueError: `days` is not a whole number from 1 to 3,653.
    """
    if days is None:
        return None
    if isinstance(days, bool) or not isinstance(days, int):
        raise TypeError(f"duration must be a whole number of days, got {days!r}")
    if not 1 <= days <= DURATION_DAYS_MAX:
        raise ValueError(f"duration must be from 1 to {DURATION_DAYS_MAX} days, got {days!r}")
    fixed = pb.FixedWindow(length=Duration(seconds=days * SECONDS_PER_DAY))
    if start_at is not None:
        fixed.anchor_time.CopyFrom(parse_timestamp(start_at, "last_updated_at"))
    return pb.Window(fixed=fixed)


def parse_costs(record: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Return the costs of a record as charges: nano-dollars by model, and the rest under an empty name.

    Raises:
        TypeError, ValueError: A cost is not an amount of dollars, or the models have more than the current cost.
    """
    reader = RecordReader(record, short_repr)
    costs = reader.costs()
    for broken in reader.broken:
        error = TypeError if broken.is_type else ValueError
        raise error(f"{broken.field} {broken.rule}, got {broken.value}")
    return costs


def check_keys(record: Mapping[str, Any]) -> None:
    """Refuse a record that cannot be stored completely.

    Raises:
        TypeError: The record is not a mapping.
        ValueError: `total_budget` is missing, or the record has an unknown key.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record must be a dict, got {record!r}")
    if "total_budget" not in record:
        raise ValueError("a record must have a total_budget")
    for key in record:
        check_key(key)


def check_key(key: object) -> None:
    """Raise ValueError for an unknown key, which the server cannot store."""
    if key not in KEYS:
        raise ValueError(f"a key of a record must be one of {', '.join(KEYS)}, got {key!r}")
