"""Reads an entry of a price file in LiteLLM's format: USD per token, image, second; tiers as keys or as a list."""

import re
from collections.abc import Collection, Mapping
from typing import Any

from budgetd_server.prices import litellm_hours
from budgetd_server.prices.litellm_keys import BATCH, COUNT_KEYS, is_sized, token_key
from budgetd_server.prices.terms import (
    FACTOR_RULE,
    PER_TOKEN_EXPONENT,
    RATE_RULE,
    UNIT_RULE,
    USD_PER_UNIT_MAX,
    Changes,
    ReportFault,
    Terms,
    Variant,
    nano_usd_per_million,
    nano_usd_per_mtok,
    ratio,
)

_RANGE_RULE = "must be two numbers of input tokens, from and to"
_PLACES = {
    "regional_processing_uplift_multiplier_eu": "eu",
    "regional_processing_uplift_multiplier_us": "us",
    "fedramp_uplift_multiplier": "fedramp",
    "regional_endpoint_uplift_multiplier": "*",
}
_SIZE = re.compile(r"([0-9]{2,5})-?x-?([0-9]{2,5})")

#: Providers that bill the more expensive tier at the threshold itself, not only above it.
_INCLUSIVE_PROVIDERS = frozenset({"xai"})
_IMAGE_MODES = frozenset({"image_generation", "image_edit"})
#: The count that a key prices, for keys that exist in several sizes.
_VARYING = {"output_cost_per_image": "output_images", "output_cost_per_second": "video_milliseconds"}
#: The counts that are already paid for by the tokens of a call, by the model's mode.
_COVERED = {
    "rerank": frozenset({"queries"}),
    "audio_speech": frozenset({"characters", "audio_output_milliseconds"}),
    "audio_transcription": frozenset({"audio_input_milliseconds"}),
    "image_generation": frozenset({"input_images", "output_images"}),
    "image_edit": frozenset({"input_images", "output_images"}),
    "realtime": frozenset({"audio_input_milliseconds", "audio_output_milliseconds"}),
    "ocr": frozenset({"pages"}),
    "video_generation": frozenset({"video_milliseconds"}),
}


def parse_terms(entry: Mapping[str, Any], report: ReportFault, name: str = "") -> Terms:
    """Parse the terms of an entry.

    A zero is not a price: the format has zeros where a price is unknown, or where there is nothing to price.

    Args:
        entry: The keys of one model. Numbers are strings as written, or ints.
        report: Called for every key that breaks a rule; such a key is then ignored.
        name: The model's name, which contains the size of its images if they are priced per pixel.
    """
    provider, mode = _text(entry, "litellm_provider", report), _text(entry, "mode", report) or ""
    variants = _by_served(entry, report, is_inclusive=provider in _INCLUSIVE_PROVIDERS)
    counts = {
        key: rate for key in COUNT_KEYS & entry.keys() if (rate := _count_rate(entry, key, name, provider, report))
    }
    sized = _sized(entry, name, report)
    # If a size costs more than the price without a size, the size that was made is unknown, and no price is guessed.
    varying = {key for key, rate in counts.items() if sized.get(key, 0) > rate}
    rates = {**variants[""].rates, **_counted(mode, counts, varying)}
    if "free" in entry:
        if entry["free"] is not True or rates:
            report("free", entry["free"], "must be true, and then no price may be above 0")
        return Terms(provider=provider, is_free=True)
    tiers = variants[""].tiers
    if "tiered_pricing" in entry:
        listed = _listed_tiers(entry["tiered_pricing"], report)
        # The lowest tier of a list corresponds to the model's own rates in the other form.
        if listed:
            rates = {**listed[0][1], **rates}
            tiers += tuple(listed[1:])
    batch = variants[BATCH]
    if page := counts.get("ocr_cost_per_page_batches"):
        batch = Variant({**batch.rates, "page": page}, batch.tiers)
    return Terms(
        provider=provider,
        rates=_of_images(mode, rates),
        tiers=tiers or None,
        service_tiers={
            served: variant for served, variant in variants.items() if served not in ("", BATCH) and variant.rates
        },
        batch=batch if batch.rates else None,
        multipliers=_multipliers(entry, report) or None,
        off_peak=litellm_hours.parse_off_peak(entry["off_peak_pricing"], report)
        if "off_peak_pricing" in entry
        else None,
        searches_are_one=_searches_are_one(entry, provider),
        covered_counts=_COVERED.get(mode),
        varying_counts=frozenset(_VARYING[key] for key in varying),
    )


