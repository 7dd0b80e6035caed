"""One random step of a program that uses a BudgetManager: which kinds there are, and how often."""

from collections.abc import Callable

from tests.parity import calls, edits
from tests.parity.drawing import Draw, Step

WEIGHTS: dict[Callable[[Draw], Step], float] = {
    calls.create: 10,
    calls.create_badly: 4,
    calls.charge_object: 12,
    calls.charge_dict: 8,
    calls.charge_texts: 8,
    calls.charge_wrongly: 5,
    calls.project: 8,
    calls.project_wrongly: 2,
    calls.get: 12,
    calls.get_users: 3,
    calls.call_wrongly: 3,
    calls.reset: 3,
    calls.reset_on_duration: 5,
    calls.reset_all: 4,
    calls.save_and_load: 1,
    edits.move_window: 8,
    edits.set_total_budget: 4,
    edits.set_current_cost: 4,
    edits.set_model_cost: 4,
    edits.put_record: 3,
    edits.delete: 2,
}


def draw_step(draw: Draw) -> tuple[str, Step]:
    """A step of any kind, and the name of its kind."""
    (maker,) = draw.random.choices(list(WEIGHTS), weights=list(WEIGHTS.values()))
    return maker.__name__, maker(draw)
