"""What a batch of commands needs, so that a ledger can load it in a few statements before they are decided."""

from dataclasses import dataclass, field
from typing import NamedTuple

from budgetd_server.domain.commands import Rpc

Place = tuple[str, str]


class NoteKey(NamedTuple):
    """The name of a note in its project."""

    #: Which part of the server keeps the note, and for which client. Notes of different owners are independent.
    owner: str
    key: str


@dataclass(slots=True)
class Needs:
    """What to load. Ids may repeat. The ancestors of every needed budget are loaded too."""

    #: Project id → budget ids.
    budgets: dict[str, set[str]] = field(default_factory=dict)
    #: Triples (project id, budget id, model) whose sums may change, on that budget and its ancestors.
    models: set[tuple[str, str, str]] = field(default_factory=set)
    #: (project id, rpc) → request ids.
    requests: dict[tuple[str, Rpc], list[str]] = field(default_factory=dict)
    #: Projects in which budgets may be created.
    creating: set[str] = field(default_factory=set)
    #: (project id, budget id) → seq: all entries above that sequence number that count on that budget.
    chains: dict[Place, int] = field(default_factory=dict)
    #: (project id, seq) → models: these reservations and all their budgets, with the sums of those models.
    reservations: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    #: Pairs (project id, seq): these entries, the sums of their corrections, and all their budgets.
    entries: set[tuple[str, int]] = field(default_factory=set)
    #: Budgets that may refuse: on each and its ancestors, the due holds and some of those that are due next.
    refusing: set[Place] = field(default_factory=set)
    #: Budgets of which all open holds are needed.
    holds: set[Place] = field(default_factory=set)
    #: Project id → notes.
    notes: dict[str, set[NoteKey]] = field(default_factory=dict)
    #: Projects of which some more budgets with deleted ancestors are needed.
    deleting: set[str] = field(default_factory=set)
    #: Budgets that are deleted with their live descendants. Needed: the descendants with all open holds on them; or, of
    #: a large tree, only its size and the holds that were made on the budget itself.
    subtrees: set[Place] = field(default_factory=set)
    #: Budgets that are deleted unless they have children. Needed: their descendants; or, of a large tree, only that it
    #: is large, without holds.
    deleted: set[Place] = field(default_factory=set)
    #: Budgets that get another parent. Needed: their descendants; or, of a large tree, only its number of levels.
    moved: set[Place] = field(default_factory=set)

    def add_budgets(self, project_id: str, *budget_ids: str) -> None:
        """Add budgets of a project; empty ids are skipped."""
        self.budgets.setdefault(project_id, set()).update(filter(None, budget_ids))
