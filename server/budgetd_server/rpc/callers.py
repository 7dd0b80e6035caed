"""Who calls, as far as the server knows."""

from typing import NamedTuple


class Caller(NamedTuple):
    """The caller of one RPC."""

    #: How long the caller waits; None: for as long as it takes.
    timeout_seconds: float | None = None
