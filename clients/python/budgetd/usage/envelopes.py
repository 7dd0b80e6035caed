"""What an answer, or its usage, is wrapped in.

A line of a batch's results, the last event of a stream of Bedrock's Converse, and the last pieces of streams of Groq's
and Moonshot's.
"""

from budgetd.usage.errors import UsageValueError
from budgetd.usage.fields import get

_FAILED = "a request of a batch that failed costs nothing"


def unpack(holder: object) -> tuple[object, bool] | None:
    """The answer in it, and whether it was part of a batch; None if this holds no answer.

    Only the lines of batches are recognised whose form nothing else has: what is taken for one costs half.

    Raises:
        UsageValueError: It is the line of a request that failed.
    """
    metadata = get(holder, "metadata")
    if get(metadata, "usage") is not None:
        return metadata, False
    response, result = get(holder, "response"), get(holder, "result")
    if response is result is get(holder, "error") is None:
        return None
    if get(holder, "custom_id") is not None:
        return _of_openai(response) if result is None else _of_anthropic(result)
    marks = (get(holder, "key"), get(metadata, "key"), get(holder, "processed_time"))
    return None if all(mark is None for mark in marks) else _of_google(response)


def inner_usage(answer: object) -> tuple[object, str]:
    """The usage of an answer that has none in the usual place, and its path; None and the path if there is none.

    Groq has that of a stream in `x_groq` of the last piece, and Moonshot in the choice that ends.

    Raises:
        UsageValueError: Several choices have one, and nothing shows whether their sum or one of them is billed.
    """
    usage = get(get(answer, "x_groq"), "usage")
    if usage is not None:
        return usage, "x_groq.usage"
    choices = get(answer, "choices")
    usages = [get(choice, "usage") for choice in choices] if isinstance(choices, list | tuple) else []
    found = [usage for usage in usages if usage is not None]
    if len(found) > 1:
        raise UsageValueError("choices", "must have one usage: of several, nothing shows what is billed", len(found))
    return (found[0] if found else None), f"choices[{usages.index(found[0]) if found else 0}].usage"


def _of_openai(response: object) -> tuple[object, bool]:
    """OpenAI's form, which others, such as Mistral, Groq and Azure, have as well."""
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
    """The Gemini API's form, with a key in the line or its metadata, and Vertex AI's, with the time of processing."""
    if response is None:
        raise UsageValueError("response", f"must be there: {_FAILED}", None)
    return response, True
