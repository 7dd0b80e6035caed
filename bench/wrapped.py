"""Measures what BudgetManager costs its callers, in its own process: `python -m bench.wrapped NAME ARGUMENT TIMES`.

`manager` and `stub` charge a server, with and without the wrapper. `embedded` and `litellm` charge one of many users in
a folder, and each call ends when its change is on the disk; `litellm` needs LiteLLM to be installed.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
#: The environment of `make parity`, which has LiteLLM. It may be absent.
LITELLM_PYTHON = REPOSITORY / ".venv-parity" / "bin" / "python"
COMPLETION = {"id": "c", "model": "gpt-4o", "usage": {"prompt_tokens": 1_200, "completion_tokens": 300}}
WARM_UP_CALLS = 20


def manager(address: str, times: int) -> dict[str, float]:
    """Measure the wrapper's update_cost, hosted."""
    from budgetd import BudgetManager

    with BudgetManager("wrapped", client_type="hosted", api_base=address) as made:
        made.create_budget(1_000_000, "alice")
        return _timed(lambda: made.update_cost("alice", COMPLETION), times)


def stub(address: str, times: int) -> dict[str, float]:
    """Measure the same message by the generated stub alone."""
    import grpc

    from budgetd import BudgetManager
    from budgetd.v1.budget_pb2 import BUDGET_VIEW_FULL, Usage
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub
    from budgetd.v1.cost_pb2 import UpdateCostRequest

    with BudgetManager("wrapped", client_type="hosted", api_base=address) as made:
        made.create_budget(1_000_000, "alice")
    with grpc.insecure_channel(address) as channel:
        bare = BudgetServiceStub(channel)
        request = UpdateCostRequest(
            project_id="wrapped",
            budget_id="alice",
            model="gpt-4o",
            usage=Usage(input_tokens=1_200, output_tokens=300),
            view=BUDGET_VIEW_FULL,
        )
        return _timed(lambda: bare.UpdateCost(request, timeout=10), times)


def embedded(place: str, times: int) -> dict[str, float]:
    """Measure the wrapper's update_cost without a server, on a file with as many users as its name says."""
    from budgetd import BudgetManager

    folder, users = _place(place)
    with BudgetManager("wrapped", database=folder / "budgetd.db") as made:
        if not made.is_valid_user("user-0"):
            for number in range(users):
                made.create_budget(1_000_000, f"user-{number}")
        return _timed(lambda: made.update_cost("user-0", COMPLETION), times)


def litellm(place: str, times: int) -> dict[str, float]:
    """Measure LiteLLM's update_cost until its thread has written the file."""
    os.environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"}
    import litellm as library

    folder, users = _place(place)
    with contextlib.chdir(folder):
        theirs: Any = library.BudgetManager("wrapped")
        for number in range(users):
            theirs.create_budget(1_000_000, f"user-{number}")  # Without a duration nothing is saved.
        response = library.ModelResponse(**COMPLETION)

        def charge() -> None:
            theirs.update_cost("user-0", response)
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()

        return _timed(charge, times)


def imports(statement: str, times: int) -> dict[str, float]:
    """Measure the median time of a program of one line, including the start of the interpreter."""
    command = [sys.executable, "-c", statement]
    return _timed(lambda: subprocess.run(command, check=True), times, warm_up=1)


def in_own_process(
    name: str, argument: str, *, times: int, python: str = sys.executable
) -> Callable[[], dict[str, float]]:
    """Return a contestant: one of the measures above, in its own process."""

    def measure() -> dict[str, float]:
        command = [python, "-m", "bench.wrapped", name, argument, str(times)]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=REPOSITORY)
        measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return measured

    return measure


def _place(place: str) -> tuple[Path, int]:
    """Parse the path of a folder whose name ends in the number of its users."""
    folder = Path(place)
    folder.mkdir(exist_ok=True)
    return folder, int(folder.name.rpartition("-")[2])


def _timed(call: Callable[[], object], times: int, *, warm_up: int = WARM_UP_CALLS) -> dict[str, float]:
    for _ in range(min(warm_up, times)):
        call()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return {"p50_us": sorted(taken)[len(taken) // 2] * 1e6}


_MEASURES: dict[str, Callable[[str, int], dict[str, float]]] = {
    "manager": manager,
    "stub": stub,
    "embedded": embedded,
    "litellm": litellm,
    "imports": imports,
}

if __name__ == "__main__":
    print(json.dumps(_MEASURES[sys.argv[1]](sys.argv[2], int(sys.argv[3]))))
