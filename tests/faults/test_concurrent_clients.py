"""Many clients on one budget at once, through one server or two: every charge is counted, and none twice."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.calls import cost_of, stub_for
from tests.faults.crowd import Crowd
from tests.faults.server_process import ServerProcess, running


async def test_the_sum_of_concurrent_charges_is_exact_even_if_each_is_sent_twice(database: Path) -> None:
    crowd = Crowd(clients=16, charges_each=10, copies=2)

    await charge_through_one_server(database, crowd)

    assert crowd.record.faults_of(database) == []
    assert crowd.replays == 160


@pytest.mark.drill
@pytest.mark.parametrize("copies", [pytest.param(1, id="each sent once"), pytest.param(2, id="each sent twice")])
async def test_64_clients_with_200_charges_each_come_to_the_exact_sum(
    database: Path, copies: int, figure: Callable[[str], None]
) -> None:
    crowd = Crowd(clients=64, charges_each=200, copies=copies)

    await charge_through_one_server(database, crowd)

    assert crowd.record.faults_of(database) == []
    assert len(crowd.record.acknowledged) == 12_800
    assert crowd.replays == 12_800 * (copies - 1)
    figure(f"worst latency {crowd.worst_seconds * 1000:.0f} ms")


async def test_two_servers_on_one_file_count_every_charge_once(database: Path) -> None:
    first, second = await charge_through_two_servers(database, clients=8, charges_each=20)

    assert first.refusals + second.refusals == []
    assert first.record.faults_of(database) == []


@pytest.mark.drill
async def test_two_servers_on_one_file_under_load_never_report_the_lock_to_a_client(
    database: Path, figure: Callable[[str], None]
) -> None:
    first, second = await charge_through_two_servers(database, clients=32, charges_each=200)

    assert first.refusals + second.refusals == []
    assert first.record.faults_of(database) == []
    assert len(first.record.acknowledged) == 12_800
    worst_seconds = max(first.worst_seconds, second.worst_seconds)
    figure(f"worst latency {worst_seconds * 1000:.0f} ms")


async def charge_through_one_server(database: Path, crowd: Crowd) -> None:
    async with running(database) as server:
        await crowd.charge_at(server.address)

        assert crowd.record.is_settled()
        assert await spent_at(server) == crowd.record.total_nano_usd()
        await end_in_order(server)


async def charge_through_two_servers(database: Path, *, clients: int, charges_each: int) -> tuple[Crowd, Crowd]:
    """Two crowds on one budget and in one record, each at a server of its own. A client that is refused gives up."""
    async with running(database) as first, running(database) as second:
        left = Crowd(clients=clients, charges_each=charges_each, name="left")
        right = Crowd(clients=clients, charges_each=charges_each, name="right", record=left.record)
        await asyncio.gather(left.charge_at(first.address), right.charge_at(second.address))

        assert await spent_at(first) == await spent_at(second) == left.record.total_nano_usd()
        await end_in_order(first)
        await end_in_order(second)
    return left, right


async def spent_at(server: ServerProcess) -> int:
    async with stub_for(server.address) as stub:
        return (await stub.GetCurrentCost(cost_of())).current_cost_nano_usd


async def end_in_order(server: ServerProcess) -> None:
    server.terminate()
    assert await server.ended() == 0
    assert not [line for line in server.lines if '"level": "info"' not in line]
