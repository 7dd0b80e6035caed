"""Reads what to charge for a provider's answer: its model, its cost or usage, and how it was served."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from budgetd.usage import openai_chat, openrouter
from budgetd.usage.contents import has_content, is_blocked
from budgetd.usage.dialect import Dialect, Look, Reading, absent_count, is_number, read
from budgetd.usage.envelopes import inner_usage, unpack
from budgetd.usage.errors import UsageTypeError, UsageValueError
from budgetd.usage.fields import Fields, fields_of, get, leaves_of
from budgetd.usage.given_names import combine_names
from budgetd.usage.iterations import requests_of
from budgetd.usage.media import count_media, has_text
from budgetd.usage.plain import plain_counts
from budgetd.usage.recogniser import PLAIN, UNKNOWN, recognise
from budgetd.usage.reported_cost import ReportedCost, cost_from_litellm, cost_from_provider, is_from_cache
from budgetd.usage.streams import how_to_build, whole_of
from budgetd.usage.totals import check_parts
from budgetd.usage.two_forms import check_one_form
from budgetd.v1 import budget_pb2

#: How many paths of unread fields are sent, and how long each may be.
UNREAD_FIELDS_MAX = 16
UNREAD_FIELD_CHARACTERS_MAX = 128
_NO_FIELDS: Fields = {}
_NONE_UNREAD: tuple[str, ...] = ()
_NO_COST: "tuple[None, budget_pb2.CostSource.ValueType]" = (None, budget_pb2.COST_SOURCE_UNSPECIFIED)
#: The field of the contract's `Usage` for each neutral count. Counts that only check others have no field.
_FIELDS = {
    field.name.replace("_milliseconds", "_seconds"): field.name
    for field in budget_pb2.Usage.DESCRIPTOR.fields
    if field.message_type is None
}
#: Where answers keep their usage.
_HOLDERS = ("usage", "usage_metadata", "usageMetadata", "usage_info", "meta")
#: Those of `_HOLDERS` that hold a whole usage. An answer may have only one of these.
_USAGES = _HOLDERS[:3]
#: The counts of the other holders, if these hold a usage: Mistral's pages and Cohere's billed units.
_COUNTS = ("pages_processed", "billed_units")
#: Where an answer names its model ("modelId" is Amazon Bedrock's), and where LiteLLM names it for other answers.
_MODELS = ("model_version", "modelVersion", "modelId")
_HIDDEN_MODELS = ("litellm_model_name", "model")
#: Providers' names for the usual tier, or for letting the provider choose.
_USUAL_TIERS = {"", "default", "standard", "auto", "on_demand", "standard_only", "unspecified"}
#: Libraries whose classes have a total of zero where none was given.
_DEFAULT_TOTALS = {"litellm", "mistralai"}
_ANYWHERE = {"global", "not_available"}


class Answer(NamedTuple):
    """What to charge for an answer."""

    model: str
    #: The provider that serves the model, by LiteLLM's name. Empty if the answer does not show it.
    provider: str = ""
    #: None: the server prices the usage.
    cost_nano_usd: int | None = None
    #: The source of the cost. Unspecified if no cost was reported.
    cost_source: "budget_pb2.CostSource.ValueType" = budget_pb2.COST_SOURCE_UNSPECIFIED
    usage: budget_pb2.Usage | None = None
    #: The provider's id of the answer. Empty if it has none.
    completion_id: str = ""
    service_tier: str = ""
    is_batch: bool = False
    inference_geo: str = ""
    #: The form of the answer. Empty if it is not known.
    dialect: str = ""
    #: Paths of counts that are neither priced nor known to be free.
    unread_fields: tuple[str, ...] = ()


def read_answer(answer: object, *, model: str | None = None, cost_nano_usd: int | None = None) -> Answer:
    """Read what to charge for.

    Args:
        answer: LiteLLM's or a provider's object, or a dictionary made of one.
        model: The model's name, for answers that do not contain it. Where the answer has a name without a provider or a
            place, those of this name are added to it.
        cost_nano_usd: What the call cost; it takes precedence over every cost in the answer.

    Raises:
        UsageError: The answer is a text, a number or a list; it has no model, or neither a cost nor a usage; or one of
            them breaks a rule. Each error is also a ValueError or a TypeError.
    """
    if isinstance(answer, str | bytes | int | float | list):
        raise UsageTypeError("", "must be an object or a dictionary", answer)
    name, look = _look(answer, model)
    given = None if cost_nano_usd is None else ReportedCost(cost_nano_usd, budget_pb2.COST_SOURCE_CALLER)
    cost = given or cost_from_litellm(look)
    identity = _identity(look.answer)
    counts, unread, dialect = plain_counts(look), _NONE_UNREAD, openai_chat.DIALECT
    requests: list[dict[str, int]] = []
    if counts is None:
        leaves = leaves_of(look.usage, "usage")
        dialect = recognise(look)
        cost = cost or cost_from_provider(dialect, look, leaves)
        if dialect is UNKNOWN and cost is None:
            raise _without_cost(look)
        reading = read(dialect, look, leaves, is_cost_known=cost is not None)
        count_media(reading)
        check_parts(reading)
        check_one_form(reading)
        if reading.missing and cost is None:
            raise reading.missing
        if cost is None:
            _check_counts_content(reading, dialect)
        requests = requests_of(reading)
        counts, unread = reading.counts, _bounded(reading.unread)
    cost_nano_usd, cost_source = cost or _NO_COST
    tier, is_batch = _tier(look)
    return Answer(
        model=name,
        provider=_provider(look, dialect, identity),
        cost_nano_usd=cost_nano_usd,
        cost_source=cost_source,
        # An answer from LiteLLM's cache used nothing.
        usage=None if dialect is UNKNOWN or (cost and is_from_cache(look)) else _neutral(counts, requests),
        completion_id=identity,
        service_tier=tier,
        is_batch=is_batch or look.is_batch,
        inference_geo=_geo(look),
        dialect=dialect.name,
        unread_fields=unread,
    )


def _provider(look: Look, dialect: Dialect, identity: str) -> str:
    """Return the provider that serves the model. Empty if the answer does not show it.

    OpenRouter is found even if the model has a prefix: its models begin with the name of their maker, whose prices are
    not OpenRouter's.
    """
    if look.provider:
        return look.provider
    if openrouter.is_its_own(look, identity):
        return "openrouter"
    return "" if "/" in look.model else dialect.provider(look)


def _look(answer: object, model: str | None, *, is_batch: bool | None = None) -> tuple[str, Look]:
    """Return the model's name, and what the dialect is recognised by.

    Args:
        answer: The answer as it was passed, or as `unpack` found it.
        model: The name that the caller gave.
        is_batch: True if the answer was in a line of a batch, False if in another wrapper. None: not unpacked.
    """
    known = _known(answer)
    whole = whole_of(known)
    hidden = _hidden(answer, known)
    if whole is not known:
        hidden = get(whole, "_hidden_params") or hidden
        known = _known(whole)
    usage = _usage_fields(known)
    if not usage and is_batch is None and (unpacked := unpack(known)) is not None:
        inner, is_batch = unpacked
        outer = (get(known, field) for field in ("model", *_MODELS))
        names = (combine_names(name, model) for name in outer if name and isinstance(name, str))
        return _look(inner, next(names, model), is_batch=is_batch)
    name = _model(known, hidden, model)
    provider = get(hidden, "custom_llm_provider") if hidden else None
    served_by = provider if isinstance(provider, str) else ""
    look = Look(
        answer=known, hidden=hidden, usage=usage, model=name.lower(), provider=served_by, is_batch=bool(is_batch)
    )
    if model and model != name:
        name = combine_names(name, model, "openrouter" if openrouter.is_its_own(look, _identity(known)) else served_by)
        look = look._replace(model=name.lower())
    return name, look


def _identity(answer: object) -> str:
    """Return the provider's identifier of an answer. Empty if it has none."""
    identity = get(answer, "id")
    return identity if isinstance(identity, str) else ""


