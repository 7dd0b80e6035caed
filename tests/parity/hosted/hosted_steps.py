"""Random steps of a process that uses LiteLLM's class: its calls, edits of its dictionary, restarts."""

from collections.abc import Callable
from typing import Any

from tests.parity import calls, edits
from tests.parity.completions import UNKNOWN_MODEL
from tests.parity.drawing import USERS, Draw, Step, called

#: A user that is never created again, so that every save brings a marker back once the project was loaded.
ANCHOR = "anchor"
#: The caller of the steps opens a new manager for this one, and calls nothing.
RESTART = Step("a new BudgetManager", lambda _manager: None)


class HostedDraw(Draw):
    """Draws steps of a process that has loaded some of its users."""

    def __init__(self, seed: int, begun_at: int) -> None:
        super().__init__(seed, begun_at)
        #: The users that the last load gave, and that there still are; set before each step.
        self.loaded: list[str] = []


def create_as_the_page_has_it(draw: HostedDraw) -> Step:
    """A budget with the default of `created_at`: the time at which the module was imported."""
    arguments: dict[str, Any] = {"total_budget": draw.amount(), "user": draw.random.choice(USERS)}
    if draw.random.random() < 0.7:
        arguments["duration"] = draw.random.choice(calls.DURATIONS)
    return called("create_budget", **arguments)


def create_with_a_wrong_duration(draw: HostedDraw) -> Step:
    """The class raises, and has put another record in the place of the user's."""
    return called("create_budget", draw.amount(), draw.random.choice(USERS), "hourly")


def charge_wrongly(draw: HostedDraw) -> Step:
    """A charge that the class refuses."""
    usage = {"prompt_tokens": 8, "completion_tokens": 4}
    return draw.random.choice(
        [
            called("update_cost", user=draw.user()),
            called("update_cost", user=draw.user(), model="gpt-4o", input_text="hello"),
            called("update_cost", user=draw.user(), completion_obj={"model": UNKNOWN_MODEL, "usage": usage}),
        ]
    )


def reset_and_save(draw: HostedDraw) -> Step:
    """Back to zero; it is the caller who saves that."""
    user = draw.user()
    return Step(f"reset_cost({user!r}); save_data()", lambda manager: (manager.reset_cost(user), manager.save_data()))


def set_total_budget(draw: HostedDraw) -> Step:
    """Another budget, by an edit."""
    user, amount = draw.user(), draw.amount()

    def edit(manager: Any) -> None:
        manager.user_dict[user]["total_budget"] = amount

    return Step(f"user_dict[{user!r}]['total_budget'] = {amount}", edit)


def delete(draw: HostedDraw) -> Step:
    """A user less that the last load gave."""
    users = [user for user in draw.loaded if user != ANCHOR]
    if not users:
        return calls.get_users(draw)
    user = draw.random.choice(users)
    return Step(f"user_dict.pop({user!r})", lambda manager: manager.user_dict.pop(user))


def save(_draw: HostedDraw) -> Step:
    """As it is."""
    return called("save_data")


def load(_draw: HostedDraw) -> Step:
    """What the server has; what was not saved is gone."""
    return called("load_data")


def restart(_draw: HostedDraw) -> Step:
    """Another process in its place, with a manager of its own."""
    return RESTART


WEIGHTS: dict[Callable[[Any], Step], float] = {
    calls.create: 8,
    create_as_the_page_has_it: 6,
    create_with_a_wrong_duration: 1,
    calls.charge_object: 14,
    calls.charge_dict: 8,
    calls.charge_texts: 8,
    charge_wrongly: 2,
    calls.project: 2,
    calls.get: 6,
    calls.get_users: 2,
    calls.reset: 2,
    reset_and_save: 4,
    calls.reset_on_duration: 4,
    calls.reset_all: 6,
    edits.move_window: 6,
    set_total_budget: 4,
    delete: 3,
    save: 6,
    load: 4,
    restart: 4,
}
#: The kinds after which the process has what the server has given it.
LOADS = frozenset({load.__name__, restart.__name__})


def draw_step(draw: HostedDraw) -> tuple[str, Step]:
    """A step of any kind, and the name of its kind."""
    (maker,) = draw.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    return maker.__name__, maker(draw)


def draw_days(draw: HostedDraw) -> int:
    """How many days pass before the next step; mostly none."""
    return draw.random.choice((1, 1, 2, 7, 8, 28, 30, 400)) if draw.random.random() < 0.08 else 0
