"""What a completion tells of its cost: LiteLLM's objects, OpenAI's and Anthropic's own, and dictionaries made of them.

Objects are read by attribute and dictionaries by key, so no provider's library is imported.
"""

from collections.abc import Mapping
from typing import NamedTuple

from budgetd._values import nano_usd
from budgetd.v1 import budget_pb2

#: The most tokens of one kind that a call may tell.
COUNT_MAX = 10**12


class Completion(NamedTuple):
    """What is charged for."""

    model: str
    #: None: the server prices the usage.
    cost_nano_usd: int | None
    usage: budget_pb2.Usage | None
    #: The provider's name for the completion; empty: it has none.
    completion_id: str


def completion_of(completion_obj: object) -> Completion:
    """Read a completion.

    The cost is LiteLLM's own `response_cost` where the object carries one above zero; else the server prices the
    usage, for a cost of zero may only mean that nobody knew the price.

    Raises:
        ValueError: It has no model, neither cost nor usage, or a usage that is none.
        TypeError: A count of tokens is no whole number.
    """
    model = _get(completion_obj, "model")
    if not isinstance(model, str) or not model:
        raise ValueError(f"completion_obj must have a model, got {model!r}")
    cost = _get(_get(completion_obj, "_hidden_params"), "response_cost")
    usage = _get(completion_obj, "usage")
    completion_id = _get(completion_obj, "id")
    completion = Completion(
        model,
        None if cost is None or cost == 0 else nano_usd(cost, "the response_cost of completion_obj"),
        None if usage is None else _usage(usage),
        completion_id if isinstance(completion_id, str) else "",
    )
    if completion.cost_nano_usd is None and completion.usage is None:
        raise ValueError(
            "completion_obj has neither a cost nor a usage, so it cannot be charged; "
            "of a stream, first build the whole with litellm.stream_chunk_builder(chunks, messages=...)"
        )
    return completion


def _usage(usage: object) -> budget_pb2.Usage:
    """The tokens, cached ones inside the input and reasoning ones inside the output."""
    if _get(usage, "prompt_tokens") is not None:
        return _chat_usage(usage)
    input_details, output_details = _get(usage, "input_tokens_details"), _get(usage, "output_tokens_details")
    counted = budget_pb2.Usage(
        input_tokens=_count(usage, "input_tokens", is_required=True),
        output_tokens=_count(usage, "output_tokens", is_required=True),
        cached_input_tokens=_count(input_details, "cached_tokens"),
        reasoning_tokens=_count(output_details, "reasoning_tokens"),
    )
    if input_details is None:
        # Anthropic's own form counts cached tokens beside the input.
        counted.cached_input_tokens = _count(usage, "cache_read_input_tokens")
        counted.cache_write_tokens = _count(usage, "cache_creation_input_tokens")
        counted.input_tokens += counted.cached_input_tokens + counted.cache_write_tokens
    return counted


def _chat_usage(usage: object) -> budget_pb2.Usage:
    """The form of OpenAI's chat completions, which LiteLLM gives to every provider's."""
    details = _get(usage, "prompt_tokens_details")
    return budget_pb2.Usage(
        input_tokens=_count(usage, "prompt_tokens", is_required=True),
        output_tokens=_count(usage, "completion_tokens"),
        cached_input_tokens=_count(details, "cached_tokens") or _count(usage, "cache_read_input_tokens"),
        cache_write_tokens=_count(details, "cache_creation_tokens") or _count(usage, "cache_creation_input_tokens"),
        reasoning_tokens=_count(_get(usage, "completion_tokens_details"), "reasoning_tokens"),
    )


def _count(usage: object, name: str, *, is_required: bool = False) -> int:
    value = _get(usage, name)
    if value is None and is_required:
        raise ValueError(f"the usage of completion_obj must have {name}")
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        raise TypeError(f"{name} in the usage of completion_obj must be a whole number of tokens, got {value!r}")
    if not 0 <= value <= COUNT_MAX:
        raise ValueError(f"{name} in the usage of completion_obj must be from 0 to 10^12 tokens, got {value!r}")
    return int(value)


def _get(holder: object, name: str) -> object:
    """A part of an object or a dictionary; None: it has none of that name."""
    if isinstance(holder, Mapping):
        return holder.get(name)
    return getattr(holder, name, None)
