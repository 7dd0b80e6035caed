"""The handle that the rules pass on: whose working set, when, and for which request."""

from dataclasses import dataclass

from budgetd_server.domain.state import State


@dataclass(slots=True)
class Turn:
    """One command being carried out. Made once for each command and never changed; not frozen, which takes longer."""

    state: State
    #: The time of the transaction.
    now_us: int
    #: The request id that the entries which it asks for carry; empty: nobody asked.
    request_id: str = ""
