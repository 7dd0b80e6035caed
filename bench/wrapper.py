"""Scenarios of BudgetManager: compared with the stub that it wraps and with LiteLLM's class, and its import time."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import bare
from bench.processes import budgetd
from bench.rows import Contestants, Row, Scenario
from bench.stage import Stage
from bench.wrapped import LITELLM_PYTHON, in_own_process

CALLS = 500
_P50 = "p50_us"


def hosted(stage: Stage) -> Scenario:
    """Compare update_cost with the raw stub."""
    row = Row(
        what="BudgetManager.update_cost, hosted",
        here=("manager", _P50),
        reference=("stub", _P50),
        reference_what="the same message by the raw stub",
        unit="µs",
        at_least=1.3,
        after=1.15,
        more_is_better=False,
    )
    return Scenario("wrapper", lambda: _hosted(stage), (row,))


def embedded(stage: Stage, *, users: int) -> Scenario:
    """Compare update_cost without a server with LiteLLM's class, both until the data are on the disk."""
    reference = (
        "LiteLLM's class" if LITELLM_PYTHON.exists() else "a whole-file save (run `make parity` for LiteLLM's class)"
    )
    row = Row(
        what=f"BudgetManager.update_cost, embedded, {users:,} users",
        here=("embedded", _P50),
        reference=("whole file", _P50),
        reference_what=f"{reference}, until it is on the disk",
        unit="µs",
        more_is_better=False,
    )
    return Scenario(f"embedded-{users}", lambda: _embedded(stage, users=stage.sized(users)), (row,))


def imports(stage: Stage) -> Scenario:
    """Measure programs of one line."""
    alone = ("python", _P50)
    return Scenario(
        "imports",
        lambda: _imports(stage),
        tuple(
            Row(
                what=f"a program that says `{statement}`",
                here=(statement, _P50),
                reference=alone,
                reference_what="a program that says nothing",
                unit="µs",
                here_at_most=250_000,
                more_is_better=False,
            )
            for statement in _STATEMENTS
        ),
    )


_STATEMENTS = ("import budgetd", "from budgetd import BudgetManager")


@contextmanager
def _hosted(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=5)
    with budgetd(stage.folder / "wrapper.db") as server:
        yield {
            "manager": in_own_process("manager", server.address, times=calls),
            "stub": in_own_process("stub", server.address, times=calls),
        }


@contextmanager
def _embedded(stage: Stage, *, users: int) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=5)
    slow_calls = max(5, min(calls, 200_000 // (users + 1)))
    folder = str(stage.folder / f"users-{users}")
    if LITELLM_PYTHON.exists():
        theirs = in_own_process("litellm", f"{folder}", times=slow_calls, python=str(LITELLM_PYTHON))
    else:
        theirs = bare.in_own_process("whole_file", stage.folder / "users.json", users=users, times=slow_calls)
    yield {"embedded": in_own_process("embedded", folder, times=calls), "whole file": theirs}


@contextmanager
def _imports(stage: Stage) -> Iterator[Contestants]:
    times = stage.sized(20, least=2)
    yield {
        "python": in_own_process("imports", "pass", times=times),
        **{statement: in_own_process("imports", statement, times=times) for statement in _STATEMENTS},
    }
