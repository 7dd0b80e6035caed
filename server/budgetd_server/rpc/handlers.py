"""The handlers of all RPCs, by their names in the contract.

A handler is a coroutine that takes a request and its caller and returns a response. It raises domain errors and does
not depend on gRPC, so that a client in the same process can call it without a socket.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.message import Message

from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.pricing import Prices
from budgetd_server.engine.engine import Engine
from budgetd_server.rpc.budgets import BudgetHandlers
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.cost_requests import CostRequests
from budgetd_server.rpc.costs import CostHandlers
from budgetd_server.rpc.entries import EntryHandlers
from budgetd_server.rpc.prices import PriceHandlers
from budgetd_server.rpc.reservations import ReservationHandlers
from budgetd_server.tokens import AsyncTokenCounter

SERVICE: ServiceDescriptor = service.DESCRIPTOR.services_by_name["BudgetService"]

Handler = Callable[[Any, RpcCaller], Awaitable[Message]]
Handlers = Mapping[str, Handler]


def handlers(engine: Engine, prices: Prices, tokens: AsyncTokenCounter) -> Handlers:
    """Create the handlers of all RPCs of `budgetd.v1.BudgetService`, by name."""
    costs = CostRequests(prices, tokens)
    families = (
        BudgetHandlers(engine, prices),
        CostHandlers(engine, prices, costs),
        EntryHandlers(engine),
        PriceHandlers(prices, engine.clock),
        ReservationHandlers(engine, prices, costs),
    )
    names = [method.name for method in SERVICE.methods]
    return {name: getattr(family, name) for name in names for family in families if hasattr(family, name)}
