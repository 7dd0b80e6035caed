"""Prices read from files: the shipped catalogue, and over it the operator's own."""

from budgetd_server.prices.errors import PriceFileError
from budgetd_server.prices.loading import ReloadablePrices, load_prices

__all__ = ["PriceFileError", "ReloadablePrices", "load_prices"]
