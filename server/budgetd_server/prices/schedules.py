"""Prices of calls that are not served in the standard way (service tiers, batches), and providers' general rules."""

from collections.abc import Iterable, Mapping

from budgetd_server.domain.model_price import Rates, Schedule, Tier

#: Providers that charge half in a batch by a published rule, also where the catalogue has no batch price.
HALF_PRICE_BATCHES = frozenset(
    {
        "anthropic",
        "azure",
        "azure_text",
        "bedrock",
        "bedrock_converse",
        "gemini",
        "mistral",
        "openai",
        "text-completion-openai",
        "vertex_ai",
        "vertex_ai-anthropic_models",
        "vertex_ai-embedding-models",
        "vertex_ai-language-models",
    }
)
#: Rates that in a batch equal these rates, if the batch has a price for them.
_WITHIN = {
    "reasoning": "output",
    "cached_audio_input": "cached_input",
    "cached_image_input": "cached_input",
    "explicit_cached_input": "cached_input",
}
#: Rates of tokens that are read from a cache.
_CACHED = frozenset({"cached_input", "cached_audio_input", "cached_image_input", "explicit_cached_input"})
_Changes = Mapping[str, int | None]
_Tiers = Iterable[tuple[int, _Changes]]


def with_provider_rules(rates: Rates, provider: str) -> Rates:
    """Add the rates that a provider charges by a general rule, where the price file has none."""
    if provider == "fireworks_ai" and rates.cached_input is None and rates.input is not None:
        # Half of the rate, rounded up.
        return rates._replace(cached_input=-(-rates.input // 2))
    # Both providers have one price of searches for all models.
    if rates.web_search is None and rates.prices_tokens:
        if provider == "xai":
            return rates._replace(web_search=5 * 10**12)
        if provider in ("gemini", "vertex_ai-language-models"):
            return rates._replace(web_search=35 * 10**12)
    return rates


def of_tier(usual: Schedule, rates: _Changes, tiers: _Tiers, usual_changes: _Tiers) -> Schedule | None:
    """Build the prices of a service tier. Returns None if it has no price for input, and so is not offered.

    Args:
        usual: The standard prices, which apply to everything that the tier leaves out.
        rates: The tier's own prices, by the field of `Rates`.
        tiers: The tier's own prices of long requests.
        usual_changes: The standard prices of long requests, which apply where the tier has none for them.
    """
    if not (rates.keys() & {"input", "audio_input", "image_input"}):
        return None
    served = _over(usual.rates, rates)
    changes: dict[int, dict[str, int | None]] = {above: dict(change) for above, change in usual_changes}
    for above, change in tiers:
        changes.setdefault(above, {}).update(change)
    steps, at = [], served
    for above in sorted(changes):
        at = at._replace(**changes[above])
        steps.append(Tier(above, at))
    return Schedule(served, tuple(steps))


def _over(usual: Rates, rates: _Changes) -> Rates:
    # Reasoning costs what the tier's output costs, not what it costs outside of the tier.
    own = {"reasoning": None} if "output" in rates else {}
    return usual._replace(**{**own, **rates})


def of_batch(usual: Schedule, rates: _Changes, tiers: _Tiers, *, is_half: bool) -> Schedule | None:
    """Build the prices of a batch: its own; for what it leaves out, half the standard price or the standard price.

    All rates are doubled and the cost is halved, so that half of an odd rate is exact.

    Args:
        usual: The prices outside of a batch.
        rates: The batch's own prices, by the field of `Rates`.
        tiers: The batch's own prices of long requests.
        is_half: Whether the provider charges half by rule.
    """
    if not (rates.keys() & {"input", "audio_input", "image_input", "page"}):
        return Schedule(usual.rates, usual.tiers, 2) if is_half else None
    own = {above: dict(change) for above, change in tiers}
    steps = []
    for above in sorted(own.keys() | {tier.above_input_tokens for tier in usual.tiers}):
        at = usual.at(above + 1)
        # A long request stays more expensive in a batch: it costs half of its own price, not of the short request's.
        short = {
            name: rate for name, rate in rates.items() if not is_half or getattr(at, name) == getattr(usual.rates, name)
        }
        given = {name: rate for start, change in sorted(own.items()) if start <= above for name, rate in change.items()}
        steps.append(Tier(above, _doubled(at, {**short, **given}, is_half=is_half)))
    return Schedule(_doubled(usual.rates, rates, is_half=is_half), tuple(steps), 2)


def _doubled(usual: Rates, rates: _Changes, *, is_half: bool) -> Rates:
    doubled: dict[str, int | None] = {}
    for name, rate in zip(usual._fields, usual, strict=True):
        own = rates.get(name)
        if own is not None:
            doubled[name] = 2 * own
        elif rate is None or _WITHIN.get(name, "") in rates:
            doubled[name] = None
        else:
            # Tokens that are read from a cache cost no less in a batch unless the batch has a price for them.
            keeps = name in _CACHED and "input" in rates
            doubled[name] = rate if is_half and not keeps else 2 * rate
    return Rates(**doubled)
