"""Request ids, and the digests that tell whether a retry asks for the same thing."""

import hashlib
import os
import time

from budgetd_server.domain.commands import Request


def request_of(request_id: str, *fields: object) -> Request:
    """A request's id and digest.

    Args:
        request_id: The caller's; empty: one is made, a UUIDv7 (RFC 9562), whose order is that of time.
        fields: What was asked, as it was sent, before defaults and prices: numbers, texts, None, and sequences of
            them. Their ASCII form is the same in every version of Python, and made in one call: this is on the way of
            each charge.
    """
    return Request(request_id or _uuid7(), hashlib.sha256(ascii(fields).encode("ascii")).digest())


def _uuid7() -> str:
    value = time.time_ns() // 1_000_000 << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
