"""The clients over gRPC: against a server with scripted answers, and against budgetd itself."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2

from budgetd import AsyncBudgetClient, BudgetClient, CallPolicy, errors
from budgetd.calls.rpc import UnaryRpc
from budgetd.calls.service import BudgetServiceRpcs
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.client.fake_server import SERVICE, FakeServer, Refusal, of_budgetd
from tests.client.scripted import grpc_transport

CHARGE = cost_pb.UpdateCostRequest(project_id="p", budget_id="b", cost_nano_usd=1)
RPCS = {rpc.name: (method, rpc) for method, rpc in vars(BudgetServiceRpcs).items() if isinstance(rpc, UnaryRpc)}


def test_the_clients_have_every_rpc_of_the_contract_with_its_messages() -> None:
    contract = {each.name: (each.input_type.full_name, each.output_type.full_name) for each in SERVICE.methods}
    ours = {
        name: (rpc.request_class.DESCRIPTOR.full_name, rpc.response_class.DESCRIPTOR.full_name)
        for name, (_, rpc) in RPCS.items()
    }

    assert ours == contract


def test_every_rpc_whose_request_can_have_an_id_changes_something_except_the_reading_of_entries() -> None:
    with_id = {each.name for each in SERVICE.methods if "request_id" in each.input_type.fields_by_name}

    changing = {name for name, (_, rpc) in RPCS.items() if rpc.changes}

    assert changing == with_id - {"ListEntries"} | {"BatchUpdateCost"}


@pytest.mark.parametrize("name", RPCS)
def test_every_method_reaches_its_rpc(server: FakeServer, name: str) -> None:
    method, rpc = RPCS[name]

    with BudgetClient(server.address) as client:
        response = getattr(client, method)(rpc.request_class())

    assert type(response) is rpc.response_class
    assert [asked.rpc for asked in server.asked] == [name]


async def test_every_awaited_method_reaches_its_rpc(server: FakeServer) -> None:
    async with AsyncBudgetClient(server.address) as client:
        responses = [await getattr(client, method)(rpc.request_class()) for method, rpc in RPCS.values()]

    assert [type(each) for each in responses] == [rpc.response_class for _, rpc in RPCS.values()]
    assert [asked.rpc for asked in server.asked] == list(RPCS)


def test_every_call_has_a_deadline(server: FakeServer) -> None:
    with BudgetClient(server.address) as client:
        client.update_cost(CHARGE)
        client.get_budget(service.GetBudgetRequest(), timeout_seconds=40)

    usual, own = [asked.seconds_left or 0 for asked in server.asked]
    # A timeout is rounded up on its way.
    assert 5 < usual < 11
    assert 30 < own < 41


def test_the_token_and_the_metadata_are_sent_with_every_call(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BUDGETD_TOKEN", "s3cret")
    monkeypatch.setenv("BUDGETD_ADDRESS", server.address)

    with BudgetClient(metadata={"x-team": "a"}) as client:
        client.update_cost(CHARGE)

    assert server.asked[0].metadata["authorization"] == "Bearer s3cret"
    assert server.asked[0].metadata["x-team"] == "a"


def test_a_proxy_of_the_environment_is_not_used_within_this_machine(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)

    with BudgetClient(server.address) as client:
        client.update_cost(CHARGE)

    assert len(server.asked) == 1


def test_an_unavailable_server_is_tried_again_under_the_same_request_id(server: FakeServer) -> None:
    wait = error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(nanos=1_000_000))
    full = of_budgetd(grpc.StatusCode.UNAVAILABLE, "QUEUE_FULL", wait)
    server.will_answer([full, Refusal(grpc.StatusCode.UNAVAILABLE, "no healthy upstream"), full])

    with BudgetClient(server.address) as client:
        client.update_cost(CHARGE)

    assert len(server.asked) == 4
    assert len({asked.request.request_id for asked in server.asked}) == 1


def test_a_server_that_went_away_is_waited_for_until_the_deadline(server: FakeServer) -> None:
    policy = CallPolicy(timeout_seconds=60.0, connect_timeout_seconds=0.001)
    started: list[FakeServer] = []
    starting = threading.Timer(0.2, lambda: started.append(FakeServer(server.port)))

    with BudgetClient.over(grpc_transport(server.address), policy) as client:
        client.update_cost(CHARGE)
        server.stop()
        starting.start()
        client.update_cost(CHARGE)

    starting.join()
    assert [asked.rpc for asked in started[0].asked] == ["UpdateCost"]
    started[0].stop()


@pytest.mark.parametrize("scheme", ["grpc", "grpcs"])
def test_an_address_without_a_server_gives_an_error_that_says_what_to_do(server: FakeServer, scheme: str) -> None:
    server.stop()

    with (
        BudgetClient(f"{scheme}://{server.address}", connect_timeout_seconds=0.1) as client,
        pytest.raises(errors.ServerUnreachable, match=f"no budgetd server answers at {server.address}: start one with"),
    ):
        client.update_cost(CHARGE)


async def test_the_awaited_client_says_the_same(server: FakeServer) -> None:
    server.stop()

    async with AsyncBudgetClient(server.address, connect_timeout_seconds=0.1) as client:
        with pytest.raises(errors.ServerUnreachable, match="BUDGETD_ADDRESS"):
            await client.update_cost(CHARGE)


def test_a_server_that_hangs_is_left_at_the_deadline(server: FakeServer) -> None:
    with BudgetClient(server.address) as client:
        client.update_cost(CHARGE)  # So that the deadline is not over before there is a connection.
        server.may_answer.clear()

        with pytest.raises(errors.DeadlineExceeded, match="unknown") as caught:
            client.update_cost(CHARGE, timeout_seconds=0.1)

    assert len(caught.value.request_id) == 36
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_message_that_is_too_big_is_no_exceeded_budget(server: FakeServer) -> None:
    huge = cost_pb.UpdateCostRequest(project_id="p" * (5 * 1024 * 1024))

    with BudgetClient(server.address) as client, pytest.raises(errors.CallFailed, match="4 MiB") as caught:
        client.update_cost(huge)

    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_threads_share_a_client(server: FakeServer) -> None:
    with BudgetClient(server.address) as client, ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: client.update_cost(CHARGE), range(400)))

    assert len({asked.request.request_id for asked in server.asked}) == 400


async def test_tasks_share_a_client(server: FakeServer) -> None:
    async with AsyncBudgetClient(server.address) as client:
        await asyncio.gather(*(client.update_cost(CHARGE) for _ in range(200)))

    assert len({asked.request.request_id for asked in server.asked}) == 200


def test_a_closed_client_makes_no_calls(server: FakeServer) -> None:
    client = BudgetClient(server.address)
    client.update_cost(CHARGE)

    client.close()
    client.close()

    with pytest.raises(RuntimeError, match="closed"):
        client.update_cost(CHARGE)


async def test_a_closed_awaited_client_makes_no_calls(server: FakeServer) -> None:
    client = AsyncBudgetClient(server.address)
    await client.update_cost(CHARGE)

    await client.close()
    await client.close()

    with pytest.raises(RuntimeError, match="closed"):
        await client.update_cost(CHARGE)


def test_a_client_that_was_never_used_closes() -> None:
    BudgetClient().close()
    asyncio.run(AsyncBudgetClient().close())


def test_a_client_of_a_loop_that_ended_serves_the_next_loop(server: FakeServer) -> None:
    client = AsyncBudgetClient(server.address)

    for _ in range(2):
        asyncio.run(client.call(BudgetServiceRpcs.update_cost, CHARGE))

    assert len(server.asked) == 2


async def test_a_client_is_not_shared_by_two_running_loops(server: FakeServer) -> None:
    async with AsyncBudgetClient(server.address) as client:
        await client.update_cost(CHARGE)

        def elsewhere() -> None:
            asyncio.run(client.call(BudgetServiceRpcs.update_cost, CHARGE))

        with pytest.raises(RuntimeError, match="another event loop"):
            await asyncio.to_thread(elsewhere)
