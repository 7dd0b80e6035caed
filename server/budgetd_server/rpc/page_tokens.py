"""Page tokens: where a list goes on, bound to what was listed."""

import base64
import hashlib

from google.protobuf.message import Message

from budgetd_server.rpc.checks import Checks

_DIGEST_BYTES = 8
#: Before a name, so that no number is taken for one.
_NAME = b"="
#: The longest name of a model takes no more.
_KEY_BYTES_MAX = 2_048


def page_token(query: Message, position: int | str | None) -> str:
    """The token that goes on at a position of this query; empty for None, the end."""
    if position is None:
        return ""
    key = _NAME + position.encode() if isinstance(position, str) else position.to_bytes(8, signed=True)
    return base64.urlsafe_b64encode(_digest(query) + key).decode().rstrip("=")


def position_of(checks: Checks, token: str, query: Message) -> int | None:
    """The number at which a query goes on; None: at its beginning. A token of another query is refused."""
    key = _key(checks, token, query)
    if key is not None and len(key) != 8:
        _refuse(checks, token)
        return None
    return None if key is None else int.from_bytes(key, signed=True)


def name_of(checks: Checks, token: str, query: Message) -> str | None:
    """The name at which a query goes on, as `position_of` for lists that are sorted by name."""
    key = _key(checks, token, query)
    if key is None:
        return None
    try:
        name = key.removeprefix(_NAME).decode()
    except UnicodeDecodeError:
        name = ""
    if not key.startswith(_NAME) or not name:
        _refuse(checks, token)
        return None
    return name


def _key(checks: Checks, token: str, query: Message) -> bytes | None:
    if not token:
        return None
    try:
        # Strict, or characters that no token has would be passed over. A token has no padding of its own.
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        content = b""
    digest, key = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if not 1 <= len(key) <= _KEY_BYTES_MAX:
        _refuse(checks, token)
    elif digest != _digest(query):
        checks.refuse("page_token", "must be of the same query, all other fields unchanged", token)
    else:
        return key
    return None


def _refuse(checks: Checks, token: str) -> None:
    checks.refuse("page_token", "must be the next_page_token of an earlier page", token)


def _digest(query: Message) -> bytes:
    """Of everything but the page: one server writes and reads it, so its own serialization will do."""
    plain = type(query)()
    plain.CopyFrom(query)
    plain.ClearField("page_token")
    plain.ClearField("page_size")
    return hashlib.sha256(plain.SerializeToString(deterministic=True)).digest()[:_DIGEST_BYTES]
