"""A store that is away: locked by another process, or on a full disk. Calls wait, or are refused as retryable."""

import asyncio
import resource
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health_pb2

from tests.faults.calls import Refusal, channel_to, charge, cost_of, health_turns, new_budget, refusal_of, stub_on
from tests.faults.checker import Record
from tests.faults.lock import locked
from tests.faults.planted_ledgers import SmallDiskLedger
from tests.faults.server_inside import serving_ledger
from tests.faults.server_process import ServerProcess, running

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
#: How long a server waits for the lock of a file.
LOCK_WAIT_SECONDS = 5.0


class Drill:
    """A server in a process of its own with one budget, a client, and the errors that it received."""

    def __init__(self, server: ServerProcess, channel: grpc.aio.Channel) -> None:
        self.server = server
        self.channel = channel
        self.stub: BudgetServiceAsyncStub = stub_on(channel)
        self.record = Record()

    async def charge(self, request_id: str, *, timeout_seconds: float = 30) -> None:
        """Charge a thousand nano-USD."""
        self.record.send(request_id, 1_000)
        answer = await self.stub.UpdateCost(charge(request_id, 1_000), timeout=timeout_seconds)
        self.record.acknowledge(request_id, answer.entry_id)

    async def spent(self) -> int:
        """What the budget has spent."""
        return (await self.stub.GetCurrentCost(cost_of(), timeout=60)).current_cost_nano_usd


async def test_calls_wait_out_a_lock_that_another_process_holds_for_a_second(database: Path) -> None:
    async with drilling(database) as drill:
        with locked(database):
            charges = [asyncio.create_task(drill.charge(f"c-{number}")) for number in range(20)]
            done, _ = await asyncio.wait(charges, timeout=1)
            assert not done
            assert await drill.spent() == 0, "a read does not wait for the lock"
        await asyncio.gather(*charges)

        assert await drill.spent() == 20_000
    assert drill.record.faults_of(database) == []


async def test_a_call_waits_for_the_lock_no_longer_than_its_deadline(database: Path) -> None:
    async with drilling(database) as drill:
        with locked(database):
            refusal = await refusal_of(drill.charge("impatient", timeout_seconds=0.3))
        await drill.charge("impatient")

        assert refusal.code in (grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.UNAVAILABLE)
        assert await drill.spent() == 1_000
    assert drill.record.faults_of(database) == []


@pytest.mark.drill
async def test_a_lock_held_for_too_long_fails_calls_until_it_is_gone(database: Path) -> None:
    async with drilling(database) as drill:
        turns = health_turns(drill.channel)
        assert await anext(turns) == SERVING
        began = time.monotonic()
        with locked(database):
            failures = await asyncio.gather(*(refusal_of(drill.charge(f"c-{number}")) for number in range(20)))

            assert time.monotonic() - began > LOCK_WAIT_SECONDS - 0.1
            assert_says_to_try_again(failures)
            assert await anext(turns) == NOT_SERVING
            assert await drill.spent() == 0
        assert await anext(turns) == SERVING
        await asyncio.gather(*(drill.charge(f"c-{number}") for number in range(20)))

        assert await drill.spent() == 20_000
    assert drill.record.faults_of(database) == []


async def test_a_full_disk_fails_charges_and_not_reads_until_there_is_room(database: Path) -> None:
    ledger = await SmallDiskLedger.open(database)
    record = Record()
    async with serving_ledger(ledger) as inside:
        await inside.stub.CreateBudget(new_budget())

        async def fill() -> Refusal:
            """Charge with long ids until the disk is full."""
            for number in range(10_000):
                request_id = f"{number:064}"
                record.send(request_id, 1)
                try:
                    answer = await inside.stub.UpdateCost(charge(request_id, 1))
                except grpc.aio.AioRpcError as error:
                    return Refusal(error)
                record.acknowledge(request_id, answer.entry_id)
            raise AssertionError("the disk was never full")

        ledger.is_full = True
        refusal = await fill()
        read = await inside.stub.GetCurrentCost(cost_of())
        ledger.is_full = False
        last = list(record.sent)[-1]
        record.acknowledge(last, (await inside.stub.UpdateCost(charge(last, 1))).entry_id)

        assert_says_to_try_again([refusal])
        assert read.current_cost_nano_usd == len(record.sent) - 1
    assert record.faults_of(database) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can limit the files of another process")
async def test_a_server_on_a_full_disk_is_not_serving_and_recovers_by_itself(database: Path) -> None:
    async with drilling(database) as drill:
        await drill.charge("before")
        turns = health_turns(drill.channel)
        assert await anext(turns) == SERVING
        with full_disk_of(drill.server, database):
            failures = await asyncio.gather(*(refusal_of(drill.charge(f"c-{number}")) for number in range(20)))

            assert_says_to_try_again(failures)
            assert await anext(turns) == NOT_SERVING
            assert await drill.spent() == 1_000
        assert await anext(turns) == SERVING
        await asyncio.gather(*(drill.charge(f"c-{number}") for number in range(20)))

        assert await drill.spent() == 21_000
    assert drill.record.faults_of(database) == []


def assert_says_to_try_again(failures: Sequence[Refusal]) -> None:
    """Each is UNAVAILABLE with the reason and wait that the contract promises, and reveals nothing about the file."""
    for refusal in failures:
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        assert refusal.retry is not None
        assert "ledger.db" not in refusal.raw


@asynccontextmanager
async def drilling(database: Path) -> AsyncIterator[Drill]:
    """A server with one budget; at the end it must stop in order."""
    async with running(database) as server, channel_to(server.address) as channel:
        drill = Drill(server, channel)
        await drill.stub.CreateBudget(new_budget(), wait_for_ready=True)
        yield drill
        server.terminate()
        assert await server.ended() == 0
        assert not server.stray_lines()


@contextmanager
def full_disk_of(server: ServerProcess, database: Path) -> Iterator[None]:
    """Lets no file of a running server grow, as if its disk were full."""
    size = database.with_name(f"{database.name}-wal").stat().st_size
    _, hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (hard, hard))
