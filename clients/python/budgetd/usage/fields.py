"""Reads the fields of objects of any library, and of dictionaries made of them, into plain dictionaries.

No provider's library is imported: each kind of class is read the way it keeps its fields.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from numbers import Number
from typing import Any

from budgetd.usage.errors import UsageValueError

#: The deepest nesting and the most values of a usage that can be read.
DEPTH_MAX = 8
LEAVES_MAX = 10_000
# The concrete types come first, since asking the abstract one takes longer.
_SCALARS = (str, int, float, bytes, Decimal, Number)

Fields = Mapping[str, object]


def get(holder: object, name: str) -> object:
    """Return a field of an object or a dictionary. Returns None if it has no such field.

    Raises:
        UsageValueError: The access raised an error.
    """
    try:
        if type(holder) is dict or isinstance(holder, Mapping):
            return holder.get(name)
        return getattr(holder, name, None)
    except Exception as error:
        raise UsageValueError(name, f"must be readable ({type(error).__name__} was raised)", error) from error


def fields_of(holder: object, path: str) -> Fields | None:
    """Return all fields of an object or a dictionary. Returns None for values without fields: numbers, lists.

    Raises:
        UsageValueError: Reading a field raised an error.
    """
    if type(holder) is dict:
        return holder
    try:
        read = _reader_of(type(holder))  # type: ignore[arg-type] # mypy doubts that classes hash.
        return None if read is None else read(holder)
    except Exception as error:
        raise UsageValueError(path, f"must be readable ({type(error).__name__} was raised)", error) from error


def leaves_of(fields: Fields, path: str) -> dict[str, object]:
    """Return every value by its path below `fields`, without zeros and Nones.

    An item of a list is named by its modality if it has one, else by its index.
    """
    found: dict[str, object] = {}
    _collect_fields(found, "", fields, path, 1)
    return found


def _collect_fields(found: dict[str, object], prefix: str, fields: Fields, path: str, depth: int) -> None:
    if depth > DEPTH_MAX or len(found) > LEAVES_MAX:
        rule = f"must be nested at most {DEPTH_MAX} deep and have at most {LEAVES_MAX:,} values"
        raise UsageValueError(path, rule, f"more at {prefix}")
    for key, value in fields.items():
        # Nearly all values are None or a whole number, so these two come first.
        if value is None or (type(value) is int and not value):
            continue
        name = f"{prefix}{key}"
        if type(value) is int and name not in found:
            found[name] = value
        else:
            _collect(found, name, value, path, depth)


def _collect(found: dict[str, object], name: str, value: object, path: str, depth: int) -> None:
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, list | tuple) and value and not hasattr(value, "_fields"):
        items = dict(zip(_item_names(value), value, strict=True))
        _collect_fields(found, f"{name}.", items, path, depth + 1)
    elif fields := fields_of(value, f"{path}.{name}"):
        _collect_fields(found, f"{name}.", fields, path, depth + 1)
    elif isinstance(value, _SCALARS):
        # False is not a zero count. A Decimal may be one that cannot be compared.
        if isinstance(value, bool | Decimal) or value != 0:
            _add(found, name, value, path)
    elif not _is_unset(value, f"{path}.{name}"):
        _add(found, name, value, path)  # Empty: refused if it is in the place of a count.


def _is_unset(value: object, path: str) -> bool:
    """Return True for a false object other than a collection: some libraries use one for a field that was not set.

    Raises:
        UsageValueError: Its truth value cannot be read.
    """
    try:
        return not isinstance(value, Collection) and not value
    except Exception as error:
        raise UsageValueError(path, f"must be readable ({type(error).__name__} was raised)", error) from error


def _add(found: dict[str, object], name: str, value: object, path: str) -> None:
    if name in found:
        raise UsageValueError(f"{path}.{name}", "must be there only once", value)
    found[name] = value


def _item_names(items: Sequence[object]) -> list[str]:
    """Return a name for each item: its modality, or its type if it has a count; else, or if shared, its index."""
    modalities = [_modality(item) for item in items]
    alone = {modality for modality, count in Counter(modalities).items() if modality and count == 1}
    return [modality if modality in alone else str(index) for index, modality in enumerate(modalities)]


def _modality(item: object) -> str:
    if isinstance(item, _SCALARS) or item is None:
        return ""
    modality = get(item, "modality") or (get(item, "type") if get(item, "count") is not None else None)
    text = getattr(modality, "value", modality)
    if not isinstance(text, str) or len(text) > 32:
        return ""
    return text.lower() if text.replace("_", "").isalpha() else ""


@lru_cache(maxsize=512)
def _reader_of(kind: type) -> Callable[[Any], Fields] | None:
    """Return the function that reads objects of a class. None if they have no fields."""
    if issubclass(kind, Mapping):
        return dict
    if issubclass(kind, (*_SCALARS, list, set, frozenset, bytearray, type(None))) or kind is tuple:
        return None
    for mark, read in _READERS:
        if hasattr(kind, mark):
            return read
    if kind.__module__.partition(".")[0] in {*sys.stdlib_module_names, "builtins"} and not kind.__dictoffset__:
        return None  # A date, an identifier or a function has no counts.
    names = tuple(_public_names(kind))
    if hasattr(kind, "__getattr__") or inspect.isfunction(kind.__getattribute__):
        # Such a class computes its fields on access and cannot list them, so all known names are read.
        return lambda holder: _of_object(holder, (*names, *_known_names()))
    return lambda holder: _of_object(holder, names)


def _of_pydantic(holder: Any) -> Fields:
    own: dict[str, object] = holder.__dict__
    extra = getattr(holder, "__pydantic_extra__", None)
    if not extra:
        return own
    # Mistral's classes declare the extra fields as one of their own.
    return {**{name: value for name, value in own.items() if name != "__pydantic_extra__"}, **extra}


def _of_protobuf(message: Any) -> Fields:
    """Read a message, including zero numbers, which protobuf neither stores nor lists."""
    names = (field.name for field in message.DESCRIPTOR.fields if not field.has_presence)
    zeros = {name: 0 for name in names if type(getattr(message, name)) in (int, float)}
    return zeros | {field.name: value for field, value in message.ListFields()}


#: The attributes that identify classes of pydantic 2 and 1, named tuples, protobuf and proto-plus.
_READERS: tuple[tuple[str, Callable[[Any], Fields]], ...] = (
    ("__pydantic_fields__", _of_pydantic),
    ("model_fields", _of_pydantic),
    ("__fields_set__", _of_pydantic),
    ("_asdict", lambda holder: dict(holder._asdict())),
    ("ListFields", _of_protobuf),
    ("pb", lambda holder: _of_protobuf(type(holder).pb(holder))),
)


def _of_object(holder: Any, names: tuple[str, ...]) -> Fields:
    own = getattr(holder, "__dict__", {})
    found = {name: value for name, value in own.items() if not name.startswith("_")}
    for name in names:
        if name not in found:
            value = getattr(holder, name, None)
            if value is not None and not callable(value):
                found[name] = value
    return found


def _public_names(kind: type) -> Iterator[str]:
    """Yield the public names that a class defines for its objects: slots, properties and constants, not methods."""
    for owner in kind.__mro__[:-1]:
        for name, value in vars(owner).items():
            if not name.startswith("_") and not inspect.isroutine(value) and not isinstance(value, type):
                yield name


def _known_names() -> tuple[str, ...]:
    from budgetd.usage.recogniser import KNOWN_NAMES  # noqa: PLC0415 - a cycle: it imports all dialects, which import this module.

    return KNOWN_NAMES
