"""What calls cost that are served in a way of their own: service tiers, batches, and what providers do by rule."""

from collections.abc import Iterable, Mapping

from budgetd_server.domain.model_price import Rates, Schedule, Tier

#: Who charges half in a batch by a published rule, also where the catalogue has no price for it.
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
#: What costs in a batch what these cost there, if they have a price of their own.
_WITHIN = {
    "reasoning": "output",
    "cached_audio_input": "cached_input",
    "cached_image_input": "cached_input",
    "explicit_cached_input": "cached_input",
}
#: What is read from a cache.
_CACHED = frozenset({"cached_input", "cached_audio_input", "cached_image_input", "explicit_cached_input"})
_Changes = Mapping[str, int | None]
_Tiers = Iterable[tuple[int, _Changes]]


def with_provider_rules(rates: Rates, provider: str) -> Rates:
    """Rates with what a provider charges by a rule where the price file says nothing."""
    if provider == "fireworks_ai" and rates.cached_input is None and rates.input is not None:
        # Half, of a rate that may be odd: never less.
        return rates._replace(cached_input=-(-rates.input // 2))
    # Both sell searches at one price whatever the model.
    if rates.web_search is None and rates.prices_tokens:
        if provider == "xai":
            return rates._replace(web_search=5 * 10**12)
        if provider in ("gemini", "vertex_ai-language-models"):
            return rates._replace(web_search=35 * 10**12)
    return rates


def of_tier(usual: Schedule, rates: _Changes, tiers: _Tiers, usual_changes: _Tiers) -> Schedule | None:
    """The rates of a service tier; None if it has no price for input, and so is not sold.

    Args:
        usual: What it costs without the tier; that holds for all that is left out.
        rates: What the tier's own prices are, by the field of `Rates`.
        tiers: The same of long requests.
        usual_changes: What long requests cost without the tier, where a long request has no price in it.
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
    # Thinking costs what the tier's output costs, not what it would outside of the tier.
    own = {"reasoning": None} if "output" in rates else {}
    return usual._replace(**{**own, **rates})


def of_batch(usual: Schedule, rates: _Changes, tiers: _Tiers, *, is_half: bool) -> Schedule | None:
    """The rates of a batch: its own, and of what is left out half the usual, or the usual.

    All are doubled and the cost is halved, so that half of an odd rate is exact.

    Args:
        usual: What it costs outside of a batch.
        rates: The batch's own prices, by the field of `Rates`.
        tiers: The same of long requests.
        is_half: The provider charges half by rule.
    """
    if not (rates.keys() & {"input", "audio_input", "image_input", "page"}):
        return Schedule(usual.rates, usual.tiers, 2) if is_half else None
    own = {above: dict(change) for above, change in tiers}
    steps = []
    for above in sorted(own.keys() | {tier.above_input_tokens for tier in usual.tiers}):
        at = usual.at(above + 1)
        # A long request's price outside of batches is no less dear in one: half of it, not the short one's.
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
            # What is read from a cache is no cheaper in a batch unless its price says so.
            keeps = name in _CACHED and "input" in rates
            doubled[name] = rate if is_half and not keeps else 2 * rate
    return Rates(**doubled)
