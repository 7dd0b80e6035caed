"""Images, audio and video that an answer holds, for usages that do not say how much of the output they are."""

from collections.abc import Mapping

from budgetd.usage.dialect import Look, Reading
from budgetd.usage.fields import Fields, fields_of

_IMAGE, _AUDIO, _VIDEO, _TEXT, _OF_CODE = "image", "audio", "video", "text", "code"
#: The count of each kind, and what may be counted in addition to it.
_COUNTS = {_IMAGE: "image_output_tokens", _AUDIO: "audio_output_tokens", _VIDEO: "_video_output"}
_COUNTED = ("reasoning_tokens", "_text_output", *_COUNTS.values())
#: Where answers of any form keep what the model made.
_HOLDERS = ("content", "output", "outputs", "parts", "files")
#: What holds the parts of an answer, by any provider's name.
_INNER = frozenset(
    {"message", "content", "parts", "output", "inline_data", "inlineData", "file_data", "fileData", "file"}
)
#: Of a part: fields that hold something of a kind, whatever it is.
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
    # Images next to executed code are drawn by the code, and not by the model.
    "executable_code": _OF_CODE,
    "executableCode": _OF_CODE,
}
#: Types of parts that may have nothing but a type, such as audio of a realtime call.
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
#: Fields by which a part says what it is.
_MARKS = {"type", "thought", *_MIMES}
_DEPTH_MAX = 8


def settle_made(reading: Reading) -> None:
    """Count the output that is an image or audio for certain; report what an answer holds and its usage does not split.

    Where the answer holds one kind and no text, or its text is counted, the rest of the output is of that kind. The
    transcript of an audio is part of it.
    """
    counts, output = reading.counts, reading.of("output_tokens")
    found = made(reading.look) if any(counts.values()) else {}
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


def made(look: Look) -> dict[str, str]:
    """The kinds of what the model made, each with its path; nothing unless there is an image, audio or video."""
    found: dict[str, str] = {}
    if (choices := look.get("choices")) is not None:
        # Most answers are a chat completion with one choice, which has nothing else.
        _see(found, choices, "choices", 1)
    else:
        _see(found, look.get("candidates"), "candidates", 1)
        # Properties of foreign objects are not read, for they may do work.
        own = look.answer if isinstance(look.answer, Mapping) else getattr(look.answer, "__dict__", {})
        for holder in _HOLDERS:
            _see(found, own.get(holder), holder, 1)
    return {} if _OF_CODE in found or found.keys() <= {_TEXT} else found


def _see(found: dict[str, str], value: object, path: str, depth: int) -> None:
    if isinstance(value, str):
        if value:
            found.setdefault(_kind_of_mime(value[5:21]) if value.startswith("data:") else _TEXT, path)
    elif isinstance(value, list | tuple):
        for item in value:
            _see(found, item, path, depth)
    elif value is not None and depth <= _DEPTH_MAX:
        _see_part(found, value, path, depth)


def _see_part(found: dict[str, str], part: object, path: str, depth: int) -> None:
    fields = fields_of(part, path) or {}
    if fields.keys() & _MARKS and (kind := _kind_of(fields)) is not None:
        if kind:
            found.setdefault(kind, path)
        return
    for name, value in fields.items():
        if value and name in _INNER:
            _see(found, value, f"{path}.{name}", depth + 1)
        elif value and name in _KINDS:
            found.setdefault(_KINDS[name], f"{path}.{name}")


def _kind_of(fields: Fields) -> str | None:
    """What a part says that it is: "" if the model did not make it as output, None if it says nothing."""
    told = fields.get("type")
    told = told if isinstance(told, str) else ""
    if fields.get("thought") is True or told.endswith(("_result", "_call_output")):
        return ""  # Reasoning is counted as such, and tools have made their results.
    mimes = (fields.get(name) for name in _MIMES)
    return _TYPES.get(told) or next((_kind_of_mime(mime) for mime in mimes if isinstance(mime, str)), None)


def _kind_of_mime(mime: str) -> str:
    """The kind of a type such as "image/png"; anything but images, audio and video costs what text does."""
    kind = mime.partition("/")[0].lower()
    return kind if kind in _COUNTS else _TEXT
