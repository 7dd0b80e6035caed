"""Find the models of the price files that a limit's pattern matches, to show them to the author of the pattern."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from heapq import nsmallest
from typing import NamedTuple

EXAMPLES_MAX = 3


class Matches(NamedTuple):
    """The models of the price files that one pattern matches."""

    matched_count: int
    #: At most EXAMPLES_MAX of them, in alphabetical order.
    examples: tuple[str, ...]


class KnownModels:
    """An index over all names of all known models. A query costs two binary searches and one step per match.

    Args:
        names: Each name with its model; a model has several names.
    """

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        pairs = sorted(set(names))
        self._names = [name for name, _ in pairs]
        self._models = [model for _, model in pairs]

    def matching(self, pattern: str) -> Matches:
        """Return the models that a limit with this pattern counts, by the rule of `Limit.matches`."""
        if pattern.endswith("*"):
            beginning = pattern[:-1]

            def cut(name: str) -> str:
                return name[: len(beginning)]

            begin = bisect_left(self._names, beginning)
            end = bisect_right(self._names, beginning, lo=begin, key=cut)
        else:
            begin, end = bisect_left(self._names, pattern), bisect_right(self._names, pattern)
        models = set(self._models[begin:end])
        return Matches(len(models), tuple(nsmallest(EXAMPLES_MAX, models)))
