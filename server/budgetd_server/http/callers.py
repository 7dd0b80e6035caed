"""Identifies callers over HTTP: the only place that will have to authenticate them."""

from typing import NamedTuple

from starlette.requests import Request


class CallerRefused(Exception):
    """The caller is refused; `status` is the HTTP status code, the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class HttpCaller(NamedTuple):
    """The caller of one HTTP request."""

    #: Its `Authorization` header, not verified: there are no tokens yet. None if there is none.
    authorization: str | None


def parse_caller(request: Request) -> HttpCaller:
    """Identify the caller; called before the body is read, so that no body of a refused caller is.

    Raises:
        CallerRefused: The request comes from a web page. Browsers let any page post to servers on their machine, and
            then send `Origin`, which no other client does.
    """
    if "origin" in request.headers:
        raise CallerRefused(403, "pages in browsers are not served")
    return HttpCaller(request.headers.get("authorization"))