def _text(entry: Mapping[str, Any], key: str, report: ReportFault) -> str | None:
    written = entry.get(key)
    if written is not None and not isinstance(written, str):
        report(key, written, "must be text")
        return None
    return written


def _by_served(entry: Mapping[str, Any], report: ReportFault, *, is_inclusive: bool) -> dict[str, Variant]:
    """Parse the prices of tokens by service tier; "" has the standard prices, BATCH those of batches."""
    rates: dict[str, dict[str, int | None]] = {"": {}, BATCH: {}}
    tiers: dict[str, dict[int, dict[str, int | None]]] = {}
    for key, value in entry.items():
        found = token_key(key)
        if found is None or value is None:
            continue
        rate = nano_usd_per_mtok(value, PER_TOKEN_EXPONENT)
        if rate is None:
            report(key, value, f"{RATE_RULE}, written per token")
        elif rate > 0 and found.above_input_tokens is None:
            rates.setdefault(found.served, {})[found.rate] = rate
        elif rate > 0 and found.above_input_tokens is not None:
            above = found.above_input_tokens - is_inclusive
            tiers.setdefault(found.served, {}).setdefault(above, {})[found.rate] = rate
    return {
        served: Variant(rates.get(served, {}), tuple(tiers.get(served, {}).items()))
        for served in rates.keys() | tiers.keys()
    }


def _count_rate(entry: Mapping[str, Any], key: str, name: str, provider: str | None, report: ReportFault) -> int | None:
    value = entry[key]
    if key == "search_context_cost_per_query" and isinstance(value, dict):
        # A usage does not have the size of a search: use LiteLLM's default size.
        value = value.get(f"search_context_size_{'low' if provider == 'perplexity' else 'medium'}")
    if value is None:
        return None
    size = 1
    if key.endswith("_per_pixel"):
        found = _SIZE.search(name)
        if found is None:
            return None
        size = int(found[1]) * int(found[2])
    rate = nano_usd_per_million(value, PER_TOKEN_EXPONENT, most_usd=USD_PER_UNIT_MAX, times=size)
    if rate is None:
        report(key, value, UNIT_RULE)
    return rate


def _sized(entry: Mapping[str, Any], name: str, report: ReportFault) -> Mapping[str, int]:
    """Return the highest price of any size, by the key without the size."""
    sized: dict[str, int] = {}
    for key in filter(is_sized, entry):
        base = key.rpartition("_")[0]
        rate = _count_rate(entry, key, name, None, report)
        sized[base] = max(sized.get(base, 0), rate or 0)
    return sized


