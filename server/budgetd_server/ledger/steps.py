"""What is read of a store, as steps that neither read nor wait: each names a statement and goes on with its rows.

What has to be loaded, and in which order, is so written once for every store. A driver carries the steps out:
`carried_out` with a store that answers at once; one over a network awaits each answer, and sends it likewise.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")

#: The columns of a row in the order in which the statement names them.
Row = Sequence[Any]
#: A statement's name and parameters by name; a list among these stands for as many values, or pairs of values.
Ask = tuple[str, Mapping[str, object]]
Steps = Generator[Ask, Sequence[Row], T]


class Rows(Protocol):
    """What a driver asks of a store, in a transaction that somebody else has begun."""

    def __call__(self, statement: str, parameters: Mapping[str, object], /) -> Sequence[Row]:
        """The rows of a named statement."""


def carried_out(rows: Rows, steps: Steps[T]) -> T:
    """Carry out steps, and return what they come to."""
    try:
        ask = next(steps)
        while True:
            ask = steps.send(rows(*ask))
    except StopIteration as end:
        result: T = end.value
        return result
