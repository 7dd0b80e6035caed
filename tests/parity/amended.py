"""LiteLLM's class with the differences of `differences.py` put in place, as far as its answers show them.

It is what ours is compared with, call by call. Each amendment is as small as it can be, and leaves the rest to LiteLLM.
"""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.parity.theirs import Theirs, litellm

DAY_SECONDS = 86_400


class RefusedError(ValueError):
    """An argument that ours refuses, with a ValueError or a TypeError that names it."""

    def __init__(self, argument: str) -> None:
        super().__init__(f"{argument} is refused")
        self.argument = argument


class Amended(Theirs):
    """LiteLLM's class, apart from its defects."""

    #: Makes `Lockstep` also apply the edit of `amended_edits.py` to this one on the other side.
    is_amended = True

    def __init__(self, project_name: str, folder: Path) -> None:
        super().__init__(project_name, folder)
        self.user_dict: dict[Any, Any]
        #: The time of the next call; None: the clock's.
        self.called_at: float | None = None

    def create_budget(self, *args: Any, **kwargs: Any) -> Any:
        """Amended: amounts and users are checked, the time is that of the call, a bad duration changes nothing."""
        named = {**dict(zip(("total_budget", "user", "duration", "created_at"), args, strict=False)), **kwargs}
        if "total_budget" in named and "user" in named:
            _check_amount(named["total_budget"], "total_budget")
            _check_user(named["user"])
        before = dict(self.user_dict)
        try:
            record = super().create_budget(*args, **kwargs)
        except ValueError:
            self.user_dict.clear()
            self.user_dict.update(before)
            raise
        if record.get("duration") and "created_at" not in named:
            now = time.time() if self.called_at is None else self.called_at
            record.update(created_at=now, last_updated_at=now)
        self.save_data()
        return record

    def update_cost(self, *args: Any, **kwargs: Any) -> Any:
        """Amended: a completion without a model or a usage is refused."""
        named = {**dict(zip(("user", "completion_obj"), args, strict=False)), **kwargs}
        if all(named.get(each) for each in ("model", "input_text", "output_text")):
            return super().update_cost(*args, **kwargs)
        if named.get("completion_obj"):
            _check_completion(named["completion_obj"])
        return super().update_cost(*args, **kwargs)

    def projected_cost(self, *args: Any, **kwargs: Any) -> Any:
        """Amended: the texts among the parts of a content are counted, and a content of any other kind is refused."""
        named = {**dict(zip(("model", "messages", "user"), args, strict=False)), **kwargs}
        if "messages" in named:
            named["messages"] = [{**each, **_joined(each)} for each in named["messages"]]
        return super().projected_cost(**named)

    def reset_cost(self, *args: Any, **kwargs: Any) -> Any:
        """Amended: it is saved."""
        answer = super().reset_cost(*args, **kwargs)
        self.save_data()
        return answer

    def reset_on_duration(self, *args: Any, **kwargs: Any) -> Any:
        """Amended: the new window begins where the last one ended, or whole windows later."""
        user = args[0] if args else kwargs.get("user")
        before = self.user_dict.get(user, {}).get("last_updated_at")
        super().reset_on_duration(*args, **kwargs)
        record = self.user_dict[user]
        if record["last_updated_at"] != before:
            length_seconds = record["duration"] * DAY_SECONDS
            whole = (record["last_updated_at"] - before) // length_seconds
            record["last_updated_at"] = before + whole * length_seconds
            self.save_data()


def _joined(message: Mapping[str, Any]) -> dict[str, str]:
    content = message.get("content", "")
    if not isinstance(content, str | list):
        raise RefusedError("content")
    return {"content": "".join(part["text"] for part in content)} if isinstance(content, list) else {}


def _check_amount(amount: Any, argument: str) -> None:
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    if not is_number or not math.isfinite(amount) or amount < 0:
        raise RefusedError(argument)


def _check_user(user: Any) -> None:
    if user is None:
        raise RefusedError("user")


def _check_completion(given: Any) -> None:
    if isinstance(given, Mapping | litellm.ModelResponse):
        usage = given.get("usage")
        tokens = plain_tokens(usage) if usage else {}
        if given.get("model") and tokens and all(count >= 0 for count in tokens.values()):
            return
    raise RefusedError("completion_obj")


def plain_tokens(usage: Any) -> dict[str, int]:
    """The tokens of a usage, whether it is a dict or an object."""
    counts = {name: usage.get(name) for name in ("prompt_tokens", "completion_tokens")}
    return {name: count for name, count in counts.items() if count is not None}
