"""A program with a planted mistake: the real server, whose rules raise at every charge."""

from budgetd_server.cli import main
from budgetd_server.domain import decide
from budgetd_server.domain.commands import Charge, Command, Outcome
from budgetd_server.domain.state import State
from budgetd_server.engine import writer


def decide_wrongly(state: State, command: Command, now_us: int) -> Outcome:
    """The real function, except for charges."""
    if isinstance(command, Charge):
        raise RuntimeError("a planted mistake")
    return decide.decide(state, command, now_us)


if __name__ == "__main__":
    writer.decide = decide_wrongly
    main()