def _known(answer: object) -> object:
    """Return the fields of a dictionary or a record. Other objects stay as they are: their properties may do work."""
    kind = type(answer)
    if kind is dict:
        return answer
    is_record = _is_record(kind)  # type: ignore[arg-type] # mypy doubts that classes hash.
    return fields_of(answer, "completion_obj") if is_record else answer


@lru_cache(maxsize=512)
def _is_record(kind: type) -> bool:
    return hasattr(kind, "model_fields") or hasattr(kind, "__fields_set__")


def _hidden(answer: object, known: object) -> object:
    """Return LiteLLM's hidden parameters, or None. Looks in a record's private store, where a miss is not slow."""
    if known is not answer and hasattr(answer, "__pydantic_private__"):
        private = answer.__pydantic_private__
        return private.get("_hidden_params") if private else None
    return get(answer, "_hidden_params")


def _model(answer: object, hidden: object, given: str | None) -> str:
    model = get(answer, "model")
    if isinstance(model, str) and model:
        return model
    others = [get(answer, name) for name in _MODELS] + [get(hidden, name) for name in _HIDDEN_MODELS if hidden]
    for other in (*others, given):
        if isinstance(other, str) and other:
            return other
    _refuse_error(answer)
    raise UsageValueError("model", "must be a text; if the answer does not name its model, pass model=", model)


