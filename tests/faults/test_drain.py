"""A drain under load: each caller is answered or receives UNAVAILABLE, which it retries; none receives CANCELLED."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import pytest

from budgetd import AsyncBudgetClient
from tests.faults.calls import Refusal, channel_to, charge, new_budget, stub_on
from tests.faults.checker import Record
from tests.faults.server_process import BUDGETD, planted, running

#: The number of answered calls before the server is asked to stop.
BEFORE = 200


async def test_callers_that_never_pause_hear_that_the_server_goes_and_nothing_else(database: Path) -> None:
    answers = await answers_during_a_drain(database, connections=4, callers_each=16)

    assert {code for code, _ in answers} == {"OK", "UNAVAILABLE"}
    assert answers["UNAVAILABLE", "SHUTTING_DOWN"] > answers["UNAVAILABLE", ""], (
        "most receive the reason, not a broken connection"
    )


async def test_a_server_that_lets_grpc_cancel_is_caught(database: Path) -> None:
    program = planted("planted_cancelling_stop")

    answers = await answers_during_a_drain(database, connections=4, callers_each=16, program=program)

    assert answers["CANCELLED", ""] > 0


async def test_our_client_goes_on_with_the_next_server_and_is_counted_once(database: Path) -> None:
    assert await faults_of_drains(database, drains=1, callers=16) == []


@pytest.mark.drill
async def test_64_callers_live_through_ten_drains(database: Path, figure: Callable[[str], None]) -> None:
    answers = Counter[tuple[str, str]]()
    for turn in range(10):
        shape = (1, 64) if turn % 2 else (64, 1)
        answers += await answers_during_a_drain(database, connections=shape[0], callers_each=shape[1], name=f"{turn}")

    assert {code for code, _ in answers} == {"OK", "UNAVAILABLE"}
    figure(", ".join(f"{count} times {code} {reason}".strip() for (code, reason), count in answers.most_common()))
    assert await faults_of_drains(database.with_name("drains.db"), drains=10, callers=64) == []


async def answers_during_a_drain(
    database: Path, *, connections: int, callers_each: int, program: Sequence[str] = BUDGETD, name: str = ""
) -> Counter[tuple[str, str]]:
    """The answers of callers, by code and reason, who sent the next charge at once until their server was gone."""
    answers = Counter[tuple[str, str]]()
    enough, connected = asyncio.Event(), asyncio.Barrier(connections)

    async with running(database, program=program) as server:

        async def call(channel: grpc.aio.Channel, caller: str) -> None:
            number = 0
            while True:
                number += 1
                try:
                    await stub_on(channel).UpdateCost(charge(f"{name}-{caller}-{number}", 1), timeout=30)
                    answers["OK", ""] += 1
                    if answers["OK", ""] >= BEFORE:
                        enough.set()
                except grpc.aio.AioRpcError as error:
                    heard = Refusal(error)
                    answers[heard.code.name, heard.reason] += 1
                    if not heard.reason:
                        return

        async def connection(number: int) -> None:
            async with channel_to(server.address) as channel:
                await stub_on(channel).CreateBudget(new_budget())
                await connected.wait()
                await asyncio.gather(*(call(channel, f"{number}-{caller}") for caller in range(callers_each)))

        calling = asyncio.gather(*(connection(number) for number in range(connections)))
        await enough.wait()
        server.terminate()
        await calling
        assert await server.ended() == 0
    return answers


async def faults_of_drains(database: Path, *, drains: int, callers: int) -> list[str]:
    """Our clients charge while one server follows another on a port; returns what contradicts their record."""
    record, is_over = Record(), asyncio.Event()
    async with running(database) as server:
        address = server.address
    async with AsyncBudgetClient(address, timeout_seconds=60, connect_timeout_seconds=30) as client:
        charging = asyncio.gather(*(_charge_until(is_over, client, record, f"{caller}") for caller in range(callers)))
        for drain in range(drains + 1):
            async with running(database, "--listen", address) as server:
                acknowledged = len(record.acknowledged)
                while len(record.acknowledged) < acknowledged + 2 * callers and not charging.done():
                    await asyncio.sleep(0.005)
                if drain == drains:
                    is_over.set()
                    await charging
                server.terminate()
                assert await server.ended() == 0
    return record.faults_of(database)


async def _charge_until(is_over: asyncio.Event, client: AsyncBudgetClient, record: Record, caller: str) -> None:
    await client.create_budget(new_budget())  # The same request id for all: it is made once.
    number = 0
    while not is_over.is_set():
        number += 1
        request = charge(f"{caller}-{number}", number)
        record.send(request.request_id, number)
        record.acknowledge(request.request_id, (await client.update_cost(request)).entry_id)
