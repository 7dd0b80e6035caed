"""Identifies callers over HTTP: the only place that will have to authenticate them."""

from starlette.requests import Request


class CallerRefused(Exception):
    """The caller is refused; `status` is the HTTP status code, the text says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


def check_caller(request: Request) -> None:
    """Check that the caller may be served. Called before the body is read, so that no refused caller's body is.

    There are no tokens yet, so the `Authorization` header is not read.

    Raises:
        CallerRefused: The request comes from a web page. Browsers let any page post to servers on their machine, and
            then send `Origin`, which no other client does.
    """
    if "origin" in request.headers:
        raise CallerRefused(403, "pages in browsers are not served")
