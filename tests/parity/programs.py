"""The programs that LiteLLM's page on budgets shows, with a class and its arguments left open.

Each asks and pays as the page has it, for some calls in a row, and returns the figures that it ends with.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.parity.theirs import litellm

#: Makes the manager of a project: a class, or one with some of its arguments given.
Opener = Callable[..., Any]
PROJECT = "test_project"
NO_BUDGET = "Sorry - no budget!"
QUESTION = [{"role": "user", "content": "Hey, how's it going?"}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a program has seen, and what is left when it ends."""

    answers: list[str]
    users: list[str]
    total_budget: float
    current_cost: float
    model_cost: dict[str, float]


def quick_use(open_manager: Opener, *, total_budget: float, calls: int) -> Figures:
    """A budget for life, asked before each call."""
    manager = open_manager(project_name=PROJECT)
    user = "1234"
    if not manager.is_valid_user(user):
        manager.create_budget(total_budget=total_budget, user=user)

    answers = [_ask_within_budget(manager, user) for _ in range(calls)]

    return _figures(manager, user, answers)


def texts(open_manager: Opener, *, total_budget: float, calls: int) -> Figures:
    """A daily budget, charged with what was said and what was answered."""
    manager = open_manager(project_name=PROJECT)
    user = "12345"
    manager.create_budget(total_budget=total_budget, user=user, duration="daily")

    both_texts = {"input_text": "hello world", "output_text": "it's a sunny day in san francisco"}
    for _ in range(calls):
        manager.update_cost(user=user, model="gpt-3.5-turbo", **both_texts)

    return _figures(manager, user, [])


def hosted(open_manager: Opener, *, total_budget: float, calls: int) -> Figures:
    """A monthly budget that a server keeps; also, with an address among the arguments, one's own server."""
    manager = open_manager(project_name=PROJECT)
    user = "1234"
    if not manager.is_valid_user(user):
        manager.create_budget(total_budget=total_budget, user=user, duration="monthly")

    answers = [_ask_within_budget(manager, user) for _ in range(calls)]

    return _figures(manager, user, answers)


def _ask_within_budget(manager: Any, user: str) -> str:
    """An answer of a model that costs nothing, as far as the budget goes."""
    if manager.get_current_cost(user=user) <= manager.get_total_budget(user):
        response = litellm.completion(model="gpt-3.5-turbo", messages=QUESTION, mock_response="Fine, thank you.")
        manager.update_cost(completion_obj=response, user=user)
        return str(response.choices[0].message.content)
    return NO_BUDGET


def _figures(manager: Any, user: str, answers: list[str]) -> Figures:
    return Figures(
        answers=answers,
        users=manager.get_users(),
        total_budget=manager.get_total_budget(user),
        current_cost=manager.get_current_cost(user),
        model_cost=dict(manager.get_model_cost(user)),
    )
