"""Reads an entry of a price file in LiteLLM's format: USD per token, tiers as keys or as a list."""

import re
from collections.abc import Mapping
from typing import Any

from budgetd_server.prices.terms import PER_TOKEN_EXPONENT, RATE_RULE, Report, Terms, nano_usd_per_mtok

RATE_BY_KEY = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "output_cost_per_reasoning_token": "reasoning",
}
TIER_KEY = re.compile(rf"({'|'.join(RATE_BY_KEY)})_above_([0-9]{{1,9}})(k?)_tokens")
_RANGE_RULE = "must be two numbers of input tokens, from and to"

#: Providers that bill the dearer tier at the threshold itself, not only above it.
_INCLUSIVE_PROVIDERS = frozenset({"xai"})


def terms_of(entry: Mapping[str, Any], report: Report) -> Terms:
    """What an entry says about its model.

    A zero is no price here: the format writes zeros where a price is not known, or where there is nothing to
    price.

    Args:
        entry: One model's keys. Numbers are strings as written, or ints.
        report: Told of every key that breaks a rule; such a key is then left out.
    """
    provider = entry.get("litellm_provider")
    if provider is not None and not isinstance(provider, str):
        report("litellm_provider", provider, "must be text")
        provider = None
    rates = _rates(entry, report)
    if "free" in entry:
        if entry["free"] is not True or rates:
            report("free", entry["free"], "must be true, and then no price may be above 0")
        return Terms(provider=provider, is_free=True)
    tiers = _tiers_by_key(entry, report, is_inclusive=provider in _INCLUSIVE_PROVIDERS)
    if "tiered_pricing" in entry:
        listed = _listed_tiers(entry["tiered_pricing"], report)
        # The lowest of a list is what the other form has as the model's own rates.
        if listed:
            rates = {**listed[0][1], **rates}
            tiers += tuple(listed[1:])
    return Terms(provider=provider, rates=rates, tiers=tiers or None)


def _rates(entry: Mapping[str, Any], report: Report, within: str = "") -> dict[str, int]:
    rates = {}
    for key, name in RATE_BY_KEY.items():
        if (value := entry.get(key)) is not None:
            rate = nano_usd_per_mtok(value, PER_TOKEN_EXPONENT)
            if rate is None:
                report(within + key, value, f"{RATE_RULE}, written per token")
            elif rate > 0:
                rates[name] = rate
    return rates


def _tiers_by_key(
    entry: Mapping[str, Any], report: Report, *, is_inclusive: bool
) -> tuple[tuple[int, Mapping[str, int]], ...]:
    tiers: dict[int, dict[str, int]] = {}
    for key, value in entry.items():
        found = TIER_KEY.fullmatch(key)
        if found is None or value is None:
            continue
        rate = nano_usd_per_mtok(value, PER_TOKEN_EXPONENT)
        if rate is None:
            report(key, value, f"{RATE_RULE}, written per token")
        elif rate > 0:
            above = int(found[2]) * (1000 if found[3] else 1) - is_inclusive
            tiers.setdefault(above, {})[RATE_BY_KEY[found[1]]] = rate
    return tuple(tiers.items())


def _listed_tiers(tiers: object, report: Report) -> list[tuple[int, Mapping[str, int]]]:
    if not isinstance(tiers, list):
        report("tiered_pricing", tiers, "must be a list")
        return []
    read: list[tuple[int, Mapping[str, int]]] = []
    for number, tier in enumerate(tiers):
        within = f"tiered_pricing[{number}]"
        if not isinstance(tier, dict):
            report(within, tier, "must be an object")
            continue
        above = _range_start(tier.get("range"))
        if above is None:
            report(f"{within}.range", tier.get("range"), _RANGE_RULE)
        else:
            read.append((above, _rates(tier, report, f"{within}.")))
    return sorted(read, key=lambda tier: tier[0])


def _range_start(written: object) -> int | None:
    """The input tokens above which a listed tier begins; None if they are not to be read."""
    if not isinstance(written, list) or len(written) != 2:
        return None
    try:
        # As written, "256000.0": these are counts, but some files have them as floats.
        start = float(written[0])
    except (TypeError, ValueError):
        return None
    return int(start) if 0 <= start <= 10**12 and start == int(start) else None
