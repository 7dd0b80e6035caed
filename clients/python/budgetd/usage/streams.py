"""Pieces of streams: only the last one has the usage of the whole call."""

from budgetd.usage.dialect import is_number
from budgetd.usage.errors import UsageValueError
from budgetd.usage.fields import fields_of, get

_PART = "an earlier piece has only a part of the usage"
_WAIT = f"{_PART}; wait for the last one, or build the whole with litellm.stream_chunk_builder(chunks, messages=...)"
_ANTHROPIC_WAIT = (
    "only message_start has the model, the tier and the lifetime of the cache, and only message_delta the last counts; "
    "pass stream.get_final_message() of Anthropic's library, which has all of it"
)
_REASON_RULE = (
    "must be there: a whole answer and the last piece of a stream have it; {}; "
    "if the answer is whole without it, pass only its model and usage"
)
#: Events whose `response` is the whole answer.
_LAST_EVENTS = {"response.completed", "response.done", "response.incomplete", "response.failed"}
#: Events whose usage is not, or may not be, the last one, and what to pass instead.
_EARLIER_EVENTS = {
    **dict.fromkeys(("message_start", "message_delta"), _ANTHROPIC_WAIT),
    **dict.fromkeys(
        ("response.created", "response.in_progress", "response.queued"),
        f"{_PART}; wait for the last event, or pass stream.get_final_response() of OpenAI's library",
    ),
}

#: By kind of answer, the states in which it is not finished, or ended without being billed.
_STATUSES_WITHOUT_COST = {
    "response": {"queued", "in_progress"},
    "video": {"queued", "in_progress", "failed"},
}


def whole_of(answer: object) -> object:
    """Return the answer itself, or the whole answer inside the last event of a stream.

    Raises:
        UsageValueError: It is a piece from the middle of a stream, or of work that is not finished.
    """
    kind = get(answer, "type")
    if isinstance(kind, str):
        if kind in _LAST_EVENTS:
            return get(answer, "response") or answer
        if kind in _EARLIER_EVENTS:
            rule = f"must be that of a whole answer, or of the last piece of a stream: {_EARLIER_EVENTS[kind]}"
            raise UsageValueError("type", rule, kind)
    if kind == "message" or (kind is None and get(answer, "role") == "assistant"):
        _check_is_stopped(answer)  # A message of Anthropic's, possibly without its type.
    name = get(answer, "object")
    if isinstance(name, str):
        if name in _STATUSES_WITHOUT_COST:
            status = get(answer, "status")
            if isinstance(status, str) and status in _STATUSES_WITHOUT_COST[name]:
                raise UsageValueError(
                    "status", f"must be that of a finished {name}: until then nothing is charged", status
                )
        if name.endswith(".chunk") and not _is_after_end(answer):
            _check_is_last(get(answer, "choices"), "choices", "finish_reason")
        return answer
    candidates = get(answer, "candidates")
    if isinstance(candidates, list | tuple):
        is_camel = get(answer, "usageMetadata") is not None
        _check_is_last(candidates, "candidates", "finishReason" if is_camel else "finish_reason")
    return answer


def how_to_build(answer: object) -> str:
    """Return advice on how to build a whole answer from a stream or a piece of one. Empty if it is neither."""
    if hasattr(answer, "get_final_message"):
        return "of a stream of Anthropic's, pass stream.get_final_message(); "
    name, choices = get(answer, "object"), get(answer, "choices")
    is_stream = hasattr(answer, "__next__") or hasattr(answer, "__anext__")
    is_piece = isinstance(name, str) and name.endswith(".chunk")
    if not is_stream and not is_piece and isinstance(choices, list | tuple):
        is_piece = any(get(choice, "delta") is not None for choice in choices)
    whole = "of a stream, first build the whole with litellm.stream_chunk_builder(chunks, messages=...); "
    return whole if is_stream or is_piece else ""


def _check_is_stopped(message: object) -> None:
    """Refuse a message of Anthropic's without a stop reason: its stream has not ended, and its counts are not final."""
    if "stop_reason" in (fields_of(message, "message") or ()) and get(message, "stop_reason") is None:
        raise UsageValueError("stop_reason", _REASON_RULE.format(_ANTHROPIC_WAIT), None)


def _is_after_end(piece: object) -> bool:
    """Return True for OpenRouter's last piece, which has the usage but no content and no finish reason.

    The finish reason is in the piece before. Such a piece is recognised by OpenRouter's own field or by a cost, since
    other providers may send a usage in each piece, also in empty ones.
    """
    usage, choices = get(piece, "usage"), get(piece, "choices")
    if usage is None or not isinstance(choices, list | tuple):
        return False
    is_priced = is_number(get(usage, "cost"))
    for choice in choices:
        delta = fields_of(get(choice, "delta"), "choices.delta") or {}
        is_its_own = is_priced or "native_finish_reason" in (fields_of(choice, "choices") or ())
        if not is_its_own or any(value for name, value in delta.items() if name != "role"):
            return False
    return True


def _check_is_last(choices: object, holder: str, reason: str) -> None:
    """Refuse a piece that is not the last: the last has a finish reason, or only the usage."""
    if not isinstance(choices, list | tuple) or not choices:
        return
    if all(get(choice, "finish_reason") is get(choice, "finishReason") is None for choice in choices):
        raise UsageValueError(f"{holder}[0].{reason}", _REASON_RULE.format(_WAIT), None)
