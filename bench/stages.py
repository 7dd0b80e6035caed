"""Measures the steps of a charge, carried out one after another in this process.

gRPC's own part is missing, and so is all waiting: this table shows the cost of the code of each step, and the other
tables show the cost of a call.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from statistics import median
from time import perf_counter
from typing import Any, TypeVar

from bench.messages import PROJECT, batches
from bench.stage import Stage
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.core import system_clock_us
from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.decide import decide, needs_of
from budgetd_server.ledger.loading import load
from budgetd_server.ledger.sqlite.file import connect
from budgetd_server.ledger.sqlite.save import SqliteSave
from budgetd_server.ledger.sqlite.statements import SqliteStatements
from budgetd_server.prices import ReloadablePrices
from budgetd_server.rpc import answers
from budgetd_server.rpc.cost_requests import CostRequests
from budgetd_server.tokens import AsyncTokenCounter

T = TypeVar("T")


def stages_of_a_charge(stage: Stage) -> dict[str, dict[str, float]]:
    """Return µs per charge, by way of sending and stage."""
    turns = stage.sized(60, least=3)
    return {
        "alone": _measure(stage, size=1, budgets=200, turns=turns * 4),
        "64 at once": _measure(stage, size=64, budgets=200, turns=turns),
        "1,000 of a batch": _measure(stage, size=1_000, budgets=200, turns=turns // 3),
        "1,000 of a batch, 10^5 budgets": _measure(
            stage, size=1_000, budgets=stage.sized(100_000, least=200), turns=turns // 3
        ),
    }


def _measure(stage: Stage, *, size: int, budgets: int, turns: int) -> dict[str, float]:
    way = _Way(connect(stage.ledgers.with_budgets(budgets)), is_batch=size > 64)
    for turn in range(turns):
        (batch,) = batches(items=size, batch_items=size, budgets=budgets, seed=turn)
        way.go(batch)
    way.connection.close()
    return {name: median(taken) for name, taken in way.taken_us.items()}


class _Way:
    """Times charges on their way through the server's layers."""

    def __init__(self, connection: sqlite3.Connection, *, is_batch: bool) -> None:
        self.connection = connection
        self.taken_us: dict[str, list[float]] = defaultdict(list)
        self._is_batch = is_batch
        statements = SqliteStatements()
        self._statements, self._save = statements, SqliteSave(statements)
        self._costs = CostRequests(ReloadablePrices(()), AsyncTokenCounter())
        self._charges = 1

    def go(self, batch: cost_pb.BatchUpdateCostRequest) -> None:
        """Carry out the charges of a batch, or as many single ones."""
        self._charges = len(batch.requests)
        now_us = system_clock_us()
        charges = self._decoded(batch, now_us)
        needs = self._timed("gather what the batch touches", lambda: needs_of(charges))
        self._timed("begin", lambda: self.connection.execute("BEGIN IMMEDIATE"))
        state = self._timed("load", lambda: self._statements.carried_out(self.connection, load(needs, now_us)))
        outcomes = self._timed("decide", lambda: [decide(state, charge, now_us) for charge in charges])
        self._timed("save", lambda: self._save.changes(self.connection, state))
        self._timed("commit", lambda: self.connection.execute("COMMIT"))
        self._timed("answer", lambda: self._answers(charges, outcomes))

    def _decoded(self, batch: cost_pb.BatchUpdateCostRequest, now_us: int) -> Sequence[Charge]:
        if self._is_batch:
            body = batch.SerializeToString()
            parsed = self._timed("parse", lambda: cost_pb.BatchUpdateCostRequest.FromString(body))
            return self._timed("check", lambda: _now(self._costs.batch(parsed, now_us)))[0]
        for each in batch.requests:
            each.project_id = PROJECT
        bodies = [each.SerializeToString() for each in batch.requests]
        messages = self._timed("parse", lambda: [cost_pb.UpdateCostRequest.FromString(body) for body in bodies])
        return self._timed("check", lambda: [_now(self._costs.charge(each, now_us)) for each in messages])

    def _answers(self, charges: Sequence[Charge], outcomes: Sequence[Outcome[Any]]) -> list[bytes]:
        if self._is_batch:
            charged = [
                cost_pb.Charged(
                    entry_id=answers.entry_id(outcome.entry_seq), cost_nano_usd=outcome.result.cost_nano_usd
                )
                for outcome in outcomes
            ]
            results = [cost_pb.UpdateCostResult(charged=each) for each in charged]
            return [cost_pb.BatchUpdateCostResponse(results=results).SerializeToString()]
        return [
            cost_pb.UpdateCostResponse(
                entry_id=answers.entry_id(outcome.entry_seq),
                cost_nano_usd=outcome.result.cost_nano_usd,
                limits=answers.limit_statuses(outcome.limits),
                replayed=outcome.replayed,
                request_id=charge.request.request_id,
            ).SerializeToString()
            for charge, outcome in zip(charges, outcomes, strict=True)
        ]

    def _timed(self, name: str, step: Callable[[], T]) -> T:
        began = perf_counter()
        result = step()
        self.taken_us[name].append((perf_counter() - began) / self._charges * 1e6)
        return result


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits and only yields to others, and return its result."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as end:
            result: T = end.value
            return result
