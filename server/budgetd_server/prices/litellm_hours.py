"""Reads `off_peak_pricing` of LiteLLM's price format: other rates at certain hours of certain days."""

import re
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from budgetd_server.domain.model_price import OffPeak
from budgetd_server.prices.litellm_keys import TOKEN_RATE_BY_KEY
from budgetd_server.prices.terms import PER_TOKEN_EXPONENT, RATE_RULE, ReportFault, nano_usd_per_mtok

_WINDOW = re.compile(r"([01][0-9]|2[0-4]):([0-5][0-9])-([01][0-9]|2[0-4]):([0-5][0-9])")
_WINDOW_RULE = "must be hours in UTC such as 16:30-00:30, or a list of them"
_DAYS_RULE = "must be a list of days, 1 (Monday) to 7"


def parse_off_peak(written: object, report: ReportFault) -> OffPeak | None:
    """Parse the off-peak rates. Returns None if they are malformed, and reports a fault."""
    key = "off_peak_pricing"
    if not isinstance(written, dict):
        report(key, written, "must be an object")
        return None
    rates = {}
    for name, rate_name in TOKEN_RATE_BY_KEY.items():
        if (value := written.get(name)) is not None:
            rate = nano_usd_per_mtok(value, PER_TOKEN_EXPONENT)
            if rate is None:
                report(f"{key}.{name}", value, f"{RATE_RULE}, written per token")
            else:
                rates[rate_name] = rate
    rules: list[tuple[frozenset[int] | None, object]] = []
    if "hours_utc" in written:
        rules.append((None, written["hours_utc"]))
    for rule in written.get("windows") or ():
        if isinstance(rule, dict):
            rules.append((_days(rule, report), rule.get("hours_utc")))
        else:
            report(f"{key}.windows", rule, "must be objects")
    windows = [(days, *minutes) for days, hours in rules for minutes in _minutes(hours, report)]
    return OffPeak(rates, tuple(windows), _zone(written, report))


def _zone(written: Mapping[str, Any], report: ReportFault) -> str:
    zone = written.get("weekday_timezone", "UTC")
    try:
        ZoneInfo(zone)
    except (ValueError, TypeError, OSError, KeyError):  # An unknown zone raises a KeyError.
        report("off_peak_pricing.weekday_timezone", zone, "must be a time zone of the IANA")
        return "UTC"
    return str(zone)


def _days(rule: Mapping[str, Any], report: ReportFault) -> frozenset[int] | None:
    days = rule.get("weekdays")
    if days is None:
        return None
    if isinstance(days, list) and all(type(day) is int and 1 <= day <= 7 for day in days):
        return frozenset(days)
    report("off_peak_pricing.windows.weekdays", days, _DAYS_RULE)
    return frozenset()


def _minutes(hours: object, report: ReportFault) -> list[tuple[int, int]]:
    read = []
    for window in hours if isinstance(hours, list) else [hours]:
        found = _WINDOW.fullmatch(window) if isinstance(window, str) else None
        if found is None:
            report("off_peak_pricing.hours_utc", window, _WINDOW_RULE)
        else:
            read.append(((int(found[1]) * 60 + int(found[2])) % 1440, (int(found[3]) * 60 + int(found[4])) % 1440))
    return read
