"""SIGTERM under load: everything acknowledged is there, no call hangs, and no exception escapes."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2

from budgetd.v1 import cost_pb2 as cost_pb
from tests.faults.calls import (
    channel_to,
    charge,
    health_turns,
    new_budget,
    refusal_of,
    stub_for,
    stub_on,
)
from tests.faults.checker import Record
from tests.faults.crowd import Crowd
from tests.faults.lock import locked
from tests.faults.server_process import ServerProcess, running

#: A server with nothing to wait for is gone long before its grace is over, also on a busy machine.
PROMPTLY_SECONDS = 45.0
LONG_GRACE = ("--grace-seconds", "90")
#: A server that ends at once does not wait until its own wait for the lock of a file is over, after 5 s.
AT_ONCE_SECONDS = 4.5


async def test_sigterm_under_load_keeps_everything_acknowledged(database: Path) -> None:
    crowd = Crowd(clients=16, charges_each=1_000)
    async with running(database, *LONG_GRACE) as server:
        charging = asyncio.create_task(crowd.charge_at(server.address))
        await crowd.reaches(100)

        await assert_ends_promptly(server)
        await charging

    assert not crowd.is_done()
    assert crowd.record.faults_of(database) == []


@pytest.mark.drill
async def test_ten_servers_that_follow_each_other_under_load_lose_nothing(
    database: Path, figure: Callable[[str], None]
) -> None:
    crowd = Crowd(clients=64, charges_each=100)
    worst_seconds = 0.0
    for turn in range(10):
        async with running(database, *LONG_GRACE) as server:
            charging = asyncio.create_task(crowd.charge_at(server.address))
            await crowd.reaches(500 * (turn + 1))
            worst_seconds = max(worst_seconds, await assert_ends_promptly(server))
            await charging
        assert crowd.record.faults_of(database) == []
    async with running(database, *LONG_GRACE) as server:
        await crowd.charge_at(server.address)
        await assert_ends_promptly(server)

    assert crowd.record.is_settled()
    assert crowd.record.faults_of(database) == []
    figure(f"SIGTERM under load took {worst_seconds * 1000:.0f} ms at most")


async def test_an_open_health_watch_hears_of_the_end_and_does_not_delay_it(database: Path) -> None:
    async with running(database, *LONG_GRACE) as server, channel_to(server.address) as channel:
        turns = health_turns(channel)
        assert await anext(turns) == health_pb2.HealthCheckResponse.SERVING
        heard: list[int] = []

        async def listen() -> None:
            with contextlib.suppress(grpc.aio.AioRpcError):  # The stream breaks off with the server.
                async for turn in turns:
                    heard.append(turn)  # noqa: PERF401 - what was heard before the break counts.

        listening = asyncio.create_task(listen())
        await assert_ends_promptly(server)
        await listening

        assert heard == [health_pb2.HealthCheckResponse.NOT_SERVING]


async def test_a_call_that_waits_for_its_commit_is_answered_before_the_end(database: Path) -> None:
    record = Record()
    async with running(database, *LONG_GRACE) as server, channel_to(server.address) as channel:
        stub = stub_on(channel)
        await stub.CreateBudget(new_budget())
        with locked(database):
            record.send("waiting", 3)
            waiting = asyncio.create_task(charged(stub.UpdateCost(charge("waiting", 3))))
            assert (await asyncio.wait([waiting], timeout=0.2))[0] == set()
            server.terminate()
            await server.has_logged("shutting down")
            late = await refusal_of(stub.UpdateCost(charge("late", 5)))
        record.acknowledge("waiting", (await waiting).entry_id)
        assert await server.ended(PROMPTLY_SECONDS) == 0

        assert late.code is grpc.StatusCode.UNAVAILABLE
        assert late.reason in ("SHUTTING_DOWN", "")  # Empty: the connection was closed before.
    assert record.faults_of(database) == []


async def test_a_second_sigterm_ends_at_once(database: Path) -> None:
    record = Record()
    async with running(database, *LONG_GRACE) as server, channel_to(server.address) as channel:
        stub = stub_on(channel)
        await stub.CreateBudget(new_budget())
        record.send("before", 3)
        record.acknowledge("before", (await stub.UpdateCost(charge("before", 3))).entry_id)
        with locked(database):
            record.send("waiting", 4)
            waiting = asyncio.create_task(refusal_of(stub.UpdateCost(charge("waiting", 4))))
            assert (await asyncio.wait([waiting], timeout=0.2))[0] == set()
            server.terminate()
            await server.has_logged("shutting down")
            began = time.monotonic()

            server.terminate()
            code = await server.ended(PROMPTLY_SECONDS)

            assert time.monotonic() - began < AT_ONCE_SECONDS
            assert code == 1
            assert server.stray_lines() == []
        assert (await waiting).code is grpc.StatusCode.UNAVAILABLE
    assert record.faults_of(database) == []


async def test_sigterm_without_load_ends_in_order(database: Path) -> None:
    async with running(database, *LONG_GRACE) as server:
        async with stub_for(server.address) as stub:
            await stub.CreateBudget(new_budget())

        await assert_ends_promptly(server)

    assert not database.with_name(f"{database.name}-wal").exists(), "the last one to close the file empties its log"


async def assert_ends_promptly(server: ServerProcess) -> float:
    """Ask a server to end; it does, in time and in order. Returns how long it took, in seconds."""
    began = time.monotonic()
    server.terminate()
    code = await server.ended(PROMPTLY_SECONDS)

    assert code == 0
    assert server.stray_lines() == []
    assert not [line for line in server.lines if '"level": "info"' not in line]
    return time.monotonic() - began


async def charged(
    call: "grpc.aio.UnaryUnaryCall[cost_pb.UpdateCostRequest, cost_pb.UpdateCostResponse]",
) -> cost_pb.UpdateCostResponse:
    return await call
