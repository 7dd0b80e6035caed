"""The row of the registry that each command has next to its rule."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from budgetd_server.domain.commands import Command, Outcome, Rpc
from budgetd_server.domain.needs import Needs
from budgetd_server.domain.results import Result
from budgetd_server.domain.status import budget_status, limit_statuses
from budgetd_server.domain.turn import Turn

C = TypeVar("C", bound=Command[Any])


def as_it_was(turn: Turn, command: Command[Any], first: Outcome[Any]) -> Outcome[Any]:
    """A replay that adds nothing to the first outcome."""
    del turn, command
    return first


def with_budget(turn: Turn, command: Any, first: Outcome[Any]) -> Outcome[Any]:
    """A replay that adds the command's budget and its limits as they are now, if it still exists."""
    budget = turn.state.budgets.get((command.project_id, command.budget_id))
    if budget is None:
        return first
    return first._replace(limits=limit_statuses(budget, turn.now_us), budget=budget_status(budget, turn.now_us))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[C]):
    """How one command is carried out."""

    command: type[C]
    result: type[Result]
    #: The scope of the command's request id; None: it has no request id, and is harmless when carried out again.
    rpc: Rpc | None = None
    #: Adds what the command touches, besides its request id.
    needs: Callable[[Needs, C], None]
    #: Changes the working set; raises a Refusal before it has changed anything.
    carry_out: Callable[[Turn, C], Outcome[Any]]
    #: Completes the first outcome for a retry.
    replay: Callable[[Turn, C, Outcome[Any]], Outcome[Any]] = as_it_was
    #: True: the metrics count each of these commands as one charge, by what became of it.
    is_charge: bool = False
    #: The money that a first outcome has charged, in nano-USD, for the metrics; None: the command charges none.
    charged_nano_usd: Callable[[C, Any], int] | None = None
    #: False: the request id is not remembered yet, since more commands of the same request follow; None: it always is.
    completes: Callable[[C], bool] | None = None
