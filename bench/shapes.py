"""Scenarios of charges that count in many places: on a deep budget, and on a budget with many limits."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench.budgets import at_depth, create, with_limits
from bench.many import charging
from bench.processes import budgetd
from bench.rows import Contestants, Row, Scenario
from bench.stage import CALLERS, Stage
from budgetd.v1 import budget_pb2 as pb

BUDGETS = 200
#: The most levels and limits that are allowed.
DEPTH, LIMITS = 8, 32
_WAYS = (("unary", "by UpdateCost"), ("batch", "in batches of 500"))


def deep(stage: Stage) -> Scenario:
    """Measure charges of budgets that have seven ancestors each."""
    budgets = stage.sized(BUDGETS)
    return _scenario(stage, "deep", f"depth {DEPTH}, a limit on each level", lambda: at_depth(DEPTH, budgets=budgets))


def many_limits(stage: Stage) -> Scenario:
    """Measure charges of budgets with 32 limits each."""
    budgets = stage.sized(BUDGETS)
    return _scenario(stage, "limits", f"{LIMITS} limits", lambda: with_limits(LIMITS, budgets=budgets))


def _scenario(stage: Stage, name: str, shape: str, made: Callable[[], Iterator[pb.Budget]]) -> Scenario:
    rows = tuple(
        Row(
            what=f"{what}, {shape}",
            here=(f"{name} {way}", measure),
            reference=(f"plain {way}", measure),
            reference_what="the same, a root with one limit",
            unit="µs",
            more_is_better=False,
        )
        for way, name_of_way in _WAYS
        for measure, what in (("charge_us", f"time of a charge {name_of_way}"), ("cpu_us", "CPU of it"))
    )
    return Scenario(name, lambda: _shaped(stage, name, made), rows)


@contextmanager
def _shaped(stage: Stage, name: str, made: Callable[[], Iterator[pb.Budget]]) -> Iterator[Contestants]:
    budgets = stage.sized(BUDGETS)
    calls, items = stage.sized(2_000, least=CALLERS), stage.sized(10_000)
    contestants = {}
    with ExitStack() as stack:
        for shape in ("plain", name):
            path = stage.ledgers.with_budgets(budgets) if shape == "plain" else stage.folder / f"{name}.db"
            server = stack.enter_context(budgetd(path))
            if shape == name:
                create(server, made())
            contestants[f"{shape} unary"] = charging(
                stage, server, items=calls, batch_items=1, budgets=budgets, callers=CALLERS
            )
            contestants[f"{shape} batch"] = charging(
                stage, server, items=items, batch_items=stage.sized(500), budgets=budgets, callers=4
            )
        yield contestants
