"""Answers holds without deciding them, for two of the contenders: one of twenty is granted."""

from typing import Any

import grpc

from bench.messages import HOLD_NANO_USD, HOLDS_A_GRANT, budget_id
from budgetd.v1 import reservation_pb2 as reservation_pb
from budgetd_server.core import system_clock_us
from budgetd_server.domain.admission import BudgetExceeded
from budgetd_server.domain.bounds import TTL_DEFAULT_US
from budgetd_server.domain.budget import BudgetState, Counter, Limit
from budgetd_server.domain.commands import Outcome, ReserveCost
from budgetd_server.domain.counting import Part
from budgetd_server.domain.results import Held
from budgetd_server.domain.status import LimitStatus, limit_status
from budgetd_server.domain.window import Lifetime, window_at
from budgetd_server.rpc import answers
from budgetd_server.rpc.errors import STATUS_TRAILER, status_of


class UndecidedEngine:
    """Answers holds in turn, regardless of their content: one of twenty is granted. Nothing is kept."""

    def __init__(self) -> None:
        self.clock = system_clock_us
        self._holds = 0

    async def submit(self, command: ReserveCost, *, timeout_seconds: float | None = None) -> Outcome[Any]:  # noqa: ARG002
        """Grant or refuse one hold."""
        now_us = self.clock()
        self._holds += 1
        if self._holds % HOLDS_A_GRANT:
            raise _refusal(command.budget_id, command.amount_nano_usd, now_us)
        limits = (_full_limit(command.budget_id, command.amount_nano_usd, now_us),)
        held = Held(command.amount_nano_usd, expires_at_us=now_us + command.ttl_us, granted_tokens=0)
        return Outcome(self._holds, held, limits=limits)


class Refusals:
    """Answers holds as UndecidedEngine does, by the same two answers each time."""

    def __init__(self) -> None:
        now_us, name = system_clock_us(), budget_id(0)
        limits = answers.limit_statuses((_full_limit(name, HOLD_NANO_USD, now_us),))
        granted = reservation_pb.ReserveCostResponse(
            reservation_id=answers.reservation_id(1),
            granted_nano_usd=HOLD_NANO_USD,
            expire_time=answers.timestamp(now_us),
            limits=limits,
        )
        self._granted = granted.SerializeToString()
        status = status_of(_refusal(name, HOLD_NANO_USD, now_us))
        self._message, self._trailers = status.message, ((STATUS_TRAILER, status.SerializeToString()),)
        self._holds = 0

    async def reserve_cost(self, body: bytes, context: "grpc.aio.ServicerContext[Any, Any]") -> bytes:  # noqa: ARG002
        """Grant or refuse one hold."""
        self._holds += 1
        if self._holds % HOLDS_A_GRANT:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, self._message, self._trailers)
        return self._granted


def _full_limit(name: str, amount_nano_usd: int, now_us: int) -> LimitStatus:
    """Return a limit whose whole amount is held."""
    limit = Limit(amount=50 * amount_nano_usd, window=Lifetime())
    budget = BudgetState(
        project_key=1,
        budget_key=1,
        budget_id=name,
        labels={},
        version=1,
        created_at_us=now_us,
        updated_at_us=now_us,
        main=Counter(limit, window_at(limit.window, now_us), 0, held=limit.amount),
    )
    return limit_status(budget, budget.main, now_us)


def _refusal(name: str, amount_nano_usd: int, now_us: int) -> BudgetExceeded:
    limits = (_full_limit(name, amount_nano_usd, now_us),)
    return BudgetExceeded(limits, Part(amount_nano_usd, None, 1), now_us + TTL_DEFAULT_US, now_us=now_us)
