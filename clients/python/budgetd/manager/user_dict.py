"""`user_dict`: a view of the service in place of the dictionary that LiteLLM's class keeps in memory.

The views are dictionaries, so that `json.dumps`, equality and `**` work. A record is read on access and is a snapshot;
all records are read again whenever the whole dictionary is used. Each edit is carried out at once, by the calls that
docs/litellm-compatibility.md lists. An edit that cannot be expressed raises an error; no edit is dropped.
"""

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, Protocol, Self

#: A placeholder in the storage of a view. If the storage were empty, the C code of `json` would write `{}`.
_UNREAD = "\0unread"


class Editor(Protocol):
    """Carries out the edits: the manager."""

    def get_record(self, user: str) -> dict[str, Any]:
        """Return one user's record. Raises KeyError for an unknown user."""

    def get_records(self) -> dict[str, dict[str, Any]]:
        """Return all users' records."""

    def edit_record(self, user: str, key: str, value: Any) -> dict[str, Any]:
        """Set a key of a record, and return the new record."""

    def edit_model_cost(self, user: str, model: str, value: float) -> dict[str, Any]:
        """Set the cost of a model, and return the new record."""

    def put_record(self, user: str, record: Mapping[str, Any]) -> dict[str, Any]:
        """Set a whole record, and return the new one."""

    def delete_user(self, user: str) -> None:
        """Delete a user. Raises KeyError for an unknown one."""


class _Edited(dict[str, Any]):
    """A dictionary that carries out every change as assignments and deletions of single keys."""

    def update(self, *others: Any, **values: Any) -> None:
        """Assign each item."""
        for key, value in dict(*others, **values).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override, misc]
        self.update(other)
        return self

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Assign the default if there is no such key."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Delete a key and return its value."""
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple[str, Any]:
        """Delete the last key."""
        for key in reversed(list(self)):
            return key, self.pop(key)
        raise KeyError("popitem(): dictionary is empty")

    def clear(self) -> None:
        """Delete every key."""
        for key in list(self):
            del self[key]

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, or a pickle, is a plain dictionary: it edits nothing.
        return dict, (dict(self.items()),)


class RecordView(_Edited):
    """A snapshot of a user's record. An edit is sent to the service and updates this copy."""

    def __init__(self, editor: Editor, user: str, record: Mapping[str, Any]) -> None:
        super().__init__()
        self._editor, self._user = editor, user
        self._take(record)

    def __setitem__(self, key: str, value: Any) -> None:
        self._take(self._editor.edit_record(self._user, key, value))

    def __delitem__(self, key: str) -> None:
        """Delete the duration, so that the budget never ends, or the costs, so that they are zero again."""
        if key not in self:
            raise KeyError(key)
        if key == "duration":
            self[key] = None
        elif key in ("current_cost", "model_cost"):
            self["current_cost"] = 0
        else:
            raise ValueError(f"{key} is part of every such record and cannot be deleted")

    def _take(self, record: Mapping[str, Any]) -> None:
        """Replace the content of this copy."""
        dict.clear(self)
        dict.update(self, record)
        if "model_cost" in record:
            costs = ModelCosts(self._editor, self._user, self, record["model_cost"])
            dict.__setitem__(self, "model_cost", costs)


class ModelCosts(_Edited):
    """A user's dollars by model. An edit changes the current cost by the same amount."""

    def __init__(self, editor: Editor, user: str, record: RecordView, costs: Mapping[str, float]) -> None:
        super().__init__()
        self._editor, self._user, self._record = editor, user, record
        dict.update(self, costs)

    def __setitem__(self, model: str, cost: float) -> None:
        self._show(self._editor.edit_model_cost(self._user, model, cost))

    def __delitem__(self, model: str) -> None:
        if model not in self:
            raise KeyError(model)
        self[model] = 0

    def _show(self, record: Mapping[str, Any]) -> None:
        self._record._take(record)  # noqa: SLF001 - the record that this is part of.
        dict.clear(self)
        dict.update(self, record["model_cost"])


class UserDict(_Edited):
    """All users' records."""

    def __init__(self, editor: Editor) -> None:
        super().__init__()
        self._editor = editor
        dict.__setitem__(self, _UNREAD, None)

    def __getitem__(self, user: str) -> RecordView:
        return RecordView(self._editor, user, self._editor.get_record(user))

    def get(self, user: str, default: Any = None) -> Any:
        """Return a user's record, or the default."""
        try:
            return self[user]
        except KeyError:
            return default

    def __setitem__(self, user: str, record: Mapping[str, Any]) -> None:
        self._editor.put_record(user, record)

    def __delitem__(self, user: str) -> None:
        self._editor.delete_user(user)

    def __contains__(self, user: object) -> bool:
        hash(user)
        return isinstance(user, str | int) and self.get(user) is not None  # type: ignore[arg-type]

    def _whole(self) -> dict[str, Any]:
        records = self._editor.get_records()
        return {user: RecordView(self._editor, user, record) for user, record in records.items()}

    def copy(self) -> dict[str, Any]:
        """Return an ordinary dictionary of all records."""
        return self._whole()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return all users."""
        return self._whole().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Return all records."""
        return self._whole().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return all users and their records."""
        return self._whole().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self._whole())

    def __reversed__(self) -> Iterator[str]:
        return reversed(self._whole())

    def __len__(self) -> int:
        return len(self._whole())

    def __eq__(self, other: object) -> bool:
        return self._whole() == (other._whole() if isinstance(other, UserDict) else other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]

    def __or__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        return {**self._whole(), **other}

    def __ror__(self, other: Any) -> dict[str, Any]:  # type: ignore[override]
        return {**other, **self._whole()}

    def __repr__(self) -> str:
        return repr(self._whole())
