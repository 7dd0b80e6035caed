"""LiteLLM's records of users, as in `user_cost.json`: from budgets to records, and from records to budgets.

A record is a dictionary with `total_budget`, in dollars; with a duration also `duration` in days, `created_at` and
`last_updated_at` (the start of the current window) in seconds since 1970; and, once something was counted or reset,
`current_cost` in dollars and `model_cost`, dollars by model.
"""

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.duration_pb2 import Duration

from budgetd.v1 import budget_pb2 as pb
from budgetd.values import epoch_seconds, parse_dollars, parse_timestamp, usd

#: LiteLLM's words for durations, in days; its month has 28.
DAYS = {"daily": 1, "weekly": 7, "monthly": 28, "yearly": 365}
SECONDS_PER_DAY = 86_400
#: The longest window.
DURATION_DAYS_MAX = 3_653
#: The label that keeps a `created_at` given by the caller. Without it, a record has the time when the budget was made.
CREATED_AT_LABEL = "litellm.created_at"
KEYS = ("total_budget", "duration", "created_at", "last_updated_at", "current_cost", "model_cost")

Record = dict[str, Any]


def record_of(budget: pb.Budget, *, was_counted: bool) -> Record:
    """Return a budget, in view FULL, as a record.

    A budget without a main limit, which only other clients make, has an infinite `total_budget`.
    """
    limit = main_limit(budget)
    record: Record = {"total_budget": math.inf if limit is None else usd(limit.amount)}
    if limit is not None and limit.HasField("window") and not limit.window.HasField("lifetime"):
        record["duration"] = _days(limit, budget)
        given = budget.labels.get(CREATED_AT_LABEL)
        record["created_at"] = epoch_seconds(budget.create_time) if given is None else float(given)
        record["last_updated_at"] = epoch_seconds(_main_status(budget).window_start_time)
    if was_counted:
        record["current_cost"] = usd(budget.current_cost_nano_usd) if budget.current_cost_nano_usd else 0
        record["model_cost"] = model_costs(budget)
    return record


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
    """Return True if the budget alone does not show whether anything was counted or reset since it was made."""
    return not budget.current_cost_nano_usd and not budget.model_costs


def limit_of(total_nano_usd: int, window: pb.Window | None, reset_mode: pb.ResetMode.ValueType) -> pb.Limit:
    """Make a main limit. Without a window it is over the lifetime of the budget."""
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


def parse_costs(record: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the costs of a record as charges: nano-dollars by model, and the rest under an empty name.

    Raises:
        TypeError, ValueError: A cost is not an amount of dollars, or the models have more than the current cost.
    """
    by_model = record.get("model_cost") or {}
    if not isinstance(by_model, Mapping):
        raise TypeError(f"model_cost must be a dict of dollars by model, got {by_model!r}")
    costs = [(str(model), parse_dollars(cost, f"model_cost[{model!r}]")) for model, cost in by_model.items()]
    models = sum(cost for _, cost in costs)
    rest = parse_dollars(record.get("current_cost", usd(models)), "current_cost") - models
    # A sum of floats is wrong by less than a nano-dollar for each addend.
    if rest < -len(costs):
        raise ValueError(f"current_cost must be at least the sum of model_cost, {usd(models)!r}")
    return [*costs, ("", rest)] if rest > len(costs) else costs


def check_keys(record: Mapping[str, Any]) -> None:
    """Refuse a record of which a part could not be kept.

    Raises:
        TypeError: It is not a mapping.
        ValueError: `total_budget` is missing, or the record has an unknown key.
    """
    if not isinstance(record, Mapping):
        raise TypeError(f"a record must be a dict, got {record!r}")
    if "total_budget" not in record:
        raise ValueError("a record must have a total_budget")
    for key in record:
        check_key(key)


def check_key(key: object) -> None:
    """Raise ValueError for an unknown key, for which the server has no place."""
    if key not in KEYS:
        raise ValueError(f"a key of a record must be one of {', '.join(KEYS)}, got {key!r}")


def _days(limit: pb.Limit, budget: pb.Budget) -> int | float:
    if limit.window.HasField("fixed"):
        seconds = limit.window.fixed.length.seconds
    else:
        status = _main_status(budget)
        seconds = status.window_end_time.seconds - status.window_start_time.seconds
    return seconds // SECONDS_PER_DAY if seconds % SECONDS_PER_DAY == 0 else seconds / SECONDS_PER_DAY
