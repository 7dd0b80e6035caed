"""Ours has every public method of LiteLLM's class, and takes what that takes, by position and by name."""

import inspect
from typing import Any

import pytest

from budgetd import BudgetManager
from tests.parity.comparing import differences, outcome
from tests.parity.theirs import litellm

#: Without what it logs with when LiteLLM is set to be verbose.
METHODS = [name for name in vars(litellm.BudgetManager) if not name.startswith("_") and name != "print_verbose"]


def parameters(method: Any) -> list[tuple[str, Any, Any]]:
    """The name, the kind and the default of each parameter; how a time is left out is a difference of the table."""
    found = inspect.signature(method).parameters.values()
    return [(each.name, each.kind, None if each.name == "created_at" else each.default) for each in found]


@pytest.mark.parametrize("method", ["__init__", *METHODS])
def test_a_method_takes_what_theirs_takes(method: str) -> None:
    theirs = parameters(getattr(litellm.BudgetManager, method))

    ours = parameters(getattr(BudgetManager, method))

    assert ours[: len(theirs)] == theirs
    assert [name for name, kind, _ in ours[len(theirs) :] if kind is not inspect.Parameter.KEYWORD_ONLY] == []


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({}, id="no project"),
        pytest.param({"project_name": "project", "type": "local"}, id="the name of 2023 for client_type"),
    ],
)
def test_the_constructor_refuses_what_theirs_refuses(arguments: dict[str, Any]) -> None:
    theirs, ours = (
        outcome(lambda manager_class: manager_class(**arguments), each)
        for each in (litellm.BudgetManager, BudgetManager)
    )

    assert theirs.error is not None
    assert differences(theirs, ours) == []
