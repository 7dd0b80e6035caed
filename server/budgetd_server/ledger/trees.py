"""Steps that find or count the budgets below one without loading them: there may be tens of thousands."""

from collections.abc import Sequence
from typing import NamedTuple

from budgetd_server.domain.bounds import DEPTH_MAX
from budgetd_server.domain.lacking import StoredTree
from budgetd_server.ledger.steps import Steps


class Descendants(NamedTuple):
    """What is below some budgets, by keys."""

    #: The live descendants of those that have not too many.
    found: set[int]
    #: The budgets that have too many.
    large: set[int]


class PendingDeletions(NamedTuple):
    """Some keys of what is left of deletions in steps."""

    #: Deleted budgets with children that are still to be deleted.
    parents: list[int]
    #: Such children.
    children: list[int]


def descendants(project_key: int, keys: Sequence[int], below_max: int) -> Steps[Descendants]:
    """Return the keys of the live descendants of some budgets, and which of the budgets have more than `below_max`."""
    found, is_all = yield from _walked(project_key, keys, below_max)
    if is_all:
        return Descendants(found=found, large=set())
    found, large = set(), set()
    for key in keys:
        below, is_all = yield from _walked(project_key, [key], below_max)
        if is_all:
            found |= below
        else:
            large.add(key)
    return Descendants(found=found, large=large)


def counted(project_key: int, key: int) -> Steps[StoredTree]:
    """Return the size of a tree, with only the number of its root's children."""
    ((children,),) = yield "count_children", {"project_key": project_key, "budget_key": key}
    return StoredTree(children)


def measured(project_key: int, key: int) -> Steps[StoredTree]:
    """Return the full size of a tree."""
    parameters = {"project_key": project_key, "keys": [key], "levels_max": DEPTH_MAX}
    ((budgets, levels),) = yield "measure_tree", parameters
    tree = yield from counted(project_key, key)
    return tree._replace(budgets=budgets, levels=levels)


def unfinished(project_key: int, rows_max: int) -> Steps[PendingDeletions]:
    """Return some of what is left of deletions in steps: at most `rows_max` parents and as many children."""
    rows = yield "load_pending_deletions", {"project_key": project_key, "rows_max": rows_max}
    parents = [key for (key,) in rows]
    children = yield from _children(project_key, parents, rows_max)
    return PendingDeletions(parents=parents, children=children)


def _walked(project_key: int, keys: Sequence[int], below_max: int) -> Steps[tuple[set[int], bool]]:
    """Return keys of descendants, level by level, and whether these are all. Stops above `below_max`."""
    found: set[int] = set()
    level = list(keys)
    while level:
        children = yield from _children(project_key, level, below_max + 1)
        level = [key for key in children if key not in found]
        found.update(level)
        if len(found) > below_max:
            return found, False
    return found, True


def _children(project_key: int, keys: Sequence[int], rows_max: int) -> Steps[list[int]]:
    rows = yield "load_children", {"project_key": project_key, "keys": list(keys), "rows_max": rows_max}
    return [key for (key,) in rows]