def _refuse_error(answer: object) -> None:
    """Raise an error if the answer is an error of the provider."""
    error = get(answer, "error")
    if error is not None:
        rule = "must not be there: this is an error of the provider and no completion, so nothing is charged"
        # Only the names of its fields are reported: its message may contain a key or a part of the prompt.
        fields = fields_of(error, "error")
        raise UsageValueError("error", rule, "a text" if fields is None else list(fields))


def _usage_fields(answer: object) -> Fields:
    found, first = _NO_FIELDS, ""
    for holder in _HOLDERS:
        usage = get(answer, holder)
        if usage is None:
            continue
        fields = fields_of(usage, holder)
        if fields is None:
            raise UsageTypeError(holder, "must be an object or a dictionary", usage)
        if first and _has_counts(holder, fields):
            raise UsageValueError(holder, f"must not be there if {first} is: only one of them can be charged", "both")
        if not first:
            found, first = _without_default_total(usage, fields), holder
    return found if first else _inner_usage_fields(answer)


def _without_default_total(usage: object, fields: Fields) -> Fields:
    """Return the fields of a usage, without a total of zero that is only the default of a library's class."""
    if fields.get("total_tokens") != 0 or type(usage).__module__.partition(".")[0] not in _DEFAULT_TOTALS:
        return fields
    return {name: value for name, value in fields.items() if name != "total_tokens"}


def _inner_usage_fields(answer: object) -> Fields:
    usage, path = inner_usage(answer)
    if usage is None:
        return _NO_FIELDS
    fields = fields_of(usage, path)
    if fields is None:
        raise UsageTypeError(path, "must be an object or a dictionary", usage)
    return fields


def _has_counts(holder: str, fields: Fields) -> bool:
    if holder in _USAGES:
        return any(map(is_number, fields.values()))
    return any(fields.get(name) for name in _COUNTS)


def _without_cost(look: Look) -> UsageValueError:
    """Return the error for an answer that has neither a usage in a known form nor a cost."""
    if not look.usage:
        _refuse_error(look.answer)
    if look.usage or get(look.answer, "usage") is not None:
        known = "must have the counts of a known form, such as prompt_tokens, or input_tokens and output_tokens"
        return UsageValueError("usage", known, dict(look.usage))
    return UsageValueError(
        "usage",
        "must be there unless the answer has a cost: otherwise nothing can be charged; "
        f"{how_to_build(look.answer)}"
        "pass the answer without its wrapper, but a line of a batch unchanged, with its custom_id or key; "
        'for an answer that counts in a form of its own, pass {"model": ..., "usage": {"prompt_tokens": ..., '
        '"completion_tokens": ...}} with its counts, or cost_usd=',
        None,
    )


