"""The RPCs of prices: decode and check, look up, encode."""

from collections.abc import Callable

from budgetd.v1 import budget_service_pb2 as service
from budgetd_server.domain.pricing import Prices
from budgetd_server.rpc import read_requests
from budgetd_server.rpc.callers import RpcCaller
from budgetd_server.rpc.page_tokens import page_token
from budgetd_server.rpc.price_answers import model_price


class PriceHandlers:
    """One coroutine for each RPC about prices.

    Args:
        prices: What models cost.
        clock: Microseconds since the Unix epoch.
    """

    def __init__(self, prices: Prices, clock: Callable[[], int]) -> None:
        self._prices = prices
        self._clock = clock

    async def ListModelPrices(
        self, request: service.ListModelPricesRequest, caller: RpcCaller
    ) -> service.ListModelPricesResponse:
        begin, page_size = read_requests.parse_price_page(request)
        prefix, now_us = request.model_prefix, self._clock()
        names = [name for name in self._prices.models() if name >= begin and name.startswith(prefix)]
        return service.ListModelPricesResponse(
            prices=[model_price(self._prices.find(name, now_us)) for name in names[:page_size]],
            next_page_token=page_token(request, names[page_size] if len(names) > page_size else None),
            price_version=self._prices.version,
        )

    async def GetModelPrice(
        self, request: service.GetModelPriceRequest, caller: RpcCaller
    ) -> service.GetModelPriceResponse:
        price = self._prices.find(read_requests.parse_model_name(request), self._clock())
        return service.GetModelPriceResponse(price=model_price(price), price_version=self._prices.version)
