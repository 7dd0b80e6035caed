"""Page tokens: the position at which a list continues, bound to its query."""

import base64
import hashlib

from google.protobuf.message import Message

from budgetd_server.rpc.checks import Checks

_DIGEST_BYTES = 8
#: Precedes a name, so that a name cannot be mistaken for a number.
_NAME = b"="
#: Enough for the longest name of a model.
_KEY_BYTES_MAX = 2_048


def page_token(query: Message, position: int | str | None) -> str:
    """Encode the position at which this query continues; empty for None, the end of the list."""
    if position is None:
        return ""
    key = _NAME + position.encode() if isinstance(position, str) else position.to_bytes(8, signed=True)
    return base64.urlsafe_b64encode(_digest(query) + key).decode().rstrip("=")


def parse_position(checks: Checks, token: str, query: Message) -> int | None:
    """Decode the number at which a query continues; None at its beginning. A token of another query is refused."""
    key = _key(checks, token, query)
    if key is not None and len(key) != 8:
        _refuse(checks, token)
        return None
    return None if key is None else int.from_bytes(key, signed=True)


def parse_name(checks: Checks, token: str, query: Message) -> str | None:
    """Decode the name at which a query continues, as `parse_position` does for lists that are sorted by name."""
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
        # Strict, since a lenient decoder ignores characters that no token has. Tokens are sent without padding.
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        content = b""
    digest, key = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    if not 1 <= len(key) <= _KEY_BYTES_MAX:
        _refuse(checks, token)
    elif digest != _digest(query):
        checks.refuse("page_token", "must come from the same query, with all other fields unchanged", token)
    else:
        return key
    return None


def _refuse(checks: Checks, token: str) -> None:
    checks.refuse("page_token", "must be the next_page_token of an earlier page", token)


def _digest(query: Message) -> bytes:
    """Hash all fields but the page's. One server writes and reads tokens, so its own serialization suffices."""
    plain = type(query)()
    plain.CopyFrom(query)
    plain.ClearField("page_token")
    plain.ClearField("page_size")
    return hashlib.sha256(plain.SerializeToString(deterministic=True)).digest()[:_DIGEST_BYTES]
