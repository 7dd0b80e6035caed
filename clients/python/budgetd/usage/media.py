"""Finds images, audio and video in an answer, for usages that do not count them as parts of the output."""

from collections.abc import Mapping

from budgetd.usage.dialect import Look, Reading
from budgetd.usage.fields import Fields, fields_of

_IMAGE, _AUDIO, _VIDEO, _TEXT, _CODE = "image", "audio", "video", "text", "code"
#: The token count of each kind, and all counts that are parts of the output.
_COUNTS = {_IMAGE: "image_output_tokens", _AUDIO: "audio_output_tokens", _VIDEO: "_video_output"}
_COUNTED = ("reasoning_tokens", "_text_output", *_COUNTS.values())
#: Where answers of any form keep what the model made.
_HOLDERS = ("content", "message", "output", "outputs", "parts", "files", "text")
#: Names, of any provider, under which an answer holds its parts.
_INNER = frozenset(
    {"message", "content", "parts", "output", "inline_data", "inlineData", "file_data", "fileData", "file"}
)
#: Fields of a part whose presence shows its kind.
_KINDS = {
    "image": _IMAGE,
    "images": _IMAGE,
    "image_url": _IMAGE,
    "audio": _AUDIO,
    "video": _VIDEO,
    "text": _TEXT,
    "refusal": _TEXT,
    "tool_calls": _TEXT,
    "function_call": _TEXT,
    "functionCall": _TEXT,
    "toolUse": _TEXT,
    # Images next to executed code are drawn by the code, not by the model.
    "executable_code": _CODE,
    "executableCode": _CODE,
}
#: Types of parts that may have no other field, such as audio of a realtime call.
_TYPES = {
    "image": _IMAGE,
    "image_url": _IMAGE,
    "output_image": _IMAGE,
    "audio": _AUDIO,
    "output_audio": _AUDIO,
    "video": _VIDEO,
    "function_call": _TEXT,
    "tool_use": _TEXT,
}
_MIMES = ("mime_type", "mimeType", "media_type", "mediaType")
#: Fields that name the type of a part.
_MARKS = {"type", "thought", *_MIMES}
#: Levels of lists and objects that are searched, so that the search of a list that contains itself ends.
_DEPTH_MAX = 16


def count_media(reading: Reading) -> None:
    """Count output as image or audio where that is certain, and report as unread what the usage does not split.

    If the answer has one kind and no text, or its text is counted, the rest of the output is of that kind. A transcript
    is part of its audio.
    """
    counts, output = reading.counts, reading.of("output_tokens")
    found = find_media(reading.look) if any(counts.values()) else {}
    missing = [kind for kind in _COUNTS if kind in found and not reading.of(_COUNTS[kind])]
    if not missing:
        return
    rest = output - sum(reading.of(name) for name in _COUNTED)
    kind = missing[0]
    is_certain = len(missing) == 1 and (_TEXT not in found or reading.of("_text_output"))
    if is_certain and kind != _VIDEO and rest > 0 and not reading.requests:
        counts[_COUNTS[kind]], reading.paths[_COUNTS[kind]] = rest, found[kind]
        return
    for kind in missing:
        reading.leave_unpriced(found[kind])


def find_media(look: Look) -> dict[str, str]:
    """Return the kinds of output with the path of each. Empty unless there is an image, audio or video."""
    found = _find_kinds(look)
    return {} if _CODE in found or found.keys() <= {_TEXT} else found


def has_text(look: Look) -> bool:
    """Return True if the output has a text or a tool call. Reasoning does not count."""
    return _TEXT in _find_kinds(look)


def _find_kinds(look: Look) -> dict[str, str]:
    found: dict[str, str] = {}
    if (choices := look.get("choices")) is not None:
        # A short cut for most answers: a chat completion with one choice and no other output.
        _collect(found, choices, "choices", 1)
    else:
        _collect(found, look.get("candidates"), "candidates", 1)
        # Properties of foreign objects are not read: they may do work.
        own = look.answer if isinstance(look.answer, Mapping) else getattr(look.answer, "__dict__", {})
        for holder in _HOLDERS:
            _collect(found, own.get(holder), holder, 1)
    return found


def _collect(found: dict[str, str], value: object, path: str, depth: int) -> None:
    if isinstance(value, str):
        if value:
            found.setdefault(_kind_of_mime(value[5:21]) if value.startswith("data:") else _TEXT, path)
    elif isinstance(value, list | tuple):
        for item in value if depth <= _DEPTH_MAX else ():
            _collect(found, item, path, depth + 1)
    elif value is not None and depth <= _DEPTH_MAX:
        _collect_part(found, value, path, depth)


def _collect_part(found: dict[str, str], part: object, path: str, depth: int) -> None:
    fields = fields_of(part, path) or {}
    if fields.keys() & _MARKS and (kind := _kind_of(fields)) is not None:
        if kind:
            found.setdefault(kind, path)
        return
    for name, value in fields.items():
        if value and name in _INNER:
            _collect(found, value, f"{path}.{name}", depth + 1)
        elif value and name in _KINDS:
            found.setdefault(_KINDS[name], f"{path}.{name}")


def _kind_of(fields: Fields) -> str | None:
    """Return the kind of a part. "" if it is not the model's output, None if the part does not show its kind."""
    kind = fields.get("type")
    kind = kind if isinstance(kind, str) else ""
    if fields.get("thought") is True or kind.endswith(("_result", "_call_output")):
        return ""  # Reasoning has its own count, and results are made by tools.
    mimes = (fields.get(name) for name in _MIMES)
    return _TYPES.get(kind) or next((_kind_of_mime(mime) for mime in mimes if isinstance(mime, str)), None)


def _kind_of_mime(mime: str) -> str:
    """Return the kind of a MIME type such as "image/png". Anything except images, audio and video is priced as text."""
    kind = mime.partition("/")[0].lower()
    return kind if kind in _COUNTS else _TEXT
