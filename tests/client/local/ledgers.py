"""Requests, and programs of their own, for the tests of the client without a server."""

import os
import subprocess
import sys
from pathlib import Path

from budgetd import BudgetClient, LocalTransport
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb

PROJECT, BUDGET = "p", "b"
PATIENCE_SECONDS = 150

#: How each program begins: a client on the file of its first argument, and a charge of one nano-USD.
PRELUDE = """
import os, sys, threading
from budgetd import BudgetClient, LocalTransport
from budgetd.v1.cost_pb2 import GetCurrentCostRequest, UpdateCostRequest

client = BudgetClient.over(LocalTransport(sys.argv[1]))
request = UpdateCostRequest(project_id="p", budget_id="b", cost_nano_usd=1)

def charge(times=1):
    for _ in range(times):
        client.update_cost(request, timeout_seconds=60)
"""


def create() -> service.CreateBudgetRequest:
    """The budget of every test."""
    return service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id=BUDGET))


def charge(nano_usd: int = 1, budget_id: str = BUDGET) -> cost_pb.UpdateCostRequest:
    """A charge."""
    return cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id=budget_id, cost_nano_usd=nano_usd)


def read() -> cost_pb.GetCurrentCostRequest:
    """What has been spent."""
    return cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=BUDGET)


def local(database: Path) -> BudgetClient:
    """A client on a file."""
    return BudgetClient.over(LocalTransport(database))


def with_budget(database: Path) -> Path:
    """The file, with the budget in it, and closed."""
    with local(database) as client:
        client.create_budget(create())
    return database


def spent(database: Path) -> int:
    """What the file says, by a client of its own."""
    with local(database) as client:
        return client.get_current_cost(read()).current_cost_nano_usd


def program(text: str, *arguments: str | Path, prelude: str = PRELUDE) -> list[str | Path]:
    """The command that runs a program."""
    return [sys.executable, "-W", "error", "-c", prelude + text, *arguments]


def environment() -> dict[str, str]:
    """That of the test, without settings of budgetd's."""
    return {key: value for key, value in os.environ.items() if not key.startswith("BUDGETD_")}


def run(text: str, *arguments: str | Path, prelude: str = PRELUDE) -> subprocess.CompletedProcess[str]:
    """Run a program to its end; warnings are errors in it."""
    return subprocess.run(
        program(text, *arguments, prelude=prelude),
        check=False,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=environment(),
    )
