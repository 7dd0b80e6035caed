"""Creates budgets of special shapes by calls to a server, before a measurement."""

from collections.abc import Iterable, Iterator
from itertools import pairwise

import grpc
from google.protobuf import duration_pb2

from bench.ledgers import LIMIT_NANO_USD, MONTH_US
from bench.messages import PROJECT, budget_id
from bench.processes import ServerProcess
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub


def create(server: ServerProcess, budgets: Iterable[pb.Budget]) -> None:
    """Create budgets, one after another."""
    with grpc.insecure_channel(server.address) as channel:
        stub = BudgetServiceStub(channel)
        for budget in budgets:
            stub.CreateBudget(service.CreateBudgetRequest(budget=budget))


def monthly(number: int = 0) -> pb.Limit:
    """Return a limit that is never reached: the main one, or a named one."""
    fixed = pb.FixedWindow(length=duration_pb2.Duration(seconds=MONTH_US // 1_000_000))
    return pb.Limit(limit_id=f"limit-{number}" if number else "", amount=LIMIT_NANO_USD, window=pb.Window(fixed=fixed))


def with_limits(count: int, *, budgets: int) -> Iterator[pb.Budget]:
    """Yield roots with `count` limits each, all of which count every charge."""
    for number in range(budgets):
        limits = [monthly(limit) for limit in range(count)]
        yield pb.Budget(project_id=PROJECT, budget_id=budget_id(number), limits=limits)


def at_depth(depth: int, *, budgets: int) -> Iterator[pb.Budget]:
    """Yield budgets at a depth. Each has its own ancestors, and every level has a limit."""
    for number in range(budgets):
        ids = ["", *(f"{budget_id(number)}-above-{level}" for level in range(depth - 1)), budget_id(number)]
        for parent_id, own_id in pairwise(ids):
            yield pb.Budget(project_id=PROJECT, budget_id=own_id, parent_budget_id=parent_id, limits=[monthly()])
