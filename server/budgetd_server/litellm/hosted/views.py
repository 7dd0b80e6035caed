"""Views: a view identifies one load by a client, and is named by a marker in each record.

LiteLLM's class sends back unknown keys of a record. So `/get_budget` adds one to each record, which names the view and
holds the record as it was given; each save then contains what it is based on.
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
    """One load of a project by a client."""

    view_id: str
    #: How many records it returned.
    records: int
    #: The key of the newest budget that it returned; it returned every live budget up to it. 0 if there was none.
    until_key: int

    @classmethod
    def new(cls, records: int, until_key: int) -> Self:
        """Create a view with a new id."""
        return cls(os.urandom(8).hex(), records, until_key)

    @classmethod
    def parse(cls, text: object) -> "View | None":
        """Parse the view of a marker. Returns None if this server did not write it."""
        return _parsed(text) if isinstance(text, str) and len(text) <= TEXT_CHARACTERS_MAX else None

    def __str__(self) -> str:
        return f"{self.view_id}.{self.records}.{self.until_key}"

    def marked(self, record: dict[str, Any]) -> dict[str, Any]:
        """Return a record with the marker of this view."""
        return {**record, MARKER: {"view": str(self), "given": record}}


@lru_cache(maxsize=256)
def _parsed(text: str) -> View | None:
    """Cached, since all records of a save name the same view."""
    match = _TEXT.fullmatch(text)
    return None if match is None else View(match[1], int(match[2]), int(match[3]))


def client_of_new(view: View | None, created_at: object) -> str:
    """Return the client of a record without a marker, whose user was created since the load.

    The view of the other records in the save identifies it. Without one, the creation time in the record does, which by
    default is the start of the process. All records with neither belong to one client.
    """
    if view is not None:
        return f"{view.view_id}/new"
    is_time = isinstance(created_at, int | float) and not isinstance(created_at, bool)
    return f"created {created_at!r}"[:CLIENT_CHARACTERS_MAX] if is_time else ""
