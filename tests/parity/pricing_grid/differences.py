"""Where budgetd's price is not LiteLLM's: each reason with what LiteLLM's figure comes from, reckoned and compared."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from budgetd_server.domain.cost import whole_cost_nano_usd
from budgetd_server.domain.errors import UnpricedUsage
from budgetd_server.domain.model_price import ModelPrice, Rates, Schedule
from budgetd_server.domain.usage import NO_PARTS, Usage
from tests.parity.pricing_grid.cells import Cell

Entry = Mapping[str, Any]


class Reason(NamedTuple):
    """A difference that is meant."""

    name: str
    #: What LiteLLM's figure comes from, in nano-USD, by altering our price or the call; None: it is not this reason.
    derived: Callable[[str, Entry, ModelPrice, Cell], float | None]
    #: For docs/prices.md.
    why: str


def reason_of(
    name: str, entry: Entry, price: ModelPrice, cell: Cell, theirs_nano_usd: float, once: ModelPrice | None
) -> str | None:
    """The first reason that gives LiteLLM's figure to the nano-dollar; None: there is none, and that is a fault.

    Args:
        name: The model's.
        entry: Its row.
        price: Our price of it.
        cell: The call.
        theirs_nano_usd: LiteLLM's figure.
        once: The price of the model whose name has the provider once, if this one has it twice.
    """
    if once is not None and abs(_cost(once, cell) - theirs_nano_usd) <= 1:
        return TWICE
    for reason in REASONS:
        try:
            derived = reason.derived(name, entry, price, cell)
        except UnpricedUsage:
            continue
        if derived is not None and abs(derived - theirs_nano_usd) <= 1:
            return reason.name
    return None


def _cost(price: ModelPrice, cell: Cell, usage: Usage | None = None) -> int:
    return whole_cost_nano_usd(price, usage or cell.usage, cell.terms, at_us=cell.at_us)


_ZERO_KEYS = {
    "cache_read_input_token_cost": "cached_input",
    "cache_creation_input_token_cost": "cache_write",
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
}


def _with_zeros(price: ModelPrice, entry: Entry) -> ModelPrice | None:
    zeros = {rate: 0 for key, rate in _ZERO_KEYS.items() if not entry.get(key) and (key in entry or key in _BOTH)}
    zeros = {rate: 0 for rate in zeros if getattr(price.rates, rate) is None}
    if not zeros:
        return None
    batch = price.batch and Schedule(price.batch.rates._replace(**zeros), price.batch.tiers, price.batch.divisor)
    tiers = {
        name: Schedule(schedule.rates._replace(**zeros), schedule.tiers, schedule.divisor)
        for name, schedule in price.service_tiers.items()
    }
    return replace(price, rates=price.rates._replace(**zeros), batch=batch, service_tiers=tiers)


#: Keys that stand for zero even where they are missing, of a model that is sold by the token.
_BOTH = ("input_cost_per_token", "output_cost_per_token")


def _zero(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    altered = _with_zeros(price, entry)
    return None if altered is None else _cost(altered, cell)


def _perplexity(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if price.provider != "perplexity":
        return None
    return _cost(replace(price, tiers=()), cell)


def _perplexity_uncached(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if price.provider != "perplexity":
        return None
    return _cost(
        replace(price, tiers=()), cell, cell.usage._replace(cached_input_tokens=0, cache_write_tokens=0, parts=NO_PARTS)
    )


def _perplexity_read_alone(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if price.provider != "perplexity":
        return None
    return _cost(replace(price, tiers=()), cell, cell.usage._replace(cache_write_tokens=0, parts=NO_PARTS))


def _fireworks(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if price.provider != "fireworks_ai" or not cell.terms.service_tier:
        return None
    return _cost(price, cell._replace(terms=cell.terms._replace(service_tier="")))


def _batch(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    """LiteLLM's own rule of batches, which knows neither thoughts nor sound that is made."""
    if not cell.terms.is_batch:
        return None
    usage, nano = cell.usage, 10**9
    cached, written = usage.cached_input_tokens, usage.cache_write_tokens

    def of(key: str) -> float | None:
        above = [
            (start, float(entry[name]))
            for name in entry
            if name.startswith(f"{key}_above_") and name.endswith("_tokens_batches")
            for start in [int(name.removeprefix(f"{key}_above_").split("k_")[0]) * 1000]
            if usage.input_tokens > start
        ]
        return max(above)[1] if above else _float(entry, f"{key}_batches")

    def usual(key: str) -> float | None:
        above = [
            (start, float(entry[name]))
            for name in entry
            if name.startswith(f"{key}_above_") and name.endswith("k_tokens")
            for start in [int(name.removeprefix(f"{key}_above_").split("k_")[0]) * 1000]
            if usage.input_tokens > start
        ]
        return max(above)[1] if above else _float(entry, key)

    rate_in, rate_out = of("input_cost_per_token"), of("output_cost_per_token")
    half_in = (_float(entry, "input_cost_per_token") or 0.0) / 2
    if rate_out is None:
        rate_out = (_float(entry, "output_cost_per_token") or 0.0) / 2
    cost = usage.output_tokens * rate_out
    if rate_in is None:
        write = _float(entry, "cache_creation_input_token_cost")
        cost += (usage.input_tokens - cached - written) * half_in
        cost += cached * (_float(entry, "cache_read_input_token_cost") or 0.0) / 2
        cost += written * (half_in if write is None else write / 2)
        return cost * nano
    read, write = of("cache_read_input_token_cost"), of("cache_creation_input_token_cost")
    if read is None:
        read = usual("cache_read_input_token_cost")
    cost += (usage.input_tokens - cached - written) * rate_in
    cost += cached * (rate_in if read is None else read) + written * (rate_in if write is None else write)
    return cost * nano


