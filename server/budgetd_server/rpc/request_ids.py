"""Request ids, and the digests that show whether a retry is the same request."""

import hashlib
import os
import time

from budgetd_server.domain.commands import Request


def request_of(request_id: str, *fields: object) -> Request:
    """Return a request's id and digest.

    Args:
        request_id: The caller's; if empty, a UUIDv7 (RFC 9562), which sorts by time, is generated.
        fields: The request as it was sent, before defaults and prices: numbers, texts, None, and sequences of them.
            Their `ascii` form is the same in every version of Python, and one call makes it: this runs for each charge.
    """
    return Request(request_id or _uuid7(), hashlib.sha256(ascii(fields).encode("ascii")).digest())


def _uuid7() -> str:
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
