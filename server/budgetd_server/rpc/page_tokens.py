"""Page tokens: where a list goes on, bound to what was listed."""

import base64
import hashlib
import struct

from google.protobuf.message import Message

from budgetd_server.rpc.checks import Checks

_FORM = struct.Struct(">8sq")


def page_token(query: Message, position: int | None) -> str:
    """The token that goes on at a position of this query; empty for None, the end."""
    if position is None:
        return ""
    return base64.urlsafe_b64encode(_FORM.pack(_digest(query), position)).decode().rstrip("=")


def position_of(checks: Checks, token: str, query: Message) -> int | None:
    """Where a query goes on; None: at its beginning. A token of another query is refused."""
    if not token:
        return None
    try:
        # Strict, or characters that no token has would be passed over. A token has no padding of its own.
        digest, position = _FORM.unpack(base64.b64decode(token + "==", altchars=b"-_", validate=True))
    except (ValueError, struct.error):
        checks.refuse("page_token", "must be the next_page_token of an earlier page", token)
        return None
    if digest != _digest(query):
        checks.refuse("page_token", "must be of the same query, all other fields unchanged", token)
        return None
    return int(position)


def _digest(query: Message) -> bytes:
    """Of everything but the page: one server writes and reads it, so its own serialization will do."""
    plain = type(query)()
    plain.CopyFrom(query)
    plain.ClearField("page_token")
    plain.ClearField("page_size")
    return hashlib.sha256(plain.SerializeToString(deterministic=True)).digest()[:8]
