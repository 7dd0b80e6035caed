"""The keys of LiteLLM's price format: which of them set prices, and which do not, with the reason."""

import re
from typing import NamedTuple

#: Keys of token prices, and the field of `Rates` that each sets.
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
#: Keys of other prices. What they price also depends on the model's mode (see litellm_format).
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
#: Keys that are not prices but change them.
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
#: The suffixes of keys for service tiers with their own prices, and for batches.
SERVICE_TIERS = ("balanced", "flex", "priority", "ultrafast")
BATCH = "batches"
_SIZED = re.compile(r"output_cost_per_(image|second)_[0-9.]+[kKp]?")
_TOKEN_KEY = re.compile(
    rf"({'|'.join(sorted(TOKEN_RATE_BY_KEY, key=len, reverse=True))})"
    rf"(?:_above_([0-9]{{1,9}})(k?)_tokens)?(?:_({'|'.join((*SERVICE_TIERS, BATCH))}))?"
)

#: Every other price key, as a pattern, and why it is not used. docs/prices.md has this list.
NOT_PRICED: dict[str, str] = {
    r"input_cost_per_token_cache_hit": "the same price as cache_read_input_token_cost, under an older name",
    r"(input|output)_dbu_cost_per_token": "the same price as the one in USD, in Databricks' own unit",
    r".*_decisions": "the price of another call of the same model, which a usage does not distinguish",
    r".*_above_12hr.*": "cache writes kept for 12 hours: a usage only has those kept for five minutes and for an hour",
    r"cache_creation_input_audio_token_cost": "a usage does not count audio that is written to a cache",
    r".*_video_token(_batches)?": "a usage does not count tokens of video; they are part of input or output",
    r"(input|output)_cost_per_(audio_per_second|character|image|video_per_second)_above_128k_tokens": "zero throughout",
    r"input_cost_per_video_per_second_above_(8|15)s_interval": "a usage does not say how a video was split",
    r"output_cost_per_character": "zero throughout, or of models that have ended",
    r"output_cost_per_(image|second)_[0-9.]+[kKp]?": "a usage has no sizes; the price without one is charged, "
    "and none if a size costs more",
    r"cost_per_second": "rent of a machine, independent of the calls",
    r"input_cost_per_request": "of models that have ended",
    r"input_cost_per_text_message": "messages of a voice session, which a usage does not count",
    r"annotation_cost_per_page(_batches)?": "a usage does not say which pages were annotated",
    r"ocr_cost_per_credit": "credits, which a usage does not count",
    r"code_interpreter_cost_per_session": "sessions, which a usage does not count",
    r"google_maps_grounding_cost_per_query": "questions to a map, which a usage does not count",
    r"guardrail_cost_per_unit": "units of a filter, which a usage does not count",
    r"computer_use_(input|output)_cost_per_1k_tokens": "of assistants, which a usage does not count",
    r"file_search_cost_per_(1k_calls|gb_per_day)": "searches in files, and rent of room for them",
    r"vector_store_cost_per_gb_per_day": "rent of room",
}


class TokenKey(NamedTuple):
    """What the key of a token price applies to."""

    #: The field of `Rates`.
    rate: str
    #: The price applies if the request has more input tokens than this; None for any length.
    above_input_tokens: int | None
    #: A service tier, or BATCH; empty for standard calls.
    served: str


def token_key(key: str) -> TokenKey | None:
    """Parse the key of a token price. Returns None for any other key."""
    found = _TOKEN_KEY.fullmatch(key)
    if found is None:
        return None
    above = int(found[2]) * (1000 if found[3] else 1) if found[2] else None
    return TokenKey(TOKEN_RATE_BY_KEY[found[1]], above, found[4] or "")


def is_sized(key: str) -> bool:
    """Whether the key is the price of an image or a second of video of a certain size."""
    return _SIZED.fullmatch(key) is not None


def prices(key: str) -> bool:
    """Whether the key sets or changes a price."""
    return key in COUNT_KEYS or key in RULE_KEYS or is_sized(key) or token_key(key) is not None


def is_price(key: str) -> bool:
    """Whether the key is a price by its name, used or not."""
    return "cost" in key or "pricing" in key
