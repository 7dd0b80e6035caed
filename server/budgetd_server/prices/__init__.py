"""Prices from files: the shipped catalogue, overridden by the operator's own files."""

from budgetd_server.prices.errors import PriceFileError
from budgetd_server.prices.loading import ReloadablePrices, load_prices

__all__ = ["PriceFileError", "ReloadablePrices", "load_prices"]
