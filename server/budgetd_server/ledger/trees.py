"""Steps that find or count the budgets below one without loading them: there may be tens of thousands."""

from collections.abc import Sequence

from budgetd_server.domain.bounds import DEPTH_MAX
from budgetd_server.domain.lacking import StoredTree
from budgetd_server.ledger.steps import Steps


def descendants(project_key: int, keys: Sequence[int], below_max: int) -> Steps[tuple[set[int], set[int]]]:
    """Return the keys of the live descendants of some budgets, and which of the budgets have more than `below_max`.

    The descendants of the latter are not included.
    """
    found, is_all = yield from _walked(project_key, keys, below_max)
    if is_all:
        return found, set()
    found, large = set(), set()
    for key in keys:
        below, is_all = yield from _walked(project_key, [key], below_max)
        if is_all:
            found |= below
        else:
            large.add(key)
    return found, large


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


def unfinished(project_key: int, rows_max: int) -> Steps[tuple[list[int], list[int]]]:
    """Return some deleted budgets with children still to delete, and such children: at most `rows_max` of each."""
    rows = yield "load_pending_deletions", {"project_key": project_key, "rows_max": rows_max}
    above = [key for (key,) in rows]
    below = yield from _children(project_key, above, rows_max)
    return above, below


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
