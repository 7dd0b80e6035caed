"""Who calls over HTTP, as far as the server knows: the one place where a caller will have to prove it."""

from typing import NamedTuple

from starlette.requests import Request


class Caller(NamedTuple):
    """The caller of one request."""

    #: What it says of itself (`Authorization`), unproven: there are no tokens yet. None: nothing.
    authorization: str | None


def caller_of(request: Request) -> Caller:
    """The caller; called before a body is read, so that whoever has no right to it is refused unheard."""
    return Caller(request.headers.get("authorization"))
