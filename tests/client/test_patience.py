"""No call takes longer than its timeout, however the server is gone; times are real, and the best of three counts."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from budgetd import AsyncBudgetClient, AsyncBudgetManager, BudgetClient, BudgetManager, errors
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from tests.client.fake_server import FakeServer

TIMEOUT_SECONDS = 0.4
#: What a call may take beyond its timeout.
MARGIN_SECONDS = 0.2
READ = service.GetBudgetRequest()
CHARGE = cost_pb.UpdateCostRequest()

#: Makes the server go, in its own way, and puts what is to be undone on the stack.
Loss = Callable[[FakeServer, ExitStack], None]


def refused(server: FakeServer, _: ExitStack) -> None:
    """The server no longer listens."""
    server.stop()


def black_hole(server: FakeServer, stack: ExitStack) -> None:
    """A listener accepts connections and never answers."""
    server.stop()
    stack.enter_context(socket.create_server(("127.0.0.1", server.port), reuse_port=False))


def hung(server: FakeServer, stack: ExitStack) -> None:
    """Calls are taken, and not answered."""
    server.may_answer.clear()
    stack.callback(server.may_answer.set)


def lost_in_mid_call(server: FakeServer, stack: ExitStack) -> None:
    """The call is taken, and then the server ends."""
    hung(server, stack)
    threading.Timer(TIMEOUT_SECONDS / 2, server.break_off).start()


LOSSES = pytest.mark.parametrize("loss", [refused, black_hole, hung, lost_in_mid_call])


def shortest_seconds(call: Callable[[], object]) -> float:
    """How long a call takes that fails because the server is gone, at the best of three times."""
    return min(_seconds(call) for _ in range(3))


def _seconds(call: Callable[[], object]) -> float:
    began = time.monotonic()
    with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
        call()
    return time.monotonic() - began


@LOSSES
def test_a_call_fails_within_its_timeout(server: FakeServer, loss: Loss) -> None:
    with ExitStack() as stack, BudgetClient(server.address, timeout_seconds=TIMEOUT_SECONDS) as client:
        client.get_budget(READ)
        loss(server, stack)

        for call in (lambda: client.get_budget(READ), lambda: client.update_cost(CHARGE)):
            assert shortest_seconds(call) <= TIMEOUT_SECONDS + MARGIN_SECONDS


@LOSSES
async def test_an_awaited_call_does_too(server: FakeServer, loss: Loss) -> None:
    async with AsyncBudgetClient(server.address, timeout_seconds=TIMEOUT_SECONDS) as client:
        await client.get_budget(READ)
        with ExitStack() as stack:
            loss(server, stack)
            taken = []
            for _ in range(3):
                began = time.monotonic()
                with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)):
                    await client.get_budget(READ)
                taken.append(time.monotonic() - began)

    assert min(taken) <= TIMEOUT_SECONDS + MARGIN_SECONDS


@LOSSES
def test_a_connected_manager_fails_within_its_timeout(server: FakeServer, loss: Loss) -> None:
    with (
        ExitStack() as stack,
        BudgetManager("p", "hosted", server.address, timeout_seconds=TIMEOUT_SECONDS) as manager,
    ):
        loss(server, stack)

        for call in (lambda: manager.get_current_cost("alice"), manager.get_users):
            assert shortest_seconds(call) <= TIMEOUT_SECONDS + MARGIN_SECONDS


def test_an_address_that_never_answers_is_reported_within_the_timeout() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        BudgetClient(f"127.0.0.1:{silent.getsockname()[1]}", timeout_seconds=TIMEOUT_SECONDS) as client,
    ):
        assert shortest_seconds(lambda: client.get_budget(READ)) <= TIMEOUT_SECONDS + MARGIN_SECONDS


def test_reads_of_a_server_are_given_less_time_than_changes_unless_a_timeout_is_set(server: FakeServer) -> None:
    with BudgetClient(server.address) as usual, BudgetClient(server.address, timeout_seconds=40) as patient:
        for client in (usual, patient):
            client.get_budget(READ)
            client.update_cost(CHARGE)

    left = [round(asked.seconds_left or 0, -1) if (asked.seconds_left or 0) > 7 else 5 for asked in server.asked]
    assert left == [5, 10, 40, 40]


@pytest.mark.parametrize("manager_class", [BudgetManager, AsyncBudgetManager])
@pytest.mark.parametrize("seconds", [0, -1, float("inf"), float("nan")])
def test_an_invalid_timeout_is_refused_by_name(
    manager_class: "type[BudgetManager | AsyncBudgetManager]", seconds: float
) -> None:
    with pytest.raises(ValueError, match="timeout_seconds must be a finite number above 0"):
        manager_class("p", "hosted", "127.0.0.1:1", timeout_seconds=seconds)


def test_the_awaited_manager_takes_the_timeout_too(server: FakeServer) -> None:
    async def asked() -> None:
        async with AsyncBudgetManager("p", "hosted", server.address, timeout_seconds=40) as manager:
            await manager.get_users()

    asyncio.run(asked())

    assert all(30 < (each.seconds_left or 0) < 41 for each in server.asked)
