"""Reads the cost that an answer reports, in this order of trust: LiteLLM's, then the provider's own.

A cost that the caller gives comes before both. A zero counts only if its source must know it: LiteLLM reports zero for
some models because it has no price for them. A cost above zero counts even if it rounds to zero.
"""

import sys
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import NamedTuple

from budgetd.usage.dialect import Dialect, Look, is_number
from budgetd.usage.errors import UsageTypeError, UsageValueError
from budgetd.usage.fields import get
from budgetd.usage.tools import models_of_agent
from budgetd.v1 import budget_pb2
from budgetd.values import parse_dollars

_HEADERS = ("llm_provider-x-litellm-response-cost", "x-litellm-response-cost")
#: Where an answer has the parts of a cost, and where it has their total.
_COST_PARTS, _COST_TOTAL = "cost.", "cost.total_cost"
_CURRENCIES = ("currency", "cost_currency", "cost.currency", "cost_details.currency")
_DOLLARS = {"", "usd", "$", "us$"}
_RATES = ("input_cost_per_token", "output_cost_per_token")


class ReportedCost(NamedTuple):
    """The cost of a call, and who reported it."""

    nano_usd: int
    source: "budget_pb2.CostSource.ValueType"


def cost_from_litellm(look: Look) -> ReportedCost | None:
    """Return the cost that LiteLLM reports: zero if the answer came from its cache, None if it reports none.

    Raises:
        UsageError: The reported cost is not an amount.
    """
    hidden = look.hidden
    if not hidden:
        return None
    if is_from_cache(look):
        return ReportedCost(0, budget_pb2.COST_SOURCE_GATEWAY)
    cost = get(hidden, "response_cost")
    if cost is not None:
        nano = _nano_usd(cost, "_hidden_params.response_cost")
        if cost or _is_price_zero(look):
            return ReportedCost(nano, budget_pb2.COST_SOURCE_GATEWAY)
    return _by_header(hidden)


def is_from_cache(look: Look) -> bool:
    """Return True for an answer that came from LiteLLM's cache.

    Raises:
        UsageTypeError: `cache_hit` is neither a bool nor the text of one.
    """
    hit = get(look.hidden, "cache_hit") if look.hidden else None
    if hit is None or hit is False or hit is True:
        return hit is True
    text = hit.lower() if isinstance(hit, str) else ""
    if text not in {"true", "false"}:
        raise UsageTypeError("_hidden_params.cache_hit", "must be true or false", hit)
    return text == "true"


def cost_from_provider(dialect: Dialect, look: Look, leaves: Mapping[str, object]) -> ReportedCost | None:
    """Return the cost that the provider reports in dollars. None if it reports none.

    Raises:
        UsageError: The reported cost is not an amount.
    """
    if _is_with_own_key(look):
        return _with_own_key(look)
    _check_cost_parts(leaves)
    for path, per_dollar in dialect.money.items():
        cost = leaves.get(path)
        if cost is None:
            continue
        _check_currency(leaves)
        nano = _nano_usd(cost, f"usage.{path}", per_dollar=per_dollar)
        if cost:
            return ReportedCost(nano, budget_pb2.COST_SOURCE_PROVIDER)
    if look.model.endswith(":free") and look.usage.get("cost") == 0:
        return ReportedCost(0, budget_pb2.COST_SOURCE_PROVIDER)
    return _of_agent(look)


def _of_agent(look: Look) -> ReportedCost | None:
    """Return the cost of all calls in a result of Claude's agents: its total, else the sum over models."""
    total = get(look.answer, "total_cost_usd") or 0
    nano = _nano_usd(total, "total_cost_usd")
    costs = {} if total else {name: get(used, "costUSD") for name, used in models_of_agent(look).items()}
    if all(costs.values()):  # If one model has no cost, the total is unknown.
        nano += sum(_nano_usd(cost, f"modelUsage.{name}.costUSD") for name, cost in costs.items())
    return ReportedCost(nano, budget_pb2.COST_SOURCE_PROVIDER) if total or (costs and all(costs.values())) else None


def _check_currency(leaves: Mapping[str, object]) -> None:
    """Refuse a cost in a currency other than dollars. Without a named currency, a cost is in dollars.

    Raises:
        UsageValueError: The cost is in another currency.
    """
    for path in _CURRENCIES:
        currency = leaves.get(path)
        if isinstance(currency, str) and currency.lower() not in _DOLLARS:
            rule = "must be USD: a cost in another currency is not charged; pass cost_usd= for it"
            raise UsageValueError(f"usage.{path}", rule, currency)


