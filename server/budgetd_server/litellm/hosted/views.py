"""Views: what one load has given to a client, as the marker in each record tells it.

LiteLLM's class hands back every key of a record that it does not know. So `/get_budget` puts one into each record, that
names the view and holds the record as it was given; a save then tells by itself what it was based on.
"""

import os
import re
from functools import lru_cache
from typing import Any, NamedTuple, Self

#: The key of a record that holds its marker.
MARKER = "budgetd"
CLIENT_CHARACTERS_MAX = 64
TEXT_CHARACTERS_MAX = 54
_TEXT = re.compile(r"([0-9a-f]{16})\.([0-9]{1,18})\.([0-9]{1,18})")


class View(NamedTuple):
    """What one load has given."""

    view_id: str
    #: How many records it gave.
    records: int
    #: The key of the newest budget that it gave: every live budget up to it was given. 0: it gave none.
    until_key: int

    @classmethod
    def new(cls, records: int, until_key: int) -> Self:
        """A view that nobody has seen."""
        return cls(os.urandom(8).hex(), records, until_key)

    @classmethod
    def parse(cls, text: object) -> "View | None":
        """The view of a marker; None: it is none of ours."""
        return _parsed(text) if isinstance(text, str) and len(text) <= TEXT_CHARACTERS_MAX else None

    def __str__(self) -> str:
        return f"{self.view_id}.{self.records}.{self.until_key}"

    def marked(self, record: dict[str, Any]) -> dict[str, Any]:
        """A record as it is given in this view."""
        return {**record, MARKER: {"view": str(self), "given": record}}


@lru_cache(maxsize=256)
def _parsed(text: str) -> View | None:
    """Kept, since all records of a save tell of the same view."""
    match = _TEXT.fullmatch(text)
    return None if match is None else View(match[1], int(match[2]), int(match[3]))


def client_of_new(view: View | None, created_at: object) -> str:
    """The client of a record without a marker: its user was created since the load.

    It is told by the view of the other records in the save. If there is none, by the time at which the class says the
    user was created, which by default is when the process began. Records with neither are all of one client.
    """
    if view is not None:
        return f"{view.view_id}/new"
    is_time = isinstance(created_at, int | float) and not isinstance(created_at, bool)
    return f"created {created_at!r}"[:CLIENT_CHARACTERS_MAX] if is_time else ""
