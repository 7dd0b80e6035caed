"""A program with clients that hold, commit, release, forget, and go away in the middle of calls; made to be killed.

It writes each answer to a file as one line, as soon as it arrives.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import status_pb2

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1 import reservation_pb2 as reservation_pb
from tests.faults.calls import PROJECT, cost_of, stub_for

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

USERS = 16
TAG = "tag:x"
PATIENCE_SECONDS = 20
MODES = [*[reservation_pb.RESERVE_MODE_ALL_OR_NOTHING] * 4, reservation_pb.RESERVE_MODE_UP_TO_AVAILABLE]
#: A limit refused, or the hold has ended: no other reason is allowed.
_EXPECTED = {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.FAILED_PRECONDITION}


class Log:
    """Lines of JSON, each written at once, so that a kill loses none.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("ab", buffering=0)
        #: How often each limit refused.
        self.refused_by: Counter[str] = Counter()

    def write(self, **line: Any) -> None:
        """Write a line."""
        self._file.write(json.dumps(line).encode() + b"\n")

    def take_error(self, error: grpc.aio.AioRpcError) -> None:
        """Note a refusal, by the limits that it names; or an unexpected answer."""
        if error.code() not in _EXPECTED:
            self.write(unexpected=f"{error.code()} {error.details()}")
        for key, value in error.trailing_metadata() or ():
            if key == "grpc-status-details-bin":
                assert isinstance(value, bytes)
                self._take_details(status_pb2.Status.FromString(value))

    def _take_details(self, status: Any) -> None:
        for detail in status.details:
            if detail.type_url.endswith("BudgetExceeded"):
                for limit in pb.BudgetExceeded.FromString(detail.value).limits:
                    self.refused_by[f"{limit.budget_id}/{limit.limit_id or 'main'}"] += 1


class Client:
    """One of them, with a connection of its own.

    Args:
        stub: The connection.
        name: Makes its request ids differ from those of others, also of those that were killed before.
        log: Where it writes the answers that it received.
    """

    def __init__(self, stub: "BudgetServiceAsyncStub", name: str, log: Log) -> None:
        self._stub = stub
        self._name = name
        self._log = log
        self._random = random.Random(name)
        self._sent = 0

    async def work_until(self, at: float) -> None:
        """Work; what has begun by then is finished."""
        # A connection may take more than one attempt on a busy machine; once it is made, nothing may break it.
        await self._stub.GetCurrentCost(cost_of(TAG), wait_for_ready=True, timeout=PATIENCE_SECONDS)
        while time.monotonic() < at:
            try:
                if self._random.random() < 0.1:
                    await self._charge()
                else:
                    await self._hold()
            except grpc.aio.AioRpcError as error:
                self._log.take_error(error)

    def _place(self) -> dict[str, Any]:
        """Where and under which id the next is sent: many small ones and few large ones take turns each second."""
        self._sent += 1
        is_small = int(time.time()) % 2 == 0
        return {
            "project_id": PROJECT,
            "budget_id": f"user-{self._random.randrange(USERS)}",
            "additional_budget_ids": [TAG] if self._random.random() < 0.3 else [],
            "request_id": f"{self._name}-{self._sent}",
            "model": "m",
        } | ({"amount": self._random.randint(1, 10)} if is_small else {"amount": self._random.randint(50, 150)})

    async def _charge(self) -> None:
        place = self._place()
        amount = place.pop("amount")
        request = cost_pb.UpdateCostRequest(
            cost_nano_usd=amount, admission=cost_pb.ADMISSION_REJECT_OVER_LIMIT, **place
        )
        answer = await self._stub.UpdateCost(request, timeout=PATIENCE_SECONDS)
        self._log.write(charge=answer.entry_id, cost=amount)

    async def _hold(self) -> None:
        place = self._place()
        request = reservation_pb.ReserveCostRequest(
            amount_nano_usd=place.pop("amount"),
            ttl=Duration(seconds=self._random.randint(1, 2), nanos=self._random.randrange(10**6) * 1_000),
            mode=self._random.choice(MODES),
            on_expiry=self._random.choice([reservation_pb.ON_EXPIRY_RELEASE, reservation_pb.ON_EXPIRY_COMMIT]),
            **place,
        )
        if self._random.random() < 0.1:
            await self._left(self._stub.ReserveCost(request, timeout=PATIENCE_SECONDS))
            if self._random.random() < 0.5:
                return
        held = await self._stub.ReserveCost(request, timeout=PATIENCE_SECONDS)
        self._log.write(hold=held.reservation_id, amount=held.granted_nano_usd)
        await self._end(held, f"{request.request_id}-end")

    async def _end(self, held: reservation_pb.ReserveCostResponse, request_id: str) -> None:
        """Settle a hold, give it back, or forget it."""
        place: dict[str, Any] = {"project_id": PROJECT, "reservation_id": held.reservation_id, "request_id": request_id}
        what = self._random.random()
        if what < 0.1:
            return
        if what < 0.25:
            await self._stub.ReleaseReservation(
                reservation_pb.ReleaseReservationRequest(**place), timeout=PATIENCE_SECONDS
            )
            self._log.write(release=held.reservation_id)
            return
        if what < 0.35:
            await self._stub.ExtendReservation(
                reservation_pb.ExtendReservationRequest(**place, ttl=Duration(seconds=2)), timeout=PATIENCE_SECONDS
            )
        cost_nano_usd = self._random.randint(held.granted_nano_usd // 3, held.granted_nano_usd)
        commit = reservation_pb.CommitReservationRequest(**place, cost_nano_usd=cost_nano_usd)
        if what > 0.9:
            await self._left(self._stub.CommitReservation(commit, timeout=PATIENCE_SECONDS))
            if what > 0.95:
                return
        answer = await self._stub.CommitReservation(commit, timeout=PATIENCE_SECONDS)
        self._log.write(commit=answer.entry_id, hold=held.reservation_id, cost=cost_nano_usd)

    async def _left(self, call: Awaitable[Any]) -> None:
        """A call whose caller goes away while it is under way."""
        task = asyncio.ensure_future(call)
        await asyncio.sleep(self._random.uniform(0, 0.02))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def run(address: str, path: Path, name: str, clients: int, seconds: float) -> Mapping[str, int]:
    """Let clients work; how often each limit refused them."""
    log = Log(path)
    log.write(started=name)

    async def one(number: int) -> None:
        async with stub_for(address) as stub:
            await Client(stub, f"{name}-{number}", log).work_until(time.monotonic() + seconds)

    await asyncio.gather(*(one(number) for number in range(clients)))
    log.write(refused_by=dict(log.refused_by))
    return log.refused_by


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), float(sys.argv[5])))
