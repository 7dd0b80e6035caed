"""Reads the operator's own price file, in TOML: USD per million tokens, or per piece of anything else."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from budgetd_server.prices.faults import unknown_key
from budgetd_server.prices.terms import (
    FACTOR_RULE,
    PER_MTOK_EXPONENT,
    PER_TOKEN_EXPONENT,
    RATE_RULE,
    UNIT_RULE,
    USD_PER_UNIT_MAX,
    ReportFault,
    Terms,
    Variant,
    nano_usd_per_million,
    nano_usd_per_mtok,
    ratio,
)

#: Every field of `Rates` by its key. Keys without `per_mtok` have the price of one piece.
RATE_BY_KEY = {
    "input_usd_per_mtok": "input",
    "output_usd_per_mtok": "output",
    "cached_input_usd_per_mtok": "cached_input",
    "cache_write_usd_per_mtok": "cache_write",
    "reasoning_usd_per_mtok": "reasoning",
    "cache_write_1h_usd_per_mtok": "cache_write_1h",
    "audio_input_usd_per_mtok": "audio_input",
    "audio_output_usd_per_mtok": "audio_output",
    "cached_audio_input_usd_per_mtok": "cached_audio_input",
    "cached_image_input_usd_per_mtok": "cached_image_input",
    "explicit_cached_input_usd_per_mtok": "explicit_cached_input",
    "image_input_usd_per_mtok": "image_input",
    "image_output_usd_per_mtok": "image_output",
    "citation_usd_per_mtok": "citation",
    "web_search_usd": "web_search",
    "input_image_usd": "input_image",
    "output_image_usd": "output_image",
    "audio_input_second_usd": "audio_input_second",
    "audio_output_second_usd": "audio_output_second",
    "video_second_usd": "video_second",
    "character_usd": "character",
    "query_usd": "query",
    "page_usd": "page",
}
MODEL_KEYS = frozenset({"provider", "free", "tiers", "periods", "service_tiers", "batch", "places", *RATE_BY_KEY})
_SERVED_KEYS = frozenset({"tiers", *RATE_BY_KEY})
_TIER_KEYS = frozenset({"above_input_tokens", *RATE_BY_KEY})
_PERIOD_KEYS = frozenset({"from", "tiers", *RATE_BY_KEY})
_ABOVE_MAX = 10**9
_FROM_RULE = "must be a date such as 2026-12-01, or a time with its zone"


def parse_terms(table: Mapping[str, Any], report: ReportFault) -> Terms:
    """Parse a table `[models."name"]`.

    Args:
        table: The content of the table. Decimal numbers are Decimals.
        report: Called for every key that breaks a rule; such a key is then ignored.
    """
    _report_unknown(table, MODEL_KEYS, "", report)
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
    periods, served = table.get("periods"), _named(table, "service_tiers", report)
    return Terms(
        service_tiers={name: _variant(tier, f"service_tiers.{name}.", report) for name, tier in served.items()},
        batch=_variant(_table(table["batch"], "batch", report), "batch.", report) if "batch" in table else None,
        multipliers=_places(table, report) if "places" in table else None,
        provider=provider,
        rates=_rates(table, "", report),
        tiers=_tiers(table, "", report),
        periods=None if periods is None else tuple(_periods(periods, report)),
    )


def _table(written: object, path: str, report: ReportFault) -> Mapping[str, Any]:
    if isinstance(written, dict):
        return written
    report(path, written, "must be a table")
    return {}


def _named(table: Mapping[str, Any], key: str, report: ReportFault) -> dict[str, Mapping[str, Any]]:
    """Return the subtables of a table by their lower-case names."""
    tables = _table(table.get(key, {}), key, report)
    return {name.lower(): _table(written, f"{key}.{name}", report) for name, written in tables.items()}


def _variant(table: Mapping[str, Any], within: str, report: ReportFault) -> Variant:
    _report_unknown(table, _SERVED_KEYS, within, report)
    return Variant(_rates(table, within, report), _tiers(table, within, report) or ())


def _places(table: Mapping[str, Any], report: ReportFault) -> dict[str, tuple[int, int]]:
    factors = {}
    for place, written in _table(table["places"], "places", report).items():
        factor = ratio(written)
        if factor is None:
            report(f"places.{place}", written, FACTOR_RULE)
        else:
            factors[place.lower()] = factor
    return factors


def parse_rates(table: Mapping[str, Any], report: ReportFault) -> Mapping[str, int]:
    """Parse a table that has only rates, such as `[fallback]`."""
    _report_unknown(table, frozenset(RATE_BY_KEY), "", report)
    return _rates(table, "", report)


def _report_unknown(table: Mapping[str, Any], known: frozenset[str], within: str, report: ReportFault) -> None:
    for key in table:
        if key not in known:
            report(within + key, table[key], unknown_key(key, known))


def _rates(table: Mapping[str, Any], within: str, report: ReportFault) -> dict[str, int]:
    rates = {}
    for key, name in RATE_BY_KEY.items():
        if key in table:
            is_of_tokens = key.endswith("_per_mtok")
            rate = (
                nano_usd_per_mtok(table[key], PER_MTOK_EXPONENT)
                if is_of_tokens
                else nano_usd_per_million(table[key], PER_TOKEN_EXPONENT, most_usd=USD_PER_UNIT_MAX)
            )
            if rate is None:
                report(within + key, table[key], RATE_RULE if is_of_tokens else UNIT_RULE)
            elif rate == 0 and name == "input":
                report(within + key, table[key], "must be above 0; for a model that costs nothing, write free = true")
            else:
                rates[name] = rate
    return rates


def _tiers(
    table: Mapping[str, Any], within: str, report: ReportFault
) -> tuple[tuple[int, Mapping[str, int]], ...] | None:
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


def _periods(written: object, report: ReportFault) -> list[tuple[int, Terms]]:
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


def _tables(written: object, path: str, report: ReportFault) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the tables of an array of tables, each with its path."""
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
    """Parse a date (its midnight, UTC) or a time with a zone as microseconds since the Unix epoch, else None."""
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
