"""Remembers what clients have saved, so that unchanged records can be skipped.

It is only a cache: records that are not remembered, after a restart or because they were evicted, are compared in the
ledger, and change nothing there either.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import orjson

#: How many records are remembered; each takes some 250 bytes.
RECORDS_MAX = 200_000

Client = tuple[str, str]


def digest(value: object) -> bytes:
    """Hash a JSON value. Returns empty bytes if it cannot be hashed."""
    try:
        return blake2b(orjson.dumps(value), digest_size=16).digest()
    except TypeError:  # Nested too deeply, or not valid Unicode.
        return b""


class Seen(NamedTuple):
    """A record that is in the ledger."""

    digest: bytes
    #: When it was last saved.
    at_us: int


#: Marks a record that was not accepted: any next record counts as changed.
UNSETTLED = Seen(b"", 0)


class Unchanged:
    """The records that each client has saved. The least recently seen clients are evicted first."""

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._records_max = records_max
        self._count = 0
        self._clients: OrderedDict[Client, dict[str, Seen]] = OrderedDict()

    def begin(self, client: Client) -> None:
        """Start to remember a client that has saved nothing yet, or whose records have all been compared."""
        if client not in self._clients:
            self._clients[client] = {}
            self._count += 1
        self._clients.move_to_end(client)
        while self._count > self._records_max:
            _, forgotten = self._clients.popitem(last=False)
            self._count -= len(forgotten) + 1

    def knows(self, client: Client) -> bool:
        """Whether all saves of the client are remembered, so that an unknown record was never saved."""
        return client in self._clients

    def seen(self, client: Client, user: str) -> Seen | None:
        """Return the record of a user that the client has saved last, or None if unknown."""
        records = self._clients.get(client)
        return None if records is None else records.get(user)

    def keep(self, client: Client, user: str, seen: Seen) -> None:
        """Remember a record that is in the ledger."""
        records = self._clients.get(client)
        if records is None:
            return  # The client was evicted; its records will be compared in the ledger.
        self._count += user not in records
        records[user] = seen

    def forget(self, client: Client, users: Iterable[str]) -> None:
        """Forget the records of some users."""
        records = self._clients.get(client, {})
        for user in users:
            self._count -= records.pop(user, None) is not None
