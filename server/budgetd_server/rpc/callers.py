"""What handlers know of the caller of an RPC."""

from typing import NamedTuple


class RpcCaller(NamedTuple):
    """The caller of one RPC."""

    #: The deadline as seconds from the start of the call; None if there is none.
    timeout_seconds: float | None = None
