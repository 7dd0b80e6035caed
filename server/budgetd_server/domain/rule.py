"""A row of the registry of commands; each command defines its row next to its rule."""

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
    """Replay: return the first outcome unchanged."""
    del turn, command
    return first


def with_budget(turn: Turn, command: Any, first: Outcome[Any]) -> Outcome[Any]:
    """Replay: add the current budget of the command and its limits to the first outcome, if it still exists."""
    budget = turn.state.budgets.get((command.project_id, command.budget_id))
    if budget is None:
        return first
    return first._replace(limits=limit_statuses(budget, turn.now_us), budget=budget_status(budget, turn.now_us))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Generic[C]):
    """How one command is carried out."""

    command: type[C]
    result: type[Result]
    #: The scope of the command's request id. None: it has no request id and is idempotent.
    rpc: Rpc | None = None
    #: Adds what the command needs, except its request id.
    needs: Callable[[Needs, C], None]
    #: Changes the working set; raises a Refusal before it has changed anything.
    carry_out: Callable[[Turn, C], Outcome[Any]]
    #: Completes the first outcome for a retry.
    replay: Callable[[Turn, C, Outcome[Any]], Outcome[Any]] = as_it_was
    #: True: the metrics count each of these commands as one charge, by its outcome.
    is_charge: bool = False
    #: Returns the money that a first outcome charged, in nano-USD, for the metrics. None: the command charges none.
    charged_nano_usd: Callable[[C, Any], int] | None = None
    #: Returns False if more commands of the request follow, so its id is not stored yet. None: it is always stored.
    completes: Callable[[C], bool] | None = None