def _check_cost_parts(leaves: Mapping[str, object]) -> None:
    """Check that a cost in parts has a total, and that no part exceeds it.

    Raises:
        UsageValueError: The total is missing or too small.
    """
    costs = {path: value for path, value in leaves.items() if path.startswith(_COST_PARTS)}
    parts = {path: value for path, value in costs.items() if is_number(value) or path.endswith("_cost")}
    total = parts.pop(_COST_TOTAL, None)
    for path, value in parts.items():
        nano = _nano_usd(value, f"usage.{path}") if path.endswith("_cost") else 0
        if total is None or nano > _nano_usd(total, f"usage.{_COST_TOTAL}"):
            rule = f"must be there, and at least usage.{path} {value}: the whole cost is unknown; pass cost_usd="
            raise UsageValueError(f"usage.{_COST_TOTAL}", rule, total)


def _is_with_own_key(look: Look) -> bool:
    """Return True for a call through OpenRouter with the caller's own key.

    If no field says so, a cost of zero next to the provider's bill shows it: OpenRouter itself charged nothing.
    """
    is_own, cost = look.usage.get("is_byok"), look.usage.get("cost")
    if is_own is not None or not is_number(cost) or cost != 0:
        return is_own is True
    return bool(get(look.usage.get("cost_details"), "upstream_inference_cost"))


def _with_own_key(look: Look) -> ReportedCost | None:
    """Return the cost of a call through OpenRouter with the caller's own key: its fee plus the provider's bill."""
    fee, upstream = look.usage.get("cost"), get(look.usage.get("cost_details"), "upstream_inference_cost")
    if upstream is None:
        if not fee:
            return None
        rule = "must be there where is_byok is true: usage.cost is the fee alone; pass cost_usd= for the whole"
        raise UsageValueError("usage.cost_details.upstream_inference_cost", rule, None)
    nano = _nano_usd(fee or 0, "usage.cost") + _nano_usd(upstream, "usage.cost_details.upstream_inference_cost")
    return ReportedCost(nano, budget_pb2.COST_SOURCE_PROVIDER) if fee or upstream else None


def _by_header(hidden: object) -> ReportedCost | None:
    headers = get(hidden, "additional_headers")
    if not isinstance(headers, Mapping):
        return None
    for name in _HEADERS:
        text = headers.get(name)
        if text is not None:
            path = f"_hidden_params.additional_headers.{name}"
            try:
                cost = Decimal(text) if isinstance(text, str) else text
            except InvalidOperation:
                raise UsageTypeError(path, "must be a number of dollars", text) from None
            nano = _nano_usd(cost, path)
            if cost:
                return ReportedCost(nano, budget_pb2.COST_SOURCE_GATEWAY)
    return None


def _is_price_zero(look: Look) -> bool:
    """Return True if the program has loaded LiteLLM and given it a price of zero for this model.

    The answer alone does not show whether its zero is a price or a missing one.
    """
    table = getattr(sys.modules.get("litellm"), "model_cost", None)
    if not isinstance(table, Mapping):
        return False
    names = [get(look.hidden, "model_id"), get(look.hidden, "litellm_model_name"), get(look.answer, "model")]
    for name in names:
        row = table.get(name) if isinstance(name, str) else None
        if isinstance(row, Mapping) and any(row.get(rate) is not None for rate in _RATES):
            return all(row.get(rate) == 0 for rate in _RATES) and not _is_shipped(name)
    return False


def _is_shipped(name: object) -> bool:
    """Return True if the row is LiteLLM's own: its file also has zeros for unknown prices."""
    maps = getattr(sys.modules.get("litellm.litellm_core_utils.get_model_cost_map"), "GetModelCostMap", None)
    shipped: object = getattr(maps, "loaded_model_cost_map", dict)()
    row = get(shipped, str(name))
    return isinstance(row, Mapping) and all(row.get(rate) == 0 for rate in _RATES)


def _nano_usd(cost: object, path: str, *, per_dollar: int = 1) -> int:
    if per_dollar != 1 and isinstance(cost, int) and not isinstance(cost, bool):
        cost = Decimal(cost) / per_dollar
    try:
        return parse_dollars(cost, path)
    except TypeError:
        raise UsageTypeError(path, "must be a number of dollars", cost) from None
    except ValueError:
        raise UsageValueError(path, "must be a finite number of dollars from 0 to 1,000,000,000", cost) from None
