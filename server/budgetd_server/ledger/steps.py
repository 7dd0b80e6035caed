"""Reads of a store as steps without I/O: generators that yield a statement's name and receive its rows.

So what has to be loaded, and in which order, is written once for all stores. A driver carries the steps out:
`carried_out` for a store that answers synchronously; a driver over a network awaits each answer and sends it back.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: The columns of a row, in the order of the statement.
Row = Sequence[Any]
#: A statement's name, and its parameters by name. At most one parameter is a list: of values, or of pairs of values.
Ask = tuple[str, Mapping[str, object]]
Steps = Generator[Ask, Sequence[Row], T]


class Rows(Protocol):
    """Executes the statements of a store, in a transaction that the caller has begun."""

    def __call__(self, statement: str, parameters: Mapping[str, object], /) -> Sequence[Row]:
        """Return the rows of a named statement."""


def carried_out(rows: Rows, steps: Steps[T]) -> T:
    """Carry out steps and return their result."""
    go_on = steps.send
    try:
        statement, parameters = next(steps)
        while True:
            statement, parameters = go_on(rows(statement, parameters))
    except StopIteration as end:
        result: T = end.value
        return result
