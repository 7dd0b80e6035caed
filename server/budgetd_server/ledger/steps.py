"""What is read of a store, as steps that neither read nor wait: each names a statement and goes on with its rows.

What has to be loaded, and in which order, is so written once for every store. A driver carries the steps out:
`carried_out` with a store that answers at once; one over a network awaits each answer, and sends it likewise.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: The columns of a row in the order in which the statement names them.
Row = Sequence[Any]
#: A statement's name and parameters by name. At most one of these is a list: of values, or of pairs of values.
Ask = tuple[str, Mapping[str, object]]
Steps = Generator[Ask, Sequence[Row], T]


class Rows(Protocol):
    """What a driver asks of a store, in a transaction that somebody else has begun."""

    def __call__(self, statement: str, parameters: Mapping[str, object], /) -> Sequence[Row]:
        """The rows of a named statement."""


def carried_out(rows: Rows, steps: Steps[T]) -> T:
    """Carry out steps, and return what they come to."""
    go_on = steps.send
    try:
        statement, parameters = next(steps)
        while True:
            statement, parameters = go_on(rows(statement, parameters))
    except StopIteration as end:
        result: T = end.value
        return result
