"""The clients against budgetd itself: sums are exact, whatever happens between them."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import assert_type

import pytest

from budgetd import AsyncBudgetClient, BudgetClient, error_of_item, errors, with_request_ids
from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.client.server_process import ServerProcess

PROJECT = "p"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """One server for all tests of this file that leave it running."""
    process = ServerProcess(tmp_path_factory.mktemp("server") / "ledger.db", has_http=True)
    yield process
    process.kill()


@pytest.fixture
def client(shared: ServerProcess) -> Iterator[BudgetClient]:
    """A client of it."""
    with BudgetClient(shared.address) as connected:
        yield connected


@pytest.fixture
def budget_id(client: BudgetClient, request: pytest.FixtureRequest) -> str:
    """A budget of the test's own."""
    name: str = request.node.name
    client.create_budget(service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id=name)))
    return name


def charge(budget_id: str, nano_usd: int = 1) -> cost_pb.UpdateCostRequest:
    return cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id=budget_id, cost_nano_usd=nano_usd)


def spent(client: BudgetClient, budget_id: str) -> int:
    request = cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=budget_id)
    return client.get_current_cost(request).current_cost_nano_usd


async def test_the_http_port_gives_an_error_that_says_so(shared: ServerProcess) -> None:
    address = f"127.0.0.1:{shared.http_port}"

    with (
        BudgetClient(address, connect_timeout_seconds=0.5) as client,
        pytest.raises(errors.ServerUnreachable) as caught,
    ):
        client.update_cost(charge("b"))
    async with AsyncBudgetClient(address, connect_timeout_seconds=0.5) as awaited:
        with pytest.raises(errors.ServerUnreachable) as awaited_caught:
            await awaited.update_cost(charge("b"))

    for each in (caught, awaited_caught):
        assert each.match(
            f"^{address} answers over HTTP, and budgetd is called over gRPC: this may be the server's HTTP"
        )
        assert each.match("write its gRPC port, by default 50051")


def test_what_is_charged_is_read_back(client: BudgetClient, budget_id: str) -> None:
    response = client.update_cost(charge(budget_id, 12_345))

    assert_type(response, cost_pb.UpdateCostResponse)
    assert response.cost_nano_usd == 12_345
    assert len(response.request_id) == 36
    assert spent(client, budget_id) == 12_345


async def test_the_awaited_client_does_the_same(shared: ServerProcess, client: BudgetClient, budget_id: str) -> None:
    async with AsyncBudgetClient(shared.address) as awaited:
        await asyncio.gather(*(awaited.update_cost(charge(budget_id)) for _ in range(100)))
        with pytest.raises(errors.NotFound):
            await awaited.update_cost(charge("nobody"))
        response = await awaited.get_budget(service.GetBudgetRequest(project_id=PROJECT, budget_id=budget_id))

    assert_type(response, service.GetBudgetResponse)
    assert response.budget.budget_id == budget_id
    assert spent(client, budget_id) == 100


def test_refusals_have_their_classes(client: BudgetClient, budget_id: str) -> None:
    with pytest.raises(errors.AlreadyExists):
        client.create_budget(service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id=budget_id)))
    with pytest.raises(errors.NoWindow):
        client.reset_on_duration(service.ResetOnDurationRequest(project_id=PROJECT, budget_id=budget_id))
    with pytest.raises(errors.InvalidRequest) as caught:
        client.update_cost(cost_pb.UpdateCostRequest(project_id=PROJECT, cost_nano_usd=-1))

    assert {"budget_id", "cost_nano_usd"} <= {violation.field for violation in caught.value.field_violations}


def test_a_refused_item_of_a_batch_raises_nothing_and_has_its_error(client: BudgetClient, budget_id: str) -> None:
    items = [charge(budget_id), charge("nobody"), charge(budget_id)]

    response = client.batch_update_cost(cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=items))

    assert [each.WhichOneof("outcome") for each in response.results] == ["charged", "error", "charged"]
    assert type(error_of_item(response.results[1].error)) is errors.NotFound
    assert spent(client, budget_id) == 2


def test_a_batch_sent_again_with_its_ids_is_counted_once(client: BudgetClient, budget_id: str) -> None:
    batch = cost_pb.BatchUpdateCostRequest(project_id=PROJECT, requests=[charge(budget_id)] * 10)
    batch = with_request_ids(batch)

    first, second = client.batch_update_cost(batch), client.batch_update_cost(batch)

    assert not any(each.charged.replayed for each in first.results)
    assert all(each.charged.replayed for each in second.results)
    assert spent(client, budget_id) == 10


def test_threads_lose_nothing(client: BudgetClient, budget_id: str) -> None:
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: client.update_cost(charge(budget_id)), range(400)))

    assert spent(client, budget_id) == 400


FORKING = """
import os, sys
from budgetd import BudgetClient
from budgetd.address import parse_address
from budgetd.transport.channel import Endpoint, GrpcTransport
from budgetd.v1.cost_pb2 import UpdateCostRequest

def sleep(seconds):
    # A retry would hide that a child uses its parent's connection.
    print("an attempt failed")
    sys.stdout.flush()
    os._exit(1)

endpoint = Endpoint(address=parse_address(sys.argv[1]), credentials=None, metadata=(), connect_timeout_seconds=60)
client = BudgetClient.over(GrpcTransport(endpoint), sleep=sleep)
request = UpdateCostRequest(project_id="p", budget_id=sys.argv[2], cost_nano_usd=1)
def charge_ten_times():
    for _ in range(10):
        client.update_cost(request)

charge_ten_times()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        charge_ten_times()
        if os.fork() == 0:
            charge_ten_times()
            client.close()
            os._exit(0)
        os._exit(os.waitstatus_to_exitcode(os.wait()[1]))
    children.append(child)
    charge_ten_times()
codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
charge_ten_times()
client.close()
print(codes)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_client_that_has_been_used_serves_the_children_of_fork_and_their_children(
    shared: ServerProcess, client: BudgetClient, budget_id: str
) -> None:
    command = [sys.executable, "-c", FORKING, shared.address, budget_id]

    run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=150)

    assert (run.stdout, run.returncode) == ("[0, 0, 0, 0]\n", 0), run.stderr
    assert spent(client, budget_id) == 10 + 4 * (10 + 10 + 10) + 10


def test_a_server_killed_under_load_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    process = ServerProcess(tmp_path / "ledger.db")
    half_done = threading.Event()

    with BudgetClient(process.address, timeout_seconds=60) as client, ThreadPoolExecutor(8) as threads:
        client.create_budget(service.CreateBudgetRequest(budget=pb.Budget(project_id=PROJECT, budget_id="b")))

        def charge_once(number: int) -> None:
            client.update_cost(charge("b"))
            if number == 200:
                half_done.set()

        charges = [threads.submit(charge_once, number) for number in range(400)]
        half_done.wait(60)
        process.kill()
        process.restart()
        for each in charges:
            each.result()

        assert spent(client, "b") == 400
    process.kill()
