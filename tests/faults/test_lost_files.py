"""A file that is deleted, replaced, linked or migrated under a running server: nothing is acknowledged after it."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import grpc
import pytest
from grpc_health.v1 import health_pb2

from budgetd_server.ledger.sqlite_migrations import newest_version
from budgetd_server.ledger.sqlite_verify import verify_file
from tests.faults.calls import Told, channel_to, charge, health_turns, new_budget, stub_for, stub_on
from tests.faults.checker import Record
from tests.faults.server_process import BUDGETD, ServerProcess, planted, run_to_end, running
from tests.ledger.lost_files import Fault, delete, leave_link, link, move, replace

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
CLIENTS = 16


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
        #: Of calls that began after the fault: how many were acknowledged, and what the others were told.
        self.late_acknowledged = 0
        self.late_told: list[Told] = []

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
                        self.late_told.append(Told(error))
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
        assert len(load.late_told) == 5 * CLIENTS
        assert {(told.code, told.reason) for told in load.late_told} == {
            (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
        }
        assert await anext(turns) == NOT_SERVING
        assert await asyncio.to_thread(readiness, server) == 503
        told = [line for line in server.lines if "nothing is acknowledged" in line]
        assert len(told) == 1
        assert str(database) in told[0]
        assert words in told[0]
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


async def charged_under_two_names(database: Path, *, program: Sequence[str]) -> tuple[Record, Mapping[str, int]]:
    """Charge at two servers, the second of which has the file under the name that it was given beneath the first."""
    record, acknowledged = Record(), dict.fromkeys(("first", "second"), 0)
    async with running(database) as server, stub_for(server.address) as stub:
        await stub.CreateBudget(new_budget())
        server.terminate()
        await server.ended()
    async with running(database, program=program) as first:
        leave_link(database)
        async with running(database, program=program) as second:
            for name, server in (("first", first), ("second", second)):
                async with stub_for(server.address) as stub:
                    for number in range(20):
                        record.send(f"{name}-{number}", 1_000)
                        try:
                            answer = await stub.UpdateCost(charge(f"{name}-{number}", 1_000))
                        except grpc.aio.AioRpcError:
                            continue
                        record.acknowledge(f"{name}-{number}", answer.entry_id)
                        acknowledged[name] += 1
            for server in (second, first):
                server.terminate()
                assert await server.ended() == 0
    return record, acknowledged


async def test_of_two_servers_on_one_file_under_two_names_only_the_one_with_its_log_acknowledges(
    database: Path,
) -> None:
    record, acknowledged = await charged_under_two_names(database, program=BUDGETD)

    assert acknowledged == {"first": 0, "second": 20}
    assert record.faults_of(database.resolve()) == []


async def test_a_server_that_follows_links_loses_what_it_acknowledges_and_is_caught(database: Path) -> None:
    record, acknowledged = await charged_under_two_names(database, program=planted("planted_following_links"))

    assert acknowledged == {"first": 20, "second": 20}
    assert verify_file(database).deviations == [], "no count is wrong: whole charges are missing"
    assert record.faults_of(database.resolve())


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

        options = ("--listen", "127.0.0.1:0", "--http-listen", "127.0.0.1:0")
        code, _, errors = await run_to_end("serve", "--database", str(second), *options)
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

    (told,) = [line for line in server.lines if "another budgetd has migrated it" in line]
    assert str(database) in told
    assert not server.stray_lines()


def readiness(server: ServerProcess) -> int:
    """The status of /readyz."""
    try:
        with urlopen(f"http://127.0.0.1:{server.http_port}/readyz") as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code
