"""The keys of LiteLLM's price format: which price something, and which do not and why."""

import re
from typing import NamedTuple

#: Prices of tokens: the field of `Rates`.
TOKEN_RATE_BY_KEY = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h",
    "output_cost_per_reasoning_token": "reasoning",
    "input_cost_per_audio_token": "audio_input",
    "output_cost_per_audio_token": "audio_output",
    "cache_read_input_audio_token_cost": "cached_audio_input",
    "cache_read_input_image_token_cost": "cached_image_input",
    "explicit_cache_read_input_token_cost": "explicit_cached_input",
    "input_cost_per_image_token": "image_input",
    "output_cost_per_image_token": "image_output",
    "citation_cost_per_token": "citation",
}
#: Prices of what is no token. What they price depends on the model's mode too (see litellm_format).
COUNT_KEYS = frozenset(
    {
        "input_cost_per_image",
        "output_cost_per_image",
        "input_cost_per_pixel",
        "output_cost_per_pixel",
        "input_cost_per_second",
        "output_cost_per_second",
        "input_cost_per_audio_per_second",
        "input_cost_per_video_per_second",
        "output_cost_per_video_per_second",
        "input_cost_per_character",
        "input_cost_per_query",
        "ocr_cost_per_page",
        "ocr_cost_per_page_batches",
        "search_context_cost_per_query",
    }
)
#: Keys that change prices without being one.
RULE_KEYS = frozenset(
    {
        "mode",
        "off_peak_pricing",
        "provider_specific_entry",
        "tiered_pricing",
        "web_search_billing_unit",
        "fedramp_uplift_multiplier",
        "regional_endpoint_uplift_multiplier",
        "regional_processing_uplift_multiplier_eu",
        "regional_processing_uplift_multiplier_us",
    }
)
#: The service tiers that have prices of their own, and batches, by the end of the key.
SERVICE_TIERS = ("balanced", "flex", "priority", "ultrafast")
BATCH = "batches"
_SIZED = re.compile(r"output_cost_per_(image|second)_[0-9.]+[kKp]?")
_TOKEN_KEY = re.compile(
    rf"({'|'.join(sorted(TOKEN_RATE_BY_KEY, key=len, reverse=True))})"
    rf"(?:_above_([0-9]{{1,9}})(k?)_tokens)?(?:_({'|'.join((*SERVICE_TIERS, BATCH))}))?"
)

#: Every other key that tells a price, as a pattern, and why nothing is priced by it. docs/prices.md has this list.
NOT_PRICED: dict[str, str] = {
    r"input_cost_per_token_cache_hit": "the same price as cache_read_input_token_cost, under an older name",
    r"(input|output)_dbu_cost_per_token": "the same price as the one in USD, in Databricks' own unit",
    r".*_decisions": "the price of another call of the same model, which no usage tells apart",
    r".*_above_12hr.*": "cache writes kept for 12 hours: a usage tells those kept for five minutes and for an hour",
    r"cache_creation_input_audio_token_cost": "a usage does not tell audio among what is written to a cache",
    r".*_video_token(_batches)?": "a usage does not tell tokens of video; they are part of input or output",
    r"(input|output)_cost_per_(audio_per_second|character|image|video_per_second)_above_128k_tokens": "zero throughout",
    r"input_cost_per_video_per_second_above_(8|15)s_interval": "a usage does not tell into what pieces video was cut",
    r"output_cost_per_character": "zero throughout, or of models that have ended",
    r"output_cost_per_(image|second)_[0-9.]+[kKp]?": "a usage does not tell sizes; the price without one is charged, "
    "and none if a size is dearer",
    r"cost_per_second": "rent of a machine, whatever is called on it",
    r"input_cost_per_request": "of models that have ended",
    r"input_cost_per_text_message": "messages of a voice session, which a usage does not tell",
    r"annotation_cost_per_page(_batches)?": "a usage does not tell which pages were annotated",
    r"ocr_cost_per_credit": "credits, which a usage does not tell",
    r"code_interpreter_cost_per_session": "sessions, which a usage does not tell",
    r"google_maps_grounding_cost_per_query": "questions to a map, which a usage does not tell",
    r"guardrail_cost_per_unit": "units of a filter, which a usage does not tell",
    r"computer_use_(input|output)_cost_per_1k_tokens": "of assistants, which a usage does not tell",
    r"file_search_cost_per_(1k_calls|gb_per_day)": "searches in files, and rent of room for them",
    r"vector_store_cost_per_gb_per_day": "rent of room",
}
_NOT_PRICED = re.compile("|".join(f"(?:{pattern})" for pattern in NOT_PRICED))


class TokenKey(NamedTuple):
    """What a key says of the tokens that it prices."""

    #: The field of `Rates`.
    rate: str
    #: The request's input is longer than this. None: of any length.
    above_input_tokens: int | None
    #: A service tier, or BATCH; empty: the usual.
    served: str


def token_key(key: str) -> TokenKey | None:
    """What a key prices; None if that is not tokens."""
    found = _TOKEN_KEY.fullmatch(key)
    if found is None:
        return None
    above = int(found[2]) * (1000 if found[3] else 1) if found[2] else None
    return TokenKey(TOKEN_RATE_BY_KEY[found[1]], above, found[4] or "")


def is_sized(key: str) -> bool:
    """True: the price of an image or a second of video of a certain size."""
    return _SIZED.fullmatch(key) is not None


def prices(key: str) -> bool:
    """True: a price rests on this key, or is changed by it."""
    return key in COUNT_KEYS or key in RULE_KEYS or is_sized(key) or token_key(key) is not None


def is_price(key: str) -> bool:
    """True: by its name, the key tells a price, whether or not anything is priced by it."""
    return "cost" in key or "pricing" in key


def is_decided(key: str) -> bool:
    """True: a price rests on the key, or it is in the list of what is not priced."""
    return prices(key) or _NOT_PRICED.fullmatch(key) is not None