def _counted(mode: str, given: Mapping[str, int], varying: Collection[str]) -> dict[str, int]:
    """Return the rates of other things than tokens, by the field of `Rates`."""
    known = {key: rate for key, rate in given.items() if key not in varying}
    first = known.get
    rates = {
        "web_search": first("search_context_cost_per_query"),
        "output_image": first("output_cost_per_image"),
        "input_image": first("input_cost_per_image"),
        "video_second": first("output_cost_per_video_per_second") or first("input_cost_per_video_per_second"),
        "audio_input_second": first("input_cost_per_audio_per_second"),
        "character": first("input_cost_per_character"),
        "query": first("input_cost_per_query"),
        "page": first("ocr_cost_per_page"),
    }
    if mode in _IMAGE_MODES and "output_cost_per_image" not in given:
        # Some entries give the price of output images as that of input images.
        by_pixel = first("input_cost_per_pixel") or first("output_cost_per_pixel")
        rates["output_image"], rates["input_image"] = rates["input_image"] or by_pixel, None
    if mode == "audio_transcription":
        rates["audio_input_second"] = first("output_cost_per_second") or first("input_cost_per_second")
    elif mode == "realtime":
        rates["audio_input_second"] = first("input_cost_per_second")
        rates["audio_output_second"] = first("output_cost_per_second")
    elif mode == "audio_speech":
        rates["audio_output_second"] = first("output_cost_per_second")
    elif mode == "video_generation":
        rates["video_second"] = rates["video_second"] or first("output_cost_per_second")
    return {name: rate for name, rate in rates.items() if rate}


def _of_images(mode: str, rates: dict[str, Any]) -> dict[str, Any]:
    """If there is only one price of output tokens, of images or of all output, use it for both."""
    if "image_output" in rates:
        rates.setdefault("output", rates["image_output"])
    elif mode in _IMAGE_MODES and "output" in rates:
        rates["image_output"] = rates["output"]
    return rates


def _searches_are_one(entry: Mapping[str, Any], provider: str | None) -> bool:
    """Whether a prompt with searches is charged once, however many searches it makes, as for Google's older models."""
    is_google = provider == "gemini" or (provider or "").startswith("vertex_ai")
    return is_google and "anthropic" not in (provider or "") and entry.get("web_search_billing_unit") != "per_query"


def _multipliers(entry: Mapping[str, Any], report: ReportFault) -> dict[str, tuple[int, int]]:
    given: dict[str, object] = {place: entry[key] for key, place in _PLACES.items() if entry.get(key) is not None}
    specific = entry.get("provider_specific_entry")
    if isinstance(specific, dict):
        # It also has other switches, which are not prices.
        given |= {place: specific[place] for place in ("us", "eu", "fast") if place in specific}
    factors = {}
    for place, value in given.items():
        factor = ratio(value)
        if factor is None:
            report(f"multiplier of {place}", value, FACTOR_RULE)
        else:
            factors[place] = factor
    return factors


def _listed_tiers(tiers: object, report: ReportFault) -> list[tuple[int, Changes]]:
    if not isinstance(tiers, list):
        report("tiered_pricing", tiers, "must be a list")
        return []
    read: list[tuple[int, Changes]] = []
    for number, tier in enumerate(tiers):
        within = f"tiered_pricing[{number}]"
        if not isinstance(tier, dict):
            report(within, tier, "must be an object")
            continue
        if "max_results_range" in tier:  # Prices of a search by its number of results, which no usage has.
            continue
        above = _range_start(tier.get("range"))
        if above is None:
            report(f"{within}.range", tier.get("range"), _RANGE_RULE)
        else:
            rates = _by_served(
                tier, lambda *fault, within=within: report(f"{within}.{fault[0]}", *fault[1:]), is_inclusive=False
            )[""].rates
            # A rate that a listed tier leaves out is part of its own input and output; the tier below does not matter.
            nothing = (
                {"cached_input": None, "explicit_cached_input": None, "cache_write": None} if "input" in rates else {}
            )
            nothing |= {"reasoning": None} if "output" in rates else {}
            read.append((above, {**nothing, **rates}))
    return sorted(read, key=lambda tier: tier[0])


def _range_start(written: object) -> int | None:
    """Parse the number of input tokens above which a listed tier begins. Returns None if malformed."""
    if not isinstance(written, list) or len(written) != 2:
        return None
    try:
        # These are counts, but some files write them as floats, such as "256000.0".
        start = float(written[0])
    except (TypeError, ValueError):
        return None
    return int(start) if 0 <= start <= 10**12 and start == int(start) else None
