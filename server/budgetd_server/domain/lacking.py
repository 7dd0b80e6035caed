"""What a working set lacks of a store: what its commands asked for and nobody had loaded.

What a batch needs is worked out before it is decided, from the tree as it is then; but a batch changes the tree, and
the commands behind a change meet other budgets than were foreseen. So the working set knows what the store was asked
for, and notes what a command looks for beside that. A batch that lacked anything is never written: the ledger loads
what was lacking, too, and decides it again.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

#: (project key, budget key).
BudgetPlace = tuple[int, int]


@dataclass(slots=True)
class StoredParts:
    """Which sums by model have been asked of the store for the budgets of one project."""

    #: (budget key, model)s that were asked for, whether or not the store has them.
    asked: set[tuple[int, str]] = field(default_factory=set)
    #: Those that a command looked for beside them.
    lacking: set[tuple[int, str]] = field(default_factory=set)

    def look_for(self, budget_key: int, model: str) -> None:
        """Note that a command found no such sum; if nobody asked the store, it may have one all the same."""
        if (budget_key, model) not in self.asked:
            self.lacking.add((budget_key, model))


class StoredTree(NamedTuple):
    """What the store knows of a subtree that is too large to be loaded, as it was before the batch."""

    #: How many live budgets are right below its root.
    children: int
    #: How many live budgets it has, and how many levels, its root included; 0: not asked for.
    budgets: int = 0
    levels: int = 0


@dataclass(slots=True)
class Lacking:
    """What was lacking, to be loaded along with what the commands themselves name."""

    #: Project key → (budget key, model)s.
    models: dict[int, set[tuple[int, str]]] = field(default_factory=lambda: defaultdict(set))
    #: Budgets on which the holds that are due, and some of those that are due next, are wanted.
    first_holds: set[BudgetPlace] = field(default_factory=set)
    #: Budgets on which all open holds are wanted.
    holds: set[BudgetPlace] = field(default_factory=set)
    #: True: a command depends on a large tree that the commands before it have changed. Fewer at once will do.
    is_entangled: bool = False

    def __bool__(self) -> bool:
        return bool(self.models or self.first_holds or self.holds or self.is_entangled)

    def add(self, other: "Lacking") -> None:
        """Take in what was found to be lacking beside this."""
        for project_key, pairs in other.models.items():
            self.models[project_key] |= pairs
        self.first_holds |= other.first_holds
        self.holds |= other.holds
