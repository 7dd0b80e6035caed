"""How drills call a server: connections, requests, and the details of errors."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from budgetd.v1 import budget_pb2 as pb
from budgetd.v1 import budget_service_pb2 as service
from budgetd.v1 import cost_pb2 as cost_pb
from budgetd.v1.budget_service_pb2_grpc import BudgetServiceStub

if TYPE_CHECKING:
    from budgetd.v1.budget_service_pb2_grpc import BudgetServiceAsyncStub

PROJECT = "drill"
BUDGET = "alice"
SERVICE_NAME = "budgetd.v1.BudgetService"
DAY_SECONDS = 86_400

DAILY = pb.Window(calendar=pb.CalendarWindow(unit=pb.CALENDAR_UNIT_DAY, time_zone="Europe/Berlin"))
#: A connection of its own for every channel, and a quick second try.
_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.enable_http_proxy", 0),
]


@asynccontextmanager
async def channel_to(address: str) -> AsyncIterator[grpc.aio.Channel]:
    """One connection, closed at the end."""
    async with grpc.aio.insecure_channel(address, options=_OPTIONS) as channel:
        yield channel


def stub_on(channel: grpc.aio.Channel) -> "BudgetServiceAsyncStub":
    """The generated stub, with the types of its asynchronous calls."""
    return cast("BudgetServiceAsyncStub", BudgetServiceStub(channel))


@asynccontextmanager
async def stub_for(address: str) -> AsyncIterator["BudgetServiceAsyncStub"]:
    """A stub on a connection of its own."""
    async with channel_to(address) as channel:
        yield stub_on(channel)


def fixed(*, length_seconds: int) -> pb.Window:
    """A window of one length, anchored at the epoch, so that its bounds are known."""
    window = pb.Window(fixed=pb.FixedWindow(length=Duration(seconds=length_seconds)))
    window.fixed.anchor_time.FromSeconds(0)
    return window


def new_budget(budget_id: str = BUDGET, *, window: pb.Window | None = None) -> service.CreateBudgetRequest:
    """A budget of a thousand dollars, in the window given; None: over its lifetime."""
    limit = pb.Limit(amount=10**12, window=window or pb.Window(lifetime=pb.LifetimeWindow()))
    budget = pb.Budget(project_id=PROJECT, budget_id=budget_id, limits=[limit])
    return service.CreateBudgetRequest(budget=budget, request_id=f"create-{budget_id}")


def charge(request_id: str, cost_nano_usd: int, budget_id: str = BUDGET) -> cost_pb.UpdateCostRequest:
    """A charge with a cost that the caller gives."""
    return cost_pb.UpdateCostRequest(
        project_id=PROJECT, budget_id=budget_id, model="m", cost_nano_usd=cost_nano_usd, request_id=request_id
    )


def cost_of(budget_id: str = BUDGET) -> cost_pb.GetCurrentCostRequest:
    """Asks what a budget has spent."""
    return cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=budget_id)


class Refusal:
    """The parts of an error that a caller receives."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        self.info = error_details_pb2.ErrorInfo()
        self.retry: error_details_pb2.RetryInfo | None = None
        #: Everything that crossed the wire, for tests that look for what must not.
        self.raw = repr(error.trailing_metadata()) + self.message
        for key, value in error.trailing_metadata():
            if key == "grpc-status-details-bin":
                for detail in status_pb2.Status.FromString(cast("bytes", value)).details:
                    self._take(detail.type_url.rpartition(".")[2], detail.value)

    @property
    def reason(self) -> str:
        """The machine-readable reason; empty: the error is not budgetd's own."""
        return str(self.info.reason)

    def _take(self, name: str, value: bytes) -> None:
        if name == "ErrorInfo":
            self.info = error_details_pb2.ErrorInfo.FromString(value)
        elif name == "RetryInfo":
            self.retry = error_details_pb2.RetryInfo.FromString(value)


async def refusal_of(call: Awaitable[object]) -> Refusal:
    """The error of a call that must fail."""
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return Refusal(error)
    raise AssertionError(f"the call was expected to fail, and answered {answer}")


async def eventually(send: Callable[[], Awaitable[object]]) -> None:
    """Send a request, under one id, until it is acknowledged: what a client does about UNAVAILABLE."""
    while True:
        try:
            await send()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
        else:
            return


async def health_turns(channel: grpc.aio.Channel, name: str = SERVICE_NAME) -> AsyncIterator[int]:
    """The health of a server now, and each change of it, as they come."""
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=name))
    async for answer in watch:
        yield answer.status
