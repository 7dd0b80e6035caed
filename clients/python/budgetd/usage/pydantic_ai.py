"""Pydantic AI's usage: the input includes the cache and audio for all providers, as its classes document."""

from budgetd.usage import openai_responses
from budgetd.usage.dialect import COST_PARTS, Dialect, Look, Reading

_OF_DETAILS = "repeats what the provider counts, which the usage includes"


def _is_it(look: Look) -> bool:
    # Other forms have `cache_write_tokens`, too; only Pydantic AI's classes have all these names.
    return openai_responses.is_counted_so(look) and "cache_read_tokens" in look.usage


def _settle(reading: Reading) -> None:
    if reading.of("_requests") > 1:
        reading.leave_unpriced("requests")  # Whether the price for long input applies depends on each request.
    openai_responses.settle(reading)


DIALECT = Dialect(
    name="pydantic_ai",
    is_it=_is_it,
    parts={
        "input_tokens": "input_tokens",
        "output_tokens": "output_tokens",
        "total_tokens": "_total",
        "cache_read_tokens": "cached_input_tokens",
        "cache_write_tokens": "cache_write_tokens",
        "cache_write_1h_tokens": "cache_write_1h_tokens",
        "input_audio_tokens": "audio_input_tokens",
        "cache_audio_read_tokens": "cached_audio_input_tokens",
        "output_audio_tokens": "audio_output_tokens",
        "output_reasoning_tokens": "reasoning_tokens",
        "requests": "_requests",
    },
    harmless={
        **{
            f"details.{name}": _OF_DETAILS
            for name in (
                "accepted_prediction_tokens",
                "cache_creation_input_tokens",
                "cache_read_input_tokens",
                "cached_content_tokens",
                "input_tokens",
                "output_tokens",
                "reasoning_tokens",
                "rejected_prediction_tokens",
                "text_candidates_tokens",
                "text_prompt_tokens",
                "thoughts_tokens",
            )
        },
        "tool_calls": "is how often tools of the caller were called",
        **COST_PARTS,
    },
    settle=_settle,
)
