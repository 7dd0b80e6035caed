"""The managers that are compared: LiteLLM's, and ours over a file and over a server, opened as often as needed."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest

import budgetd
from tests.parity.amended import Amended
from tests.parity.theirs import Theirs


def our_class() -> Any:
    """The BudgetManager of budgetd."""
    if "BudgetManager" not in budgetd.__all__:
        pytest.skip("budgetd has no BudgetManager yet")
    return getattr(budgetd, "BudgetManager")  # noqa: B009 - Type checkers do not know it yet.


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
    manager_class = our_class()
    return _Opened("local", lambda project: manager_class(project, database=str(folder / "budgetd.db")))


def hosted_side(address: str) -> Side:
    """Ours over a server that others use as well; windows begin anew only when asked to, as with LiteLLM's class."""
    manager_class, run = our_class(), uuid.uuid4()
    arguments = {"client_type": "hosted", "api_base": address, "reset_mode": "on_request"}
    return _Opened("hosted", lambda project: manager_class(f"{project} {run}", **arguments))
