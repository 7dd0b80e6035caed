"""Edits of `user_dict` as ours carries them out, on the plain dicts of LiteLLM's class.

There a record's costs belong together: what a model cost is part of what the user spent.
"""

from typing import Any

from tests.parity.amended import RefusedError

#: Half a nano-dollar: floats that differ by less stand for the same amount.
HALF_NANO_USD = 5e-10


def set_part(manager: Any, user: str, key: str, value: Any) -> None:
    """Set a part of a record."""
    record = manager.user_dict[user]
    if key == "current_cost":
        _set_current_cost(record, value)
    elif key == "model_cost":
        _set_model_costs(record, value)
    else:
        record[key] = value


def set_model_cost(manager: Any, user: str, model: str, cost: float) -> None:
    """Set what a model cost."""
    record = manager.user_dict[user]
    _set_model_costs(record, {**record["model_cost"], model: cost})


def pop_costs(manager: Any, user: str, key: str) -> Any:
    """Take out one of the two, and so both: the costs begin at zero."""
    record = manager.user_dict[user]
    before = record[key]
    _set_current_cost(record, 0)
    return before


def pop_model(manager: Any, user: str, model: str) -> float:
    """Take out what a model cost: it is zero then."""
    before = float(manager.user_dict[user]["model_cost"][model])
    set_model_cost(manager, user, model, 0)
    return before


def delete_duration(manager: Any, user: str) -> None:
    """Let the budget never end: it has no window, whose times could be shown."""
    for key in ("duration", "created_at", "last_updated_at"):
        del manager.user_dict[user][key]


def _set_current_cost(record: dict[str, Any], cost: float) -> None:
    if cost == 0:
        record.update(current_cost=0, model_cost={})
    elif cost < sum(record.get("model_cost", {}).values()) - HALF_NANO_USD:
        raise RefusedError("current_cost")
    else:
        record["current_cost"] = cost
        record.setdefault("model_cost", {})


def _set_model_costs(record: dict[str, Any], costs: dict[str, float]) -> None:
    before = record.get("model_cost", {})
    # Who is left out costs nothing from now on; who costs nothing and never did is not added.
    after = {model: costs.get(model, 0) for model in [*before, *costs] if model in before or costs[model] != 0}
    if not after and "current_cost" not in record:
        return
    record["current_cost"] = record.get("current_cost", 0) + sum(after.values()) - sum(before.values())
    record["model_cost"] = after
