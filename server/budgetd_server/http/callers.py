"""Who calls over HTTP, as far as the server knows: the one place where a caller will have to prove it."""

from typing import NamedTuple

from starlette.requests import Request


class CallerRefused(Exception):
    """A caller that is not served; `status` is HTTP's code, the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Caller(NamedTuple):
    """The caller of one request."""

    #: What it says of itself (`Authorization`), unproven: there are no tokens yet. None: nothing.
    authorization: str | None


def caller_of(request: Request) -> Caller:
    """The caller; called before a body is read, so that whoever has no right to it is refused unheard.

    Raises:
        CallerRefused: It is a web page. Browsers let any page post to servers of their machine, and tell whose it is
            by `Origin`, which no other client sends.
    """
    if "origin" in request.headers:
        raise CallerRefused(403, "pages in browsers are not served")
    return Caller(request.headers.get("authorization"))
