"""Scenarios of the process itself: its start time and its memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc

from bench.many import charging
from bench.messages import PROJECT
from bench.processes import budgetd, contender
from bench.rows import Contestants, Row, Scenario
from bench.stage import Stage, method
from budgetd.v1 import budget_service_pb2 as service


def process(stage: Stage) -> Scenario:
    """Measure the start on an empty file, and the memory of an idle server."""
    return Scenario(
        "process",
        lambda: _process(stage),
        (
            Row(
                what="start of `budgetd serve`",
                here=("budgetd", "start_ms"),
                reference=("empty", "start_ms"),
                reference_what="start of an empty grpc.aio server",
                unit="ms",
                more_is_better=False,
            ),
            Row(
                what="memory of an idle server",
                here=("budgetd", "rss_mib"),
                reference=("empty", "rss_mib"),
                reference_what="an idle empty grpc.aio server",
                unit="MiB",
                here_at_most=90,
                more_is_better=False,
            ),
        ),
        warms_up=False,
    )


def memory_of_many(stage: Stage, *, budgets: int) -> Scenario:
    """Measure the memory of a server that has charged and listed many budgets."""
    row = Row(
        what=f"memory after {budgets:,} budgets",
        here=("budgetd", "rss_mib"),
        reference=("idle", "rss_mib"),
        reference_what="the same server, idle",
        unit="MiB",
        here_at_most=150,
        more_is_better=False,
    )
    return Scenario(
        "memory-large", lambda: _memory_of_many(stage, budgets=stage.sized(budgets)), (row,), warms_up=False
    )


@contextmanager
def _process(stage: Stage) -> Iterator[Contestants]:
    def start() -> dict[str, float]:
        path: Path = stage.ledgers.with_budgets(1)
        with budgetd(path) as server:
            return {"start_ms": server.start_seconds * 1e3, "rss_mib": server.rss_mib}

    def start_empty() -> dict[str, float]:
        with contender("empty", stage.folder) as server:
            return {"start_ms": server.start_seconds * 1e3, "rss_mib": server.rss_mib}

    yield {"budgetd": start, "empty": start_empty}


@contextmanager
def _memory_of_many(stage: Stage, *, budgets: int) -> Iterator[Contestants]:
    with budgetd(stage.ledgers.with_budgets(budgets)) as server:
        idle = {"rss_mib": server.rss_mib}
        items = stage.sized(100_000)
        charge = charging(stage, server, items=items, batch_items=stage.sized(4_000), budgets=budgets, callers=2)

        def work() -> dict[str, float]:
            charge()
            _list_all(server.address)
            return {"rss_mib": server.rss_mib}

        yield {"budgetd": work, "idle": lambda: idle}


def _list_all(address: str) -> None:
    token = ""
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            method("ListBudgets"),
            request_serializer=service.ListBudgetsRequest.SerializeToString,
            response_deserializer=service.ListBudgetsResponse.FromString,
        )
        while True:
            page = call(service.ListBudgetsRequest(project_id=PROJECT, page_size=1_000, page_token=token))
            token = page.next_page_token
            if not token:
                return
