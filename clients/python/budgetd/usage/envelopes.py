"""Unwraps answers and usages.

Wrappers are: a line of a batch's results, the last event of a Bedrock Converse or a Cohere stream, and the last pieces
of streams of Groq and Moonshot.
"""

from budgetd.usage.errors import UsageValueError
from budgetd.usage.fields import get

#: The last events of Cohere's streams, in versions 2 and 1: the field of the name, the name, the field of the answer.
_LAST_EVENTS = (("type", "message-end", "delta"), ("event_type", "stream-end", "response"))
_FAILED = "a request of a batch that failed costs nothing"


def unpack(holder: object) -> tuple[object, bool] | None:
    """Return the wrapped answer, and True if it was part of a batch. Returns None if no answer is wrapped.

    A line of a batch is recognised only by a form that nothing else has, because batches cost half.

    Raises:
        UsageValueError: The line is of a request that failed.
    """
    metadata = get(holder, "metadata")
    if get(metadata, "usage") is not None:
        return metadata, False
    for kind, event, inner in _LAST_EVENTS:
        if get(holder, kind) == event and (last := get(holder, inner)) is not None:
            return last, False
    response, result = get(holder, "response"), get(holder, "result")
    if response is result is get(holder, "error") is None:
        return None
    if get(holder, "custom_id") is not None:
        return _of_openai(response) if result is None else _of_anthropic(result)
    marks = (get(holder, "key"), get(metadata, "key"), get(holder, "processed_time"))
    return None if all(mark is None for mark in marks) else _of_google(response)


def inner_usage(answer: object) -> tuple[object, str]:
    """Return the usage of an answer that has none in the usual place, or None, and the path.

    The last piece of a stream has its usage in `x_groq` (Groq) or in the choice that ends (Moonshot).

    Raises:
        UsageValueError: Several choices have a usage: it is unknown whether one of them or their sum is billed.
    """
    usage = get(get(answer, "x_groq"), "usage")
    if usage is not None:
        return usage, "x_groq.usage"
    choices = get(answer, "choices")
    usages = [get(choice, "usage") for choice in choices] if isinstance(choices, list | tuple) else []
    found = [usage for usage in usages if usage is not None]
    if len(found) > 1:
        raise UsageValueError("choices", "must have one usage: with several, it is unknown which is billed", len(found))
    return (found[0] if found else None), f"choices[{usages.index(found[0]) if found else 0}].usage"


def _of_openai(response: object) -> tuple[object, bool]:
    """Unwrap OpenAI's form, which others, such as Mistral, Groq and Azure, also use."""
    status = get(response, "status_code")
    if status != 200:
        raise UsageValueError("response.status_code", f"must be 200: {_FAILED}", status)
    return get(response, "body"), True


def _of_anthropic(result: object) -> tuple[object, bool]:
    kind = get(result, "type")
    if kind != "succeeded":
        raise UsageValueError("result.type", f"must be succeeded: {_FAILED}", kind)
    return get(result, "message"), True


def _of_google(response: object) -> tuple[object, bool]:
    """Unwrap the Gemini API's form (a key in the line or its metadata) or Vertex AI's (the time of processing)."""
    if response is None:
        raise UsageValueError("response", f"must be there: {_FAILED}", None)
    return response, True
