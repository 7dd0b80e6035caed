"""What a batch of commands touches, so that a ledger can load it in a few statements before they are decided."""

from dataclasses import dataclass, field
from typing import NamedTuple

from budgetd_server.domain.commands import Rpc

Place = tuple[str, str]


class NoteKey(NamedTuple):
    """The name of a note in its project."""

    #: Who keeps the note, and for whom: notes of different owners have nothing to do with each other.
    owner: str
    key: str


@dataclass(slots=True)
class Needs:
    """What to load; ids repeat freely. Along with a budget come its ancestors, whatever asks for it."""

    #: Project id → budget ids.
    budgets: dict[str, set[str]] = field(default_factory=dict)
    #: (project id, budget id, model)s whose sums may change, on that budget and its ancestors.
    models: set[tuple[str, str, str]] = field(default_factory=set)
    #: (project id, rpc) → request ids.
    requests: dict[tuple[str, Rpc], list[str]] = field(default_factory=dict)
    #: Projects in which budgets may be created.
    creating: set[str] = field(default_factory=set)
    #: (project id, budget id) → seq: all entries that count on that budget above that sequence number.
    chains: dict[Place, int] = field(default_factory=dict)
    #: (project id, seq) → models: these reservations and all their budgets, with the sums of those models.
    reservations: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    #: (project id, seq)s: these entries, what their corrections come to, and all their budgets.
    entries: set[tuple[str, int]] = field(default_factory=set)
    #: Budgets that may refuse: on each and its ancestors the holds that are due, and some of those that are due next.
    refusing: set[Place] = field(default_factory=set)
    #: Budgets on which all open holds are wanted.
    holds: set[Place] = field(default_factory=set)
    #: Project id → notes.
    notes: dict[str, set[NoteKey]] = field(default_factory=dict)
    #: Projects of which some more budgets are wanted whose ancestors are deleted.
    deleting: set[str] = field(default_factory=set)
    #: Budgets that are deleted with their live descendants: these are wanted with all open holds on them, or that it is
    #: much and how many they are; in the latter case those holds on it are wanted that were made on it.
    subtrees: set[Place] = field(default_factory=set)
    #: Budgets that are deleted unless they have children: what is below them is wanted, or that it is much; in the
    #: latter case their holds are not.
    deleted: set[Place] = field(default_factory=set)
    #: Budgets that get another parent: what is below them is wanted, or that it is much and how many levels it has.
    moved: set[Place] = field(default_factory=set)

    def add_budgets(self, project_id: str, *budget_ids: str) -> None:
        """Budgets of a project; empty ids are passed over."""
        self.budgets.setdefault(project_id, set()).update(filter(None, budget_ids))
