"""Random edits of `user_dict`, which LiteLLM's users make where no method does what they want."""

from collections.abc import Callable
from typing import Any

from tests.parity import amended_edits
from tests.parity.completions import CHAT_MODELS
from tests.parity.drawing import DAY_SECONDS, USERS, Draw, Step

LENGTHS_DAYS = (1, 7, 28, 365)


def move_window(draw: Draw) -> Step:
    """As if the window had begun some days earlier: how LiteLLM's own tests let time pass."""
    user, days = draw.user(), draw.random.choice([1, 1, 2, 7, 8, 28, 30, 400])

    def edit(users: Any) -> None:
        users[user]["last_updated_at"] -= days * DAY_SECONDS

    return _edit(f"user_dict[{user!r}]['last_updated_at'] -= {days} * 86400", edit)


def set_total_budget(draw: Draw) -> Step:
    """Another budget."""
    return _set(draw.user(), "total_budget", draw.amount())


def set_current_cost(draw: Draw) -> Step:
    """Another sum, independent of the models."""
    return _set(draw.user(), "current_cost", draw.amount())


def set_model_cost(draw: Draw) -> Step:
    """Another sum of one model, or of all."""
    user, model, cost = draw.user(), draw.random.choice(list(CHAT_MODELS)), draw.amount()
    if draw.random.random() < 0.3:
        return _set(user, "model_cost", {model: cost})

    def edit(users: Any) -> None:
        users[user]["model_cost"][model] = cost

    return Step(
        f"user_dict[{user!r}]['model_cost'][{model!r}] = {cost}",
        lambda manager: edit(manager.user_dict),
        lambda theirs: amended_edits.set_model_cost(theirs, user, model, cost),
    )


def put_record(draw: Draw) -> Step:
    """A whole record, for a new user or in place of another."""
    user = draw.random.choice(USERS)
    record: dict[str, Any] = {"total_budget": draw.amount()}
    if draw.random.random() < 0.7:
        begun_at = draw.past_time()
        times = {"created_at": begun_at, "last_updated_at": begun_at}
        record |= {"duration": draw.random.choice(LENGTHS_DAYS), **times}
    if draw.random.random() < 0.5:
        costs = {model: draw.amount() for model in draw.random.sample(list(CHAT_MODELS), 2)}
        record |= {"current_cost": round(sum(costs.values()), 6), "model_cost": costs}

    def edit(users: Any) -> None:
        users[user] = {name: dict(value) if isinstance(value, dict) else value for name, value in record.items()}

    return _edit(f"user_dict[{user!r}] = {record}", edit)


def delete(draw: Draw) -> Step:
    """A user less."""
    user = draw.user()
    if draw.random.random() < 0.5:
        return Step(f"user_dict.pop({user!r})", lambda manager: manager.user_dict.pop(user))

    def edit(users: Any) -> None:
        del users[user]

    return _edit(f"del user_dict[{user!r}]", edit)


def _set(user: str, key: str, value: Any) -> Step:
    def edit(users: Any) -> None:
        users[user][key] = dict(value) if isinstance(value, dict) else value

    return Step(
        f"user_dict[{user!r}][{key!r}] = {value!r}",
        lambda manager: edit(manager.user_dict),
        lambda theirs: amended_edits.set_part(theirs, user, key, value),
    )


def _edit(text: str, edit: Callable[[Any], None]) -> Step:
    return Step(text, lambda manager: edit(manager.user_dict))
