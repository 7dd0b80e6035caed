"""A fast path for plain chat completions, which most answers are: they are read without asking every dialect.

It reads only what breaks no rule, exactly as `openai_chat` does. Anything else (an unknown field, a wrong type, a total
that is not the sum) is left to the dialects, which read, refuse or report it.
"""

from collections.abc import Mapping

from budgetd.usage.dialect import COUNT_MAX, Look
from budgetd.usage.fields import fields_of
from budgetd.usage.media import find_media
from budgetd.usage.openai_chat import PARTS
from budgetd.usage.recogniser import PLAIN, has_own_dialect
from budgetd.usage.totals import are_parts_inside

_COUNTS = {"prompt_tokens", "completion_tokens", "total_tokens"}
#: LiteLLM repeats the cached tokens of Anthropic's models outside the details.
_CACHE = {"cache_read_input_tokens", "cache_creation_input_tokens"}
_KEYS = PLAIN | _CACHE
TOP = {name: PARTS[name] for name in _COUNTS | _CACHE}
#: Parts that are not whole numbers, have a price that depends on the model, or must first be converted.
_NOT_PLAIN = {"audio_input_seconds", "_video_input", "_video_output", "_cached_read", "_cached_write"}
#: The count of each detail, by the name of its holder. Nested holders are left to the dialects.
DETAILS: dict[str, dict[str, str]] = {
    holder: {
        path.removeprefix(f"{holder}."): part
        for path, part in PARTS.items()
        if path.startswith(f"{holder}.") and path.count(".") == 1 and part not in _NOT_PLAIN
    }
    for holder in PLAIN - _COUNTS
}


def plain_counts(look: Look) -> dict[str, int] | None:
    """Return the neutral counts of a plain chat completion. Returns None if it is anything else.

    Raises:
        UsageValueError: Reading a field failed.
    """
    usage = look.usage
    if not usage.get("completion_tokens") or not usage.keys() <= _KEYS or has_own_dialect(look.model, look.provider):
        return None
    if usage.get("prompt_tokens") is None or usage.get("total_tokens") == 0:
        return None  # Incomplete, or a contradiction.
    counts: dict[str, int] = {}
    if not _keep(counts, usage, TOP):
        return None
    for holder, parts in DETAILS.items():
        holding = usage.get(holder)
        if holding is None:
            continue
        details = fields_of(holding, f"usage.{holder}")
        if details is None or not _keep(counts, details, parts):
            return None
    whole = counts.get("input_tokens", 0) + counts.get("output_tokens", 0)
    if counts.get("_total", whole) != whole or not are_parts_inside(counts) or find_media(look):
        return None
    return counts


def _keep(counts: dict[str, int], fields: Mapping[str, object], parts: Mapping[str, str]) -> bool:
    """Keep all counts of a holder. Returns False if the holder has anything that is not a known count."""
    for key, value in fields.items():
        if value is None:
            continue
        if type(value) is not int:
            if parts is TOP and key in DETAILS:
                continue
            return False
        if value:
            name = parts.get(key)
            if name is None or not 0 < value <= COUNT_MAX or counts.setdefault(name, value) != value:
                return False
    return True
