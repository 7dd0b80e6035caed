"""Managers that each deviate in one thing, which a comparison with LiteLLM's class has to find."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.parity.amended import Amended
from tests.parity.theirs import Theirs


class DriftingWindows(Amended):
    """A window begins at the first request."""

    def reset_on_duration(self, *args: Any, **kwargs: Any) -> Any:
        """Without the amendment."""
        return Theirs.reset_on_duration(self, *args, **kwargs)


class BadDurationsOverwrite(Amended):
    """A budget is gone when its new duration is wrong."""

    def create_budget(self, *args: Any, **kwargs: Any) -> Any:
        """Without the restored record."""
        try:
            return super().create_budget(*args, **kwargs)
        except ValueError:
            if kwargs.get("duration") is not None and kwargs.get("user") is not None:
                self.user_dict[kwargs["user"]] = {"total_budget": kwargs["total_budget"]}
            raise


class OtherOrder(Amended):
    """Users are sorted by name."""

    def get_users(self) -> list[Any]:
        """In another order."""
        return sorted(super().get_users())


class EmptyForZero(Amended):
    """Who was never charged has no models, in place of the number 0."""

    def get_model_cost(self, *args: Any, **kwargs: Any) -> Any:
        """Of another type."""
        return super().get_model_cost(*args, **kwargs) or {}


class TwoNanoDollarsTooMuch(Amended):
    """Each charge is rounded up a little too far."""

    def update_cost(self, *args: Any, **kwargs: Any) -> Any:
        """More than a float's error."""
        answer = super().update_cost(*args, **kwargs)
        answer["user"]["current_cost"] += 2e-9
        return answer


class CachedTokensAtFullPrice(Amended):
    """Cached tokens are priced like others."""

    def update_cost(self, *args: Any, **kwargs: Any) -> Any:
        """Without the details of a dict."""
        args = copy.deepcopy(args)
        for each in args:
            if isinstance(each, dict):
                each["usage"]["prompt_tokens_details"] = None
        return super().update_cost(*args, **kwargs)


class OtherMessage(Amended):
    """Unknown users are reported in a sentence."""

    def get_total_budget(self, *args: Any, **kwargs: Any) -> Any:
        """With another message."""
        try:
            return super().get_total_budget(*args, **kwargs)
        except KeyError as error:
            raise KeyError(f"there is no user {error}") from error


class OtherException(Amended):
    """Unknown users are reported by another class."""

    def get_current_cost(self, *args: Any, **kwargs: Any) -> Any:
        """With another class."""
        try:
            return super().get_current_cost(*args, **kwargs)
        except KeyError as error:
            raise LookupError(*error.args) from error


class DroppedEdits:
    """What is edited is a copy."""

    def __init__(self, project_name: str, folder: Path) -> None:
        self._inner = Amended(project_name, folder)

    @property
    def user_dict(self) -> Any:
        """A copy."""
        return copy.deepcopy(self._inner.user_dict)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


#: LiteLLM's class as it is among them: its defects deviate from what is amended.
PLANTED: tuple[Callable[[str, Path], Any], ...] = (
    Theirs,
    DriftingWindows,
    BadDurationsOverwrite,
    OtherOrder,
    EmptyForZero,
    TwoNanoDollarsTooMuch,
    CachedTokensAtFullPrice,
    OtherMessage,
    OtherException,
    DroppedEdits,
)
