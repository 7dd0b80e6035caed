"""Reads the operator's own price file, in TOML: USD per million tokens."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from budgetd_server.prices.terms import PER_MTOK_EXPONENT, RATE_RULE, Report, Terms, nano_usd_per_mtok

RATE_BY_KEY = {
    "input_usd_per_mtok": "input",
    "output_usd_per_mtok": "output",
    "cached_input_usd_per_mtok": "cached_input",
    "cache_write_usd_per_mtok": "cache_write",
    "reasoning_usd_per_mtok": "reasoning",
}
_MODEL_KEYS = frozenset({"provider", "free", "tiers", "periods", *RATE_BY_KEY})
_TIER_KEYS = frozenset({"above_input_tokens", *RATE_BY_KEY})
_PERIOD_KEYS = frozenset({"from", "tiers", *RATE_BY_KEY})
_ABOVE_MAX = 10**9
_FROM_RULE = "must be a date such as 2026-12-01, or a time with its zone"


def terms_of(table: Mapping[str, Any], report: Report) -> Terms:
    """What a table `[models."name"]` says about its model.

    Args:
        table: Its keys. Decimal numbers are Decimals.
        report: Told of every key that breaks a rule; such a key is then left out.
    """
    _report_unknown(table, _MODEL_KEYS, "", report)
    provider = table.get("provider")
    if provider is not None and not isinstance(provider, str):
        report("provider", provider, "must be text")
        provider = None
    if "free" in table:
        if table["free"] is not True:
            report("free", table["free"], "must be true, or left out")
        if others := sorted(table.keys() - {"free", "provider"}):
            report(
                "free",
                table["free"],
                f"a free model has no prices, so it cannot have {', '.join(others)} too",
            )
        return Terms(provider=provider, is_free=True)
    periods = table.get("periods")
    return Terms(
        provider=provider,
        rates=_rates(table, "", report),
        tiers=_tiers(table, "", report),
        periods=None if periods is None else tuple(_periods(periods, report)),
    )


def rates_of(table: Mapping[str, Any], report: Report) -> Mapping[str, int]:
    """The rates of a table that has nothing else, such as `[fallback]`."""
    _report_unknown(table, frozenset(RATE_BY_KEY), "", report)
    return _rates(table, "", report)


def _report_unknown(table: Mapping[str, Any], known: frozenset[str], within: str, report: Report) -> None:
    for key in table:
        if key not in known:
            report(within + key, table[key], f"is no key of a price file; there are {', '.join(sorted(known))}")


def _rates(table: Mapping[str, Any], within: str, report: Report) -> dict[str, int]:
    rates = {}
    for key, name in RATE_BY_KEY.items():
        if key in table:
            rate = nano_usd_per_mtok(table[key], PER_MTOK_EXPONENT)
            if rate is None:
                report(within + key, table[key], RATE_RULE)
            elif rate == 0 and name == "input":
                report(within + key, table[key], "must be above 0; a model that costs nothing says free = true")
            else:
                rates[name] = rate
    return rates


def _tiers(table: Mapping[str, Any], within: str, report: Report) -> tuple[tuple[int, Mapping[str, int]], ...] | None:
    if "tiers" not in table:
        return None
    tiers: dict[int, Mapping[str, int]] = {}
    for path, tier in _tables(table["tiers"], f"{within}tiers", report):
        _report_unknown(tier, _TIER_KEYS, f"{path}.", report)
        above = tier.get("above_input_tokens")
        if type(above) is not int or not 0 < above <= _ABOVE_MAX:
            report(f"{path}.above_input_tokens", above, f"must be a whole number from 1 to {_ABOVE_MAX}")
        elif above in tiers:
            report(f"{path}.above_input_tokens", above, "must differ from every other tier's")
        else:
            tiers[above] = _rates(tier, f"{path}.", report)
    return tuple(tiers.items())


def _periods(written: object, report: Report) -> list[tuple[int, Terms]]:
    periods: dict[int, Terms] = {}
    for path, period in _tables(written, "periods", report):
        _report_unknown(period, _PERIOD_KEYS, f"{path}.", report)
        from_at_us = _at_us(period.get("from"))
        terms = Terms(rates=_rates(period, f"{path}.", report), tiers=_tiers(period, f"{path}.", report))
        if from_at_us is None:
            report(f"{path}.from", period.get("from"), _FROM_RULE)
        elif from_at_us in periods:
            report(f"{path}.from", period.get("from"), "must differ from every other period's")
        else:
            periods[from_at_us] = terms
    return list(periods.items())


def _tables(written: object, path: str, report: Report) -> list[tuple[str, Mapping[str, Any]]]:
    """The tables of an array of tables, each with its path."""
    if not isinstance(written, list):
        report(path, written, "must be an array of tables")
        return []
    tables: list[tuple[str, Mapping[str, Any]]] = []
    for number, table in enumerate(written):
        if isinstance(table, dict):
            tables.append((f"{path}[{number}]", table))
        else:
            report(f"{path}[{number}]", table, "must be a table")
    return tables


def _at_us(written: object) -> int | None:
    """Microseconds since the Unix epoch of a date (its midnight, UTC) or a time with a zone; else None."""
    if isinstance(written, str):
        try:
            written = datetime.fromisoformat(written) if len(written) > 10 else date.fromisoformat(written)
        except ValueError:
            return None
    if isinstance(written, datetime):
        if written.tzinfo is None:
            return None
        at = written
    elif isinstance(written, date):
        at = datetime(written.year, written.month, written.day, tzinfo=UTC)
    else:
        return None
    since_epoch = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (since_epoch.days * 86_400 + since_epoch.seconds) * 10**6 + since_epoch.microseconds
