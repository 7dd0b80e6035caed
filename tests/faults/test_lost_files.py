"""A file that is deleted, replaced, linked or migrated under a running server: nothing is acknowledged after it."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2

from budgetd_server.ledger.sqlite.migrations import newest_version
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.faults.calls import (
    Refusal,
    channel_to,
    charge,
    eventually,
    health_turns,
    new_budget,
    refusal_of,
    stub_for,
    stub_on,
)
from tests.faults.checker import Record
from tests.faults.server_process import ServerProcess, planted, run_to_end, running
from tests.ledger.lost_files import Fault, delete, leave_link, link, move, replace

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CLIENTS = 16
NO_PORTS = ("--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0")


FAULTS = [
    pytest.param(delete, "cannot be found any more", id="deleted"),
    pytest.param(move, "cannot be found any more", id="moved"),
    pytest.param(replace, "was replaced by another file", id="replaced"),
    pytest.param(link, "has 2 hard links", id="linked"),
    pytest.param(leave_link, "was replaced by a symbolic link", id="renamed, with a link left"),
]


class Load:
    """Clients that charge, before and after a fault."""

    def __init__(self) -> None:
        self.record = Record()
        self.is_over = False
        self.progress = asyncio.Event()
        #: Of calls that began after the fault: how many were acknowledged, and the errors of the others.
        self.late_acknowledged = 0
        self.late_refusals: list[Refusal] = []

    async def client(self, address: str, name: int) -> None:
        """Charge until five calls that began after the fault have ended."""
        late = number = 0
        async with stub_for(address) as stub:
            while late < 5:
                is_late = self.is_over
                late += is_late
                number += 1
                request_id = f"{name}-{number}"
                self.record.send(request_id, 1_000)
                try:
                    answer = await stub.UpdateCost(charge(request_id, 1_000), timeout=30)
                except grpc.aio.AioRpcError as error:
                    if is_late:
                        self.late_refusals.append(Refusal(error))
                else:
                    self.record.acknowledge(request_id, answer.entry_id)
                    self.late_acknowledged += is_late
                    self.progress.set()

    async def until(self, acknowledged: int) -> None:
        """Return when so many charges have been acknowledged."""
        while len(self.record.acknowledged) < acknowledged:
            self.progress.clear()
            await self.progress.wait()


async def loaded(server: ServerProcess, database: Path, fault: Fault) -> Load:
    """Let a fault happen to the file of a server that many clients charge at."""
    load = Load()
    async with stub_for(server.address) as stub:
        await stub.CreateBudget(new_budget(), wait_for_ready=True)
    async with asyncio.TaskGroup() as clients:
        for name in range(CLIENTS):
            clients.create_task(load.client(server.address, name))
        await load.until(acknowledged=200)
        fault(database)
        load.is_over = True
    return load


@pytest.mark.parametrize(("fault", "words"), FAULTS)
async def test_nothing_is_acknowledged_after_a_fault_of_the_file_under_load(
    database: Path, fault: Fault, words: str
) -> None:
    async with running(database) as server, channel_to(server.address) as channel:
        turns = health_turns(channel)
        assert await anext(turns) == SERVING

        load = await loaded(server, database, fault)

        assert load.late_acknowledged == 0
        assert len(load.late_refusals) == 5 * CLIENTS
        assert {(logged.code, logged.reason) for logged in load.late_refusals} == {
            (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        }
        assert await anext(turns) == NOT_SERVING
        assert await asyncio.to_thread(readiness, server) == 503
        logged = [line for line in server.lines if "so all calls fail" in line]
        assert len(logged) == 1
        assert str(database) in logged[0]
        assert words in logged[0]
        server.terminate()
        assert await server.ended() == 0
        assert not server.stray_lines()
    if fault is link:
        assert load.record.faults_of(database) == []


async def test_what_was_acknowledged_is_in_the_file_that_was_moved_with_its_log(database: Path) -> None:
    async with running(database) as server:
        load = await loaded(server, database, move)
        server.kill()
        await server.ended()

    database.with_name("moved.db").rename(database)
    assert load.record.faults_of(database) == []


async def test_a_server_that_does_not_look_is_caught(database: Path) -> None:
    async with running(database, program=planted("planted_no_guard")) as server:
        load = await loaded(server, database, delete)

    assert load.late_acknowledged > 0


async def test_no_second_server_starts_under_another_name_and_the_first_serves_on_under_its_own(database: Path) -> None:
    record = Record()
    async with running(database) as server, stub_for(server.address) as stub:
        await stub.CreateBudget(new_budget())
        await acknowledged(stub, record, "before")
        leave_link(database)

        code, _, errors = await run_to_end("serve", "--database", str(database), *NO_PORTS)
        record.send("after", 1_000)
        refusal = await refusal_of(stub.UpdateCost(charge("after", 1_000)))
        database.with_name("real.db").replace(database)
        await eventually(lambda: acknowledged(stub, record, "after"))

    assert (code, errors.count("\n")) == (2, 1)
    assert f"{database} is in use by another program, and was last used in this folder, under the name" in errors
    assert refusal.reason == "STORE_UNAVAILABLE"
    assert record.faults_of(database) == []


async def test_a_file_that_was_renamed_without_its_log_is_whole_once_the_log_has_its_name(database: Path) -> None:
    record, renamed = Record(), database.with_name("renamed.db")
    async with running(database) as server, stub_for(server.address) as stub:
        await stub.CreateBudget(new_budget())
        await acknowledged(stub, record, "before")
        server.kill()
        await server.ended()
    database.rename(renamed)

    code, _, errors = await run_to_end("serve", "--database", str(renamed), *NO_PORTS)
    database.with_name(f"{database.name}-wal").rename(f"{renamed}-wal")
    async with running(renamed) as server, stub_for(server.address) as stub:
        await acknowledged(stub, record, "after")

    assert (code, errors.count("\n")) == (2, 1)
    assert f"was renamed from {database.name} without its log" in errors
    assert f"rename that log to {renamed.name}-wal" in errors
    assert record.faults_of(renamed) == []


async def test_servers_that_follow_links_and_do_not_claim_their_name_lose_charges_and_are_caught(
    database: Path,
) -> None:
    record = Record()
    async with running(database, program=planted("planted_two_names")) as first:
        async with stub_for(first.address) as stub:
            await stub.CreateBudget(new_budget())
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # So that both know the budget.
        leave_link(database)
        async with running(database, program=planted("planted_two_names")) as second:
            for server in (first, second):
                async with stub_for(server.address) as stub:
                    for number in range(20):
                        await acknowledged(stub, record, f"{server.pid}-{number}")
            for server in (second, first):
                server.terminate()
                assert await server.ended() == 0

    assert len(record.acknowledged) == 40
    assert verify_file(database.resolve()).deviations == [], "no count is wrong: whole charges are missing"
    assert record.faults_of(database.resolve())


async def acknowledged(stub: "BudgetServiceAsyncStub", record: Record, request_id: str) -> None:
    """Charge, and write down what was acknowledged."""
    record.send(request_id, 1_000)
    record.acknowledge(request_id, (await stub.UpdateCost(charge(request_id, 1_000))).entry_id)


@pytest.mark.parametrize("fault", [pytest.param(delete, id="deleted"), pytest.param(link, id="linked")])
async def test_an_idle_server_notices_by_itself(database: Path, fault: Fault, figure: Callable[[str], None]) -> None:
    async with running(database) as server, channel_to(server.address) as channel:
        turns = health_turns(channel)
        assert await anext(turns) == SERVING

        fault(database)
        began = time.monotonic()

        assert await anext(turns) == NOT_SERVING
        figure(f"noticed after {time.monotonic() - began:.2f} s")


async def test_no_second_server_starts_on_a_hard_link_and_the_first_serves_on_when_it_is_gone(database: Path) -> None:
    async with running(database) as server, channel_to(server.address) as channel:
        turns = health_turns(channel)
        assert await anext(turns) == SERVING
        link(database)
        second = database.with_name("link.db")

        code, _, errors = await run_to_end("serve", "--database", str(second), *NO_PORTS)
        assert await anext(turns) == NOT_SERVING
        second.unlink()
        assert await anext(turns) == SERVING
        await stub_on(channel).CreateBudget(new_budget())

    assert code == 2
    assert errors.startswith(f"budgetd: {second} has 2 hard links")
    assert errors.count("\n") == 1


async def test_a_server_whose_file_was_migrated_ends_with_one_line(database: Path) -> None:
    async with running(database) as server:
        with closing(sqlite3.connect(database)) as newer:
            newer.execute(f"PRAGMA user_version = {newest_version() + 1}")

        assert await server.ended() == 2

    (logged,) = [line for line in server.lines if "another budgetd has migrated it" in line]
    assert str(database) in logged
    assert not server.stray_lines()


def readiness(server: ServerProcess) -> int:
    """The status of /readyz."""
    try:
        with urlopen(f"http://127.0.0.1:{server.http_port}/readyz") as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
