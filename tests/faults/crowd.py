"""The load of the drills: clients that charge one budget at once, each over a connection of its own.

A request without an answer is sent again, under the same request id, to the next server that the crowd is led to. So a
crowd outlives any number of servers.
"""

import asyncio
import random
import time
from collections import deque

import grpc

from budgetd.v1 import cost_pb2 as cost_pb
from tests.faults.calls import charge, new_budget, stub_for
from tests.faults.checker import Record


class Crowd:
    """Clients with charges of random costs before them.

    Args:
        clients: How many there are.
        charges_each: How many charges each has to make.
        name: Makes the request ids of several crowds on one budget differ.
        copies: How often each charge is sent at the same time, under one request id.
        record: Where to note the answers; None: a record of its own.
    """

    def __init__(
        self, *, clients: int, charges_each: int, name: str = "c", copies: int = 1, record: Record | None = None
    ) -> None:
        self.record = record or Record()
        self.copies = copies
        self.worst_seconds = 0.0
        #: The errors that clients received instead of an answer.
        self.refusals: list[str] = []
        #: Answers that said they were a repetition.
        self.replays = 0
        self._random = random.Random(f"{name}/{clients}/{charges_each}")
        self._todo = [
            deque(self._charge(f"{name}-{client}-{number}") for number in range(charges_each))
            for client in range(clients)
        ]
        self._progress = asyncio.Event()

    def is_done(self) -> bool:
        """Whether every charge has been acknowledged."""
        return not any(self._todo)

    async def reaches(self, acknowledged: int) -> None:
        """Return when so many charges have been acknowledged."""
        while len(self.record.acknowledged) < acknowledged:
            self._progress.clear()
            await self._progress.wait()

    async def charge_at(self, address: str) -> None:
        """Charge until all is done, or until the server is gone or going."""
        async with stub_for(address) as stub:
            try:
                await stub.CreateBudget(new_budget(self.record.budget_id), wait_for_ready=True, timeout=30)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
                return
        await asyncio.gather(*(self._client(address, todo) for todo in self._todo))

    def _charge(self, request_id: str) -> cost_pb.UpdateCostRequest:
        return charge(request_id, self._random.randint(1, 10**7), self.record.budget_id)

    async def _client(self, address: str, todo: deque[cost_pb.UpdateCostRequest]) -> None:
        async with stub_for(address) as stub:
            while todo:
                request = todo[0]
                self.record.send(request.request_id, request.cost_nano_usd)
                began = time.monotonic()
                calls = (stub.UpdateCost(request, timeout=30) for _ in range(self.copies))
                answers = await asyncio.gather(*calls, return_exceptions=True)
                self.worst_seconds = max(self.worst_seconds, time.monotonic() - began)
                if not self._take(request.request_id, answers):
                    return
                todo.popleft()

    def _take(self, request_id: str, answers: list[cost_pb.UpdateCostResponse | BaseException]) -> bool:
        """Note what was answered; False: the server is gone, or going."""
        is_served = True
        for answer in answers:
            if isinstance(answer, cost_pb.UpdateCostResponse):
                self.record.acknowledge(request_id, answer.entry_id)
                self.replays += answer.replayed
            elif isinstance(answer, grpc.aio.AioRpcError) and answer.code() is grpc.StatusCode.UNAVAILABLE:
                self.refusals.append(answer.details() or "")
                is_served = False
            else:
                raise answer
        self._progress.set()
        return is_served
