"""What clients have saved before, so that records that have not changed since are passed by.

Nothing depends on it: what a client has saved that is not known here, after a restart or because there was no room, is
compared in the ledger, all of it, and changes nothing there either.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

import orjson

#: Records remembered; each takes some 250 bytes.
RECORDS_MAX = 200_000

Client = tuple[str, str]


def digest(value: object) -> bytes:
    """What stands for a JSON value; empty: it is none that could be kept."""
    try:
        return blake2b(orjson.dumps(value), digest_size=16).digest()
    except TypeError:  # Nested deeply, or no Unicode.
        return b""


class Seen(NamedTuple):
    """A record that is in the ledger."""

    digest: bytes
    #: When it was last saved.
    at_us: int


#: Stands for a record that was not taken: whatever comes next is another one.
UNSETTLED = Seen(b"", 0)


class Unchanged:
    """The records that each client has saved; those of the least recently seen clients are forgotten first."""

    def __init__(self, records_max: int = RECORDS_MAX) -> None:
        self._records_max = records_max
        self._count = 0
        self._clients: OrderedDict[Client, dict[str, Seen]] = OrderedDict()

    def begin(self, client: Client) -> None:
        """From now on all is known that the client saves: it has saved nothing yet, or all that it has was compared."""
        if client not in self._clients:
            self._clients[client] = {}
            self._count += 1
        self._clients.move_to_end(client)
        while self._count > self._records_max:
            _, forgotten = self._clients.popitem(last=False)
            self._count -= len(forgotten) + 1

    def knows(self, client: Client) -> bool:
        """True if a record that is not remembered was never saved; False: it may have been."""
        return client in self._clients

    def seen(self, client: Client, user: str) -> Seen | None:
        """The record of a user that the client has saved last; None: it is not known."""
        records = self._clients.get(client)
        return None if records is None else records.get(user)

    def keep(self, client: Client, user: str, seen: Seen) -> None:
        """Remember a record that is in the ledger."""
        records = self._clients.get(client)
        if records is None:
            return  # It has been forgotten, and will be compared.
        self._count += user not in records
        records[user] = seen

    def forget(self, client: Client, users: Iterable[str]) -> None:
        """Remember nothing of some users."""
        records = self._clients.get(client, {})
        for user in users:
            self._count -= records.pop(user, None) is not None
