"""Every field of every request, found in the service's descriptor, and the way to it."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from budgetd_server.rpc.handlers import SERVICE
from tests.rpc.bad_input_table import RULES
from tests.rpc.bad_values import Descend, Exempt, Rule
from tests.rpc.valid_requests import MAKES_ROOM, PARTS, VALID


class Place(NamedTuple):
    """A field as it is reached from a request."""

    rpc: str
    fields: tuple[FieldDescriptor, ...]

    @property
    def names(self) -> str:
        """Such as "CreateBudgetRequest.budget.limits"."""
        return ".".join([VALID[self.rpc].DESCRIPTOR.name, *(field.name for field in self.fields)])

    @property
    def keys(self) -> tuple[str, str]:
        """The scope of its rule: for this request, or for the message wherever it is."""
        field = self.fields[-1]
        assert field.containing_type is not None
        return self.names, f"{field.containing_type.name}.{field.name}"

    @property
    def rule(self) -> Rule | Exempt | Descend | None:
        """None if the table has no entry for it."""
        if self.fields[-1].type == FieldDescriptor.TYPE_BOOL:
            return Exempt("both values are fine")
        own, of_message = self.keys
        return RULES.get(own) or RULES.get(of_message)


def is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.GetOptions().map_entry


def _places(rpc: str, message: Descriptor, above: tuple[FieldDescriptor, ...] = ()) -> Iterator[Place]:
    for field in message.fields:
        place = Place(rpc, (*above, field))
        yield place
        if isinstance(place.rule, Descend):
            assert field.message_type is not None
            yield from _places(rpc, field.message_type, place.fields)


PLACES = [place for method in SERVICE.methods for place in _places(method.name, method.input_type)]


def reached(place: Place) -> tuple[Message, Any, str]:
    """A valid request, the message in it that has the field, and that message's path."""
    request: Any = type(VALID[place.rpc])()
    request.CopyFrom(VALID[place.rpc])
    message, path = request, ""
    for depth, field in enumerate(place.fields):
        above = Place(place.rpc, place.fields[: depth + 1])
        for key in above.keys:
            MAKES_ROOM.get(key, lambda _: None)(message)
        if depth == len(place.fields) - 1:
            break
        assert field.message_type is not None
        path += field.name
        if field.is_repeated:
            items = getattr(message, field.name)
            if not items:
                items.add().CopyFrom(PARTS[field.message_type.name])
            message, path = items[0], f"{path}[0]."
        else:
            if not message.HasField(field.name):
                getattr(message, field.name).CopyFrom(PARTS[field.message_type.name])
            message, path = getattr(message, field.name), f"{path}."
    return request, message, path


def set_field(message: Any, field: FieldDescriptor, value: Any) -> str:
    """Set a field; returns what its path has behind its name."""
    if is_map(field):
        getattr(message, field.name).update(value)
    elif field.is_repeated:
        del getattr(message, field.name)[:]
        getattr(message, field.name).append(value)
        return "[0]" if field.message_type is None else ""
    elif field.message_type is not None:
        getattr(message, field.name).CopyFrom(value)
    else:
        setattr(message, field.name, value)
    return ""
