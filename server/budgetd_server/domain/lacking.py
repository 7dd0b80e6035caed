"""Record what the commands of a batch looked for that was not loaded from the store.

The needs of a batch are computed before it is decided, from the tree as it is then. But a batch changes the tree, so
the commands after a change may need budgets that were not foreseen. So the working set knows what was requested from
the store, and records what a command looks for in addition. A batch that lacked anything is never written: the ledger
also loads what was lacking, and decides the batch again.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

#: (project key, budget key).
BudgetPlace = tuple[int, int]


@dataclass(slots=True)
class StoredParts:
    """Which sums by model have been requested from the store, for the budgets of one project."""

    #: Pairs (budget key, model) that were requested, whether or not the store has them.
    asked: set[tuple[int, str]] = field(default_factory=set)
    #: Pairs that a command looked for in addition.
    lacking: set[tuple[int, str]] = field(default_factory=set)

    def look_for(self, budget_key: int, model: str) -> None:
        """Record that a command found no such sum. If it was not requested, the store may still have it."""
        if (budget_key, model) not in self.asked:
            self.lacking.add((budget_key, model))


class StoredTree(NamedTuple):
    """The size of a subtree that is too large to be loaded, as it was before the batch."""

    #: The number of live children of its root.
    children: int
    #: The numbers of live budgets and of levels, root included. 0: not requested.
    budgets: int = 0
    levels: int = 0


@dataclass(slots=True)
class Lacking:
    """What was lacking, to be loaded in addition to the needs of the commands."""

    #: Project key → pairs (budget key, model).
    models: dict[int, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))
    #: Budgets of which the due holds, and some of those that are due next, are needed.
    first_holds: set[BudgetPlace] = field(default_factory=set)
    #: Budgets of which all open holds are needed.
    holds: set[BudgetPlace] = field(default_factory=set)
    #: True: a command depends on a large tree that earlier commands have changed. Decide the batch in smaller parts.
    is_entangled: bool = False

    def __bool__(self) -> bool:
        return bool(self.models or self.first_holds or self.holds or self.is_entangled)

    def add(self, other: "Lacking") -> None:
        """Add what else was found to be lacking."""
        for project_key, pairs in other.models.items():
            self.models[project_key] |= pairs
        self.first_holds |= other.first_holds
        self.holds |= other.holds
