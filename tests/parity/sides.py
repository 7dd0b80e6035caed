"""The managers that are compared: LiteLLM's, and ours over a file and over a server, opened as often as needed."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from budgetd import BudgetManager
from tests.parity.amended import Amended
from tests.parity.theirs import Theirs


class Side(Protocol):
    """One of those that are compared, with what it keeps from one manager to the next."""

    name: str

    def open(self, project_name: str = "project") -> Any:
        """A manager, on whatever the earlier ones of this side have kept."""

    def close(self) -> None:
        """Close every manager."""


class _Opened:
    """What the sides have in common: they close what they opened."""

    def __init__(self, name: str, make: Callable[[str], Any]) -> None:
        self.name = name
        self._make = make
        self._managers: list[Any] = []

    def open(self, project_name: str = "project") -> Any:
        """A manager, on whatever the earlier ones of this side have kept."""
        manager = self._make(project_name)
        self._managers.append(manager)
        return manager

    def close(self) -> None:
        """Close every manager."""
        while self._managers:
            self._managers.pop().close()


def litellm_side(folder: Path) -> Side:
    """LiteLLM's class, as it is."""
    return _Opened("LiteLLM", lambda project: Theirs(project, folder))


def amended_side(folder: Path) -> Side:
    """LiteLLM's class with the deliberate differences."""
    return _Opened("LiteLLM, amended", lambda project: Amended(project, folder))


def local_side(folder: Path) -> Side:
    """Ours over a file."""
    return _Opened("local", lambda project: BudgetManager(project, database=folder / "budgetd.db"))


def hosted_side(address: str) -> Side:
    """Ours over a server that others use as well; windows begin again only on request, as with LiteLLM's class."""
    run = uuid.uuid4()
    return _Opened(
        "hosted", lambda project: BudgetManager(f"{project} {run}", "hosted", address, reset_mode="on_request")
    )
