"""What the store knows of the budgets below one, without loading them: there may be tens of thousands."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from budgetd_server.domain.bounds import DEPTH_MAX
from budgetd_server.domain.lacking import StoredTree


class StoredTrees:
    """The trees of one project, inside a transaction that somebody else has begun."""

    def __init__(self, sql: Mapping[str, str], connection: sqlite3.Connection, project_key: int) -> None:
        self._sql = sql
        self._connection = connection
        self._project_key = project_key

    def descendants(self, keys: Sequence[int], below_max: int) -> tuple[set[int], set[int]]:
        """The keys of the live descendants of some budgets, and which of those have more than `below_max`.

        The descendants of the latter are not among the former.
        """
        found, is_all = self._walked(keys, below_max)
        if is_all:
            return found, set()
        found, large = set(), set()
        for key in keys:
            below, is_all = self._walked([key], below_max)
            if is_all:
                found |= below
            else:
                large.add(key)
        return found, large

    def counted(self, key: int) -> StoredTree:
        """A tree with the number of its root's children."""
        parameters = {"project_key": self._project_key, "budget_key": key}
        (children,) = self._connection.execute(self._sql["count_children"], parameters).fetchone()
        return StoredTree(children)

    def measured(self, key: int) -> StoredTree:
        """A tree with all that is known of it."""
        parameters = {"project_key": self._project_key, "keys": json.dumps([key]), "levels_max": DEPTH_MAX}
        budgets, levels = self._connection.execute(self._sql["measure_tree"], parameters).fetchone()
        return self.counted(key)._replace(budgets=budgets, levels=levels)

    def unfinished(self, rows_max: int) -> tuple[list[int], list[int]]:
        """Some deleted budgets of which children are to follow, and some of these children: at most so many of each."""
        parameters: dict[str, object] = {"project_key": self._project_key, "rows_max": rows_max}
        above = [key for (key,) in self._connection.execute(self._sql["load_pending_deletions"], parameters)]
        return above, self._children(above, rows_max)

    def _walked(self, keys: Sequence[int], below_max: int) -> tuple[set[int], bool]:
        """The keys of descendants, level by level, and whether these are all: at most so many in all."""
        found: set[int] = set()
        level = list(keys)
        while level:
            level = [key for key in self._children(level, below_max + 1) if key not in found]
            found.update(level)
            if len(found) > below_max:
                return found, False
        return found, True

    def _children(self, keys: Sequence[int], rows_max: int) -> list[int]:
        parameters = {"project_key": self._project_key, "keys": json.dumps(list(keys)), "rows_max": rows_max}
        return [key for (key,) in self._connection.execute(self._sql["load_children"], parameters)]
