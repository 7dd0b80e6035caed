"""Peers that do not read their answers: memory stays bounded, they are disconnected, and no other caller waits."""

import asyncio
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from budgetd.v1 import budget_service_pb2 as service
from tests.faults.calls import PROJECT, charge, new_budget, stub_for
from tests.faults.server_process import BUDGETD, ServerProcess, planted, running
from tests.faults.silent_reader import SilentReader

MIB = 1 << 20
#: What one connection that never reads may cost, whatever it asks for.
GROWTH_MAX = 64 * MIB
CALLS = 300
#: Pages of 3 MiB that fit what one connection may have on its way.
PAGES = 4
PAGE = service.ListEntriesRequest(project_id=PROJECT, page_size=1_000)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


async def test_300_big_answers_that_are_never_read_cost_little_memory_and_delay_no_other_caller(database: Path) -> None:
    bounds = {"ROOM_SECONDS_MAX": 1.0, "UNREAD_SECONDS_MAX": 3.0}

    growth, server = await growth_by_unread_answers(database, program=planted("short_of_room"), bounds=bounds)

    assert growth <= GROWTH_MAX
    assert [line for line in server.lines if '"level": "error"' in line] == []
    assert [line for line in server.lines if "too slow has been cut off" in line]


async def test_answers_without_a_bound_are_caught(database: Path) -> None:
    bounds = {"CONNECTION_BYTES_MAX": 1 << 40, "ANSWERS_BYTES_MAX": 1 << 40, "UNREAD_SECONDS_MAX": 3.0}

    growth, _ = await growth_by_unread_answers(database, program=planted("short_of_room"), bounds=bounds)

    assert growth > GROWTH_MAX


@pytest.mark.drill
async def test_300_big_answers_under_the_bounds_that_are_shipped(database: Path, figure: Callable[[str], None]) -> None:
    growth, _ = await growth_by_unread_answers(database, program=BUDGETD, bounds={})

    assert growth <= GROWTH_MAX
    figure(f"{CALLS} pages of 3 MiB that were never read took {growth / MIB:.0f} MiB")


async def growth_by_unread_answers(
    database: Path, *, program: Sequence[str], bounds: dict[str, float]
) -> tuple[int, ServerProcess]:
    """By how many bytes a server grows at most while a peer that reads nothing asks for pages until it is cut off."""
    environment = {"ANSWER_ROOM": json.dumps(bounds)}
    async with running(database, program=program, environment=environment) as server, stub_for(server.address) as stub:
        await stub.CreateBudget(new_budget())
        labels = {f"{number:02}{'k' * 61}": "v" * 256 for number in range(64)}
        for number in range(170):
            request = charge(f"big-{number}", 1)
            request.labels.update(labels)
            await stub.UpdateCost(request)
        for _ in range(2):  # What one page takes is there before, and is not counted.
            assert (await stub.ListEntries(PAGE)).ByteSize() > 2.9 * MIB
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # The peak begins here.
        before = peak_bytes(server.pid)
        with SilentReader(server.address) as reader:
            for _ in range(CALLS):
                reader.call("ListEntries", PAGE.SerializeToString())
            number = 0
            while not reader.is_cut_off.is_set() and peak_bytes(server.pid) - before <= GROWTH_MAX:
                number += 1
                await stub.UpdateCost(charge(f"meanwhile-{number}", 1), timeout=60)
                await asyncio.sleep(0.05)
            growth = peak_bytes(server.pid) - before
            assert growth > GROWTH_MAX or len(reader.refused) == CALLS - PAGES
        server.terminate()
        assert await server.ended() == 0
        return growth, server


def peak_bytes(pid: int) -> int:
    """The most memory that a process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))
