"""What clients have saved before, so that records that have not changed since are passed by.

Nothing depends on it: what is forgotten is compared in the ledger again, where it changes nothing either.
"""

from collections import OrderedDict
from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

import orjson

#: Digests kept; each takes some 150 bytes.
DIGESTS_MAX = 200_000

Client = tuple[str, str]


def digest(record: dict[str, Any]) -> bytes:
    """What stands for a record as it was sent."""
    return blake2b(orjson.dumps(record), digest_size=16).digest()


class Unchanged:
    """The digests of the records that each client has saved; those of the least recently seen are forgotten first."""

    def __init__(self, digests_max: int = DIGESTS_MAX) -> None:
        self._digests_max = digests_max
        self._count = 0
        self._clients: OrderedDict[Client, dict[str, bytes]] = OrderedDict()

    def holds(self, client: Client, user: str, seen: bytes) -> bool:
        """True if this is the record that the client's last save of this user has brought."""
        digests = self._clients.get(client)
        return digests is not None and digests.get(user) == seen

    def forget(self, client: Client, users: Iterable[str]) -> None:
        """Remember nothing of some users."""
        digests = self._clients.get(client, {})
        for user in users:
            self._count -= digests.pop(user, None) is not None

    def keep(self, client: Client, user: str, seen: bytes) -> None:
        """Remember a record that is in the ledger."""
        digests = self._clients.setdefault(client, {})
        self._count += user not in digests
        digests[user] = seen
        self._clients.move_to_end(client)
        while self._count > self._digests_max and len(self._clients) > 1:
            _, forgotten = self._clients.popitem(last=False)
            self._count -= len(forgotten)