def _check_counts_content(reading: Reading, dialect: Dialect) -> None:
    """Refuse a usage by which content would be charged as nothing.

    All its counts are unread, or zero although there is content, or it has no output although there is a text or a tool
    call.
    """
    look = reading.look
    if any(reading.counts.values()):
        is_without_output = reading.of("input_tokens") and not reading.of("output_tokens")
        if is_without_output and dialect.needs(look) and has_text(look) and not is_blocked(look):
            raise absent_count("output_tokens", dialect, look)
        return
    if not reading.unread and has_content(look) and not is_blocked(look):
        rule = "must count something, since the answer has content; if the call was free, pass cost_usd=0"
        raise UsageValueError("usage", rule, dict(look.usage))
    if reading.unread:
        path = reading.unread[0]
        rule = "must not be the only count: it has no price, so nothing can be charged"
        raise UsageValueError(f"usage.{path}", rule, reading.leaves.get(path))


def _neutral(counts: Mapping[str, int], requests: Sequence[Mapping[str, int]] = ()) -> budget_pb2.Usage:
    sent: dict[str, Any] = {_FIELDS[name]: count for name, count in counts.items() if count and name in _FIELDS}
    usage = budget_pb2.Usage(**sent)
    if requests:
        usage.requests.extend(map(_neutral, requests))
    return usage


def _tier(look: Look) -> tuple[str, bool]:
    """Return the tier that served the call, and True if it was part of a batch, which some providers call a tier.

    Several fields may name a tier. Fields that name the usual tier are skipped: a fast call of Anthropic's has both
    `service_tier: "standard"` and `speed: "fast"`.
    """
    tier = _text(get(look.answer, "service_tier"))
    if tier in _USUAL_TIERS and not look.usage.keys() <= PLAIN:
        tier = next((other for other in _other_tiers(look) if other not in _USUAL_TIERS), "")
    if tier in _USUAL_TIERS:
        return "", False
    return ("", True) if tier == "batch" else (tier, False)


def _other_tiers(look: Look) -> Iterator[str]:
    """Yield the tiers that other fields name.

    These are the tiers in the usage (Google's with and without a prefix), Anthropic's speed, Google's traffic type, and
    Bedrock's optimized latency and tier object, under whose name other providers have the tier itself.
    """
    for name in ("service_tier", "serviceTier"):
        yield _text(look.usage.get(name)).removeprefix("service_tier_")
    speed = _text(look.usage.get("speed"))
    yield speed if speed == "fast" else ""
    traffic = _text(look.usage.get("traffic_type") or look.usage.get("trafficType"))
    yield traffic.removeprefix("on_demand").removeprefix("_")
    latency = _text(get(get(look.answer, "performanceConfig"), "latency"))
    yield latency if latency == "optimized" else ""
    held = get(look.answer, "serviceTier")
    yield _text(held).removeprefix("service_tier_") or _text(get(held, "type"))


def _text(value: object) -> str:
    if value is None:
        return ""
    text = getattr(value, "value", value)
    return text.lower() if isinstance(text, str) else ""


def _geo(look: Look) -> str:
    place = _text(look.usage.get("inference_geo") or look.usage.get("inferenceGeo"))
    return "" if place in _ANYWHERE else place


def _bounded(paths: list[str]) -> tuple[str, ...]:
    """Return distinct paths, at most `UNREAD_FIELDS_MAX`. If some are left out, the last item says how many."""
    shown = list(dict.fromkeys(_sendable(path) for path in paths))
    if len(shown) > UNREAD_FIELDS_MAX:
        shown[UNREAD_FIELDS_MAX - 1 :] = [f"and {len(shown) - UNREAD_FIELDS_MAX + 1} more"]
    return tuple(shown)


def _sendable(path: str) -> str:
    """Return a path that the server accepts: blank names, control characters and the like are escaped."""
    text = path if path.isprintable() else repr(path)[1:-1]
    return text[:UNREAD_FIELD_CHARACTERS_MAX] if text.strip() else repr(path)
