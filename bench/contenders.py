"""The servers that budgetd is compared with, each in its own process, on the same gRPC server and loop.

`empty`: a call without content, which shows the cost of gRPC in Python. `memory`: budgetd's messages, adapter and
handlers over an engine that adds in memory; the difference is the cost of the ledger and its commits.
`commit_per_call`: the simple way, three statements and a commit for each call on one aiosqlite connection, equally
durable.

`refusals`: of every twenty calls of ReserveCost one is granted and nineteen are refused, with trailers like those of
budgetd; nothing is decided, and all answers are made in advance. `undecided`: the same through budgetd's messages,
adapter and handlers, which make each answer, over an engine that decides nothing.
"""

import asyncio
import json
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import aiosqlite
import grpc
import uvloop

from bench.ledgers import LIMIT_NANO_USD, MONTH_US
from bench.messages import PROJECT
from bench.undecided import Refusals, UndecidedEngine
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.core import system_clock_us
from budgetd_server.domain.budget import BudgetState, Counter, Limit
from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.counting import Part, count
from budgetd_server.domain.results import Charged
from budgetd_server.domain.status import limit_statuses
from budgetd_server.domain.window import Fixed, window_at
from budgetd_server.engine.answer_room import AnswerRoom
from budgetd_server.engine.engine import Engine
from budgetd_server.engine.in_flight import InFlight
from budgetd_server.metrics import Metrics
from budgetd_server.prices import ReloadablePrices
from budgetd_server.rpc.adapter import generic_handler
from budgetd_server.rpc.handlers import SERVICE, handlers
from budgetd_server.rpc.request_ids import request_of
from budgetd_server.rpc.server import RpcServer
from budgetd_server.tokens import AsyncTokenCounter

Call = Callable[[bytes, Any], Awaitable[bytes]]


class MemoryEngine:
    """Adds charges in memory, and answers as the engine does. Nothing is kept."""

    def __init__(self) -> None:
        self.clock = system_clock_us
        self._budgets: dict[str, BudgetState] = {}
        self._entries = 0

    async def submit(self, command: Charge, *, timeout_seconds: float | None = None) -> Outcome[Any]:  # noqa: ARG002
        """Add one charge."""
        now_us = self.clock()
        budget = self._budgets.get(command.budget_id) or self._new_budget(command.budget_id, now_us)
        count(budget, Part(command.cost_nano_usd, command.usage, 1, command.model), now_us)
        self._entries += 1
        return Outcome(self._entries, Charged(command.cost_nano_usd), limits=limit_statuses(budget, now_us))

    def _new_budget(self, budget_id: str, now_us: int) -> BudgetState:
        limit = Limit(amount=LIMIT_NANO_USD, window=Fixed(length_us=MONTH_US, anchor_at_us=now_us))
        budget = self._budgets[budget_id] = BudgetState(
            project_key=1,
            budget_key=len(self._budgets) + 1,
            budget_id=budget_id,
            labels={},
            version=1,
            created_at_us=now_us,
            updated_at_us=now_us,
            main=Counter(limit, window_at(limit.window, now_us), 0),
        )
        return budget


class CommitPerCall:
    """Records each charge by three statements and a commit, one charge after another."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._seq = 10**9

    async def update_cost(self, body: bytes, context: object) -> bytes:  # noqa: ARG002
        """Record a charge."""
        request = cost_pb.UpdateCostRequest.FromString(body)
        kept = request_of(request.request_id, request.budget_id, request.cost_nano_usd)
        async with self._turn:
            self._seq += 1
            cost, seq, now_us = request.cost_nano_usd, self._seq, system_clock_us()
            await self._connection.execute(
                "INSERT INTO entries (project_key, seq, budget_key, previous_seq, kind, created_at_us, cost_nano_usd,"
                " input_tokens, output_tokens, model, request_id)"
                " SELECT p.project_key, ?, b.budget_key, 0, 1, ?, ?, ?, ?, ?, ?"
                " FROM projects AS p JOIN budgets AS b ON b.project_key = p.project_key"
                " WHERE p.project_id = ? AND b.budget_id = ? AND b.deleted_at_us IS NULL",
                (
                    *(seq, now_us, cost, request.usage.input_tokens, request.usage.output_tokens, request.model),
                    *(kept.request_id, PROJECT, request.budget_id),
                ),
            )
            await self._connection.execute(
                "INSERT INTO request_ids (project_key, rpc, request_id, fingerprint, entry_seq, result, created_at_us)"
                " VALUES (1, 4, ?, ?, ?, ?, ?)",
                (kept.request_id, kept.fingerprint, seq, cost, now_us),
            )
            await self._connection.execute(
                "UPDATE counters SET cost_nano_usd = cost_nano_usd + ?, calls = calls + 1 WHERE project_key = 1"
                " AND budget_key = (SELECT budget_key FROM budgets WHERE project_key = 1 AND budget_id = ?"
                " AND deleted_at_us IS NULL) AND limit_id = '' AND is_model = 0 AND model = ''",
                (cost, request.budget_id),
            )
            await self._connection.commit()
        answer = cost_pb.UpdateCostResponse(entry_id=f"e{seq}", cost_nano_usd=cost, request_id=kept.request_id)
        return answer.SerializeToString()


async def _empty(body: bytes, context: object) -> bytes:  # noqa: ARG001
    return b""


_ENGINES: dict[str, Callable[[], object]] = {"memory": MemoryEngine, "undecided": UndecidedEngine}


def _only(name: str, call: Call) -> grpc.GenericRpcHandler:
    handler: grpc.RpcMethodHandler[Any, Any] = grpc.unary_unary_rpc_method_handler(cast(Any, call))
    return grpc.method_handlers_generic_handler(SERVICE.full_name, {name: handler})


async def _serve(name: str, database: Path | None) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    if name == "empty":
        await _until(stopping, _only("UpdateCost", _empty))
    elif name == "refusals":
        await _until(stopping, _only("ReserveCost", Refusals().reserve_cost))
    elif name in _ENGINES:
        tokens = AsyncTokenCounter()
        handlers_by_name = handlers(cast(Engine, _ENGINES[name]()), ReloadablePrices(()), tokens)
        await _until(stopping, generic_handler(handlers_by_name, Metrics(), InFlight(), AnswerRoom(lambda _: None)))
        tokens.close()
    else:
        assert database is not None, "a durable server has a file"
        async with aiosqlite.connect(database) as connection:
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute("PRAGMA synchronous = FULL")
            await _until(stopping, _only("UpdateCost", CommitPerCall(connection).update_cost))


async def _until(stopping: asyncio.Event, handler: grpc.GenericRpcHandler) -> None:
    server = RpcServer(handler)
    port = await server.start("127.0.0.1:0")
    print(json.dumps({"event": "serving", "listen": f"127.0.0.1:{port}"}), file=sys.stderr, flush=True)
    await stopping.wait()
    await server.stop(0.2)


def main() -> None:
    """Serve until SIGTERM: `python -m bench.contenders NAME [DATABASE]`."""
    name, *rest = sys.argv[1:]
    with asyncio.Runner(loop_factory=uvloop.Loop) as runner:
        runner.run(partial(_serve, name, Path(rest[0]) if rest else None)())


if __name__ == "__main__":
    main()