def _batch_old(name: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    """The same of 1.106.2, for which what is read from a cache costs in a batch what all input does."""
    if not cell.terms.is_batch:
        return None
    usage = cell.usage._replace(input_tokens=cell.usage.input_tokens, cached_input_tokens=0)
    return _batch(name, entry, price, cell._replace(usage=usage))


def _one_search(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    parts = cell.usage.parts
    if parts.web_searches < 2:
        return None
    return _cost(price, cell, cell.usage._replace(parts=parts._replace(web_searches=1)))


def _cached_audio(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if not cell.usage.parts.cached_audio_input_tokens or price.rates.cached_input or price.rates.cached_audio_input:
        return None
    altered: Rates = price.rates._replace(cached_audio_input=price.rates.input)
    return _cost(replace(price, rates=altered), cell)


def _cached_images(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if not cell.usage.parts.cached_image_input_tokens or price.rates.cached_input or price.rates.cached_image_input:
        return None
    return _cost(replace(price, rates=price.rates._replace(cached_image_input=price.rates.input)), cell)


def _cached_images_old(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if not cell.usage.parts.cached_image_input_tokens or price.rates.cached_image_input is None:
        return None
    return _cost(replace(price, rates=price.rates._replace(cached_image_input=price.rates.cached_input)), cell)


def _cached_as_text(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    parts, rates = cell.usage.parts, price.rates
    if parts.cached_audio_input_tokens or parts.cached_image_input_tokens:
        return None
    text = rates.input if rates.cached_input is None else rates.cached_input
    return _cost(replace(price, rates=rates._replace(cached_audio_input=text, cached_image_input=text)), cell)


def _sized(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    parts = cell.usage.parts
    for key in ("output_cost_per_image", "output_cost_per_image_1K", "input_cost_per_image"):
        if parts.output_images and entry.get(key):
            return float(parts.output_images * entry[key] * 10**9)
    if parts.video_milliseconds and entry.get("output_cost_per_second"):
        return float(parts.video_milliseconds * entry["output_cost_per_second"] * 10**6)
    if parts.output_images and entry.get("input_cost_per_pixel"):
        return float(parts.output_images * 1024 * 1024 * entry["input_cost_per_pixel"] * 10**9)
    return None


def _fixed_search(name: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    return 5_000_000.0 if price.provider == "parallel_ai" and cell.usage.parts.queries else None


def _old_modality(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    """Audio of a tier at the usual price of audio, or at that of a text of the tier."""
    tier = cell.terms.service_tier
    if not cell.usage.parts.audio_input_tokens or tier not in price.service_tiers:
        return None
    schedule = price.service_tiers[tier]
    altered = Schedule(schedule.rates._replace(audio_input=price.rates.audio_input), schedule.tiers, schedule.divisor)
    return _cost(replace(price, service_tiers={tier: altered}), cell)


def _untiered(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    if price.provider != "bedrock_converse" or not cell.terms.service_tier:
        return None
    return _cost(price, cell._replace(terms=cell.terms._replace(service_tier="")))


def _free_writes(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    """A name without its provider is that of the row with it, which has a zero for cache writes."""
    if price.provider != "deepseek" or price.rates.cache_write is not None:
        return None
    return _cost(replace(price, rates=price.rates._replace(cache_write=0, cache_write_1h=0)), cell)


def _search_alone(_: str, entry: Entry, price: ModelPrice, cell: Cell) -> float | None:
    return 35_000_000.0 if cell.usage.parts.web_searches and price.provider == "gemini" else None


def _float(entry: Entry, key: str) -> float | None:
    value = entry.get(key)
    return None if value is None else float(value)


#: What the newest LiteLLM has fixed.
FIXED = frozenset(
    {
        "perplexity caches",
        "batches of 1.106.2",
        "searches of 1.106.2",
        "audio in a tier",
        "cached images of 1.106.2",
    }
)
#: The provider occurs twice in the name.
TWICE = "a provider twice"
WHY_TWICE = "LiteLLM has the price of perplexity/sonar for perplexity/perplexity/sonar, which has a row of its own"

REASONS: tuple[Reason, ...] = (
    Reason(
        "a zero in the file",
        _zero,
        "a zero, or no price at all, of input, output or a cache is free for LiteLLM; here cached and written tokens "
        "cost what input costs, and input or output without a price is refused",
    ),
    Reason("a zero of another row", _free_writes, "the same, of the row that has the provider before the name"),
    Reason("fireworks tiers", _fireworks, "LiteLLM leaves the file's prices of service tiers out for Fireworks"),
    Reason(
        "perplexity thresholds",
        _perplexity,
        "LiteLLM leaves the file's prices of long input out for Perplexity",
    ),
    Reason("perplexity writes", _perplexity_read_alone, "and those of cache writes"),
    Reason("perplexity caches", _perplexity_uncached, "and, in 1.106.2, those of cached input"),
    Reason(
        "batches",
        _batch,
        "without a batch price of their own, what is read from a cache is free for LiteLLM or costs what input does, "
        "cache writes cost what input does, and long input what short input does; here half of what each costs outside "
        "of a batch, or all of it",
    ),
    Reason("batches of 1.106.2", _batch_old, "the same, and cached input as other input"),
    Reason("searches of 1.106.2", _one_search, "several searches cost one"),
    Reason(
        "cached audio",
        _cached_audio,
        "cached audio without any cached price costs what text costs; here what audio costs",
    ),
    Reason("cached images", _cached_images, "cached images without any cached price likewise; here what images cost"),
    Reason("cached images of 1.106.2", _cached_images_old, "1.106.2 has the price of other cached input for them"),
    Reason(
        "caches of one kind",
        _cached_as_text,
        "audio and images that only the cache has room for, though nothing counts them there, cost what cached text "
        "costs; here what they cost cached",
    ),
    Reason(
        "sizes",
        _sized,
        "an image or video of a size that is not given has the price without a size, or that of 1024 by 1024 pixels; "
        "here it is refused where a size is dearer, or not in the name, and has the size that is in the name",
    ),
    Reason("searches of Parallel", _fixed_search, "one price for every search, however it is called"),
    Reason("audio in a tier", _old_modality, "1.106.2 has the usual price of audio in a tier"),
    Reason("a tier of Bedrock", _untiered, "LiteLLM finds another row under the name, which has no tiers"),
    Reason("a search alone", _search_alone, "LiteLLM finds another row under the name"),
)
