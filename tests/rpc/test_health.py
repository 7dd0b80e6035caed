"""The health service: whether calls can succeed, for the server as a whole and for BudgetService by name."""

from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from budgetd.v1 import cost_pb2 as cost_pb
from budgetd_server.domain.errors import StoreUnavailable
from tests.engine.watched_ledger import WatchedLedger
from tests.rpc.conftest import Start
from tests.rpc.failures import failure
from tests.rpc.running_server import PATIENCE_SECONDS, PROJECT, LoopThread, RunningServer, Setup

NAMES = ["", "budgetd.v1.BudgetService"]
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def statuses(server: RunningServer) -> set[int]:
    """What the health service says of each name."""
    stub = health_pb2_grpc.HealthStub(server.channel)
    return {stub.Check(health_pb2.HealthCheckRequest(service=name)).status for name in NAMES}


@pytest.fixture
def watched(start: Start) -> tuple[RunningServer, WatchedLedger]:
    """A server over a ledger that can be held up."""
    ledgers: list[WatchedLedger] = []

    def wrap(ledger: Any) -> WatchedLedger:
        ledgers.append(WatchedLedger(ledger))
        return ledgers[0]

    return start(Setup(wrap=wrap)), ledgers[0]


def test_a_server_that_works_is_serving(server: RunningServer) -> None:
    assert statuses(server) == {SERVING}


def test_a_name_that_is_not_served_is_not_found(server: RunningServer) -> None:
    stub = health_pb2_grpc.HealthStub(server.channel)

    failed = failure(lambda: stub.Check(health_pb2.HealthCheckRequest(service="someone.Else")))

    assert failed.code is grpc.StatusCode.NOT_FOUND


def test_while_it_drains_a_server_is_not_serving_finishes_what_it_has_and_refuses_new_calls(
    watched: tuple[RunningServer, WatchedLedger], loop_thread: LoopThread
) -> None:
    server, ledger = watched
    server.create()
    server.loop.call(ledger.before_commit.close)
    update: Any = server.stub.UpdateCost
    call = update.future(cost_pb.UpdateCostRequest(project_id=PROJECT, budget_id="alice", cost_nano_usd=7))
    server.loop.run(ledger.before_commit.arrival())
    watch: Any = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(service=NAMES[1]))
    assert next(watch).status == SERVING

    stopping = loop_thread.begin(server.server.stop())
    assert next(watch).status == NOT_SERVING

    assert statuses(server) == {NOT_SERVING}
    refused = failure(lambda: server.charge(1))
    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    server.loop.call(ledger.before_commit.open)
    assert call.result(PATIENCE_SECONDS).cost_nano_usd == 7
    stopping.result(PATIENCE_SECONDS)
    watch.cancel()


def test_a_store_that_takes_no_writes_is_reported_to_every_watcher(
    watched: tuple[RunningServer, WatchedLedger],
) -> None:
    server, ledger = watched
    server.create()
    watch: Any = health_pb2_grpc.HealthStub(server.channel).Watch(health_pb2.HealthCheckRequest(service=NAMES[1]))
    assert next(watch).status == SERVING
    ledger.failures.append(StoreUnavailable("the store could not write (full)", metadata={"kind": "full"}))

    failure(lambda: server.charge(1))

    assert next(watch).status == NOT_SERVING
    server.charge(1)
    assert next(watch).status == SERVING
    watch.cancel()
