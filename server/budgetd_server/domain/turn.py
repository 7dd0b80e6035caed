"""The handle that the rules pass on: the working set, the time and the request id."""

from dataclasses import dataclass

from budgetd_server.domain.state import State


@dataclass(slots=True)
class Turn:
    """The context of one command. Never changed after creation; not frozen, because that is slower."""

    state: State
    #: The time of the transaction.
    now_us: int
    #: The request id for the entries that the command writes. Empty: no caller requested them.
    request_id: str = ""
