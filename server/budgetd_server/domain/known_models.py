"""Which models of the price files a limit's pattern matches: an answer for whoever writes the pattern."""

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
    """An index over every name of every known model. A question costs two binary searches and a look at each match.

    Args:
        names: Every name with the model that it is one of; a model has several.
    """

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        pairs = sorted(set(names))
        self._names = [name for name, _ in pairs]
        self._models = [model for _, model in pairs]

    def matching(self, pattern: str) -> Matches:
        """The models that a limit with this pattern counts, by the rule of `Limit.matches`."""
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
