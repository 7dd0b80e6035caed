"""A program with a planted bug: the real server, whose rules raise at every charge."""

from typing import Any

from budgetd_server.cli import main
from budgetd_server.domain import decide
from budgetd_server.domain.commands import Charge, Command, Outcome
from budgetd_server.domain.state import State
from budgetd_server.engine import writer


def decide_wrongly(state: State, command: Command[Any], now_us: int) -> Outcome[Any]:
    """The real function, except for charges."""
    outcome = decide.decide(state, command, now_us)
    assert not isinstance(command, Charge), "a planted bug"
    return outcome


if __name__ == "__main__":
    setattr(writer, "decide", decide_wrongly)  # noqa: B010 - it is the name that the writer looks up.
    main()
