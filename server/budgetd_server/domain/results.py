"""The result of each command: sent in its answer, and returned again for a retry of its request id."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class Result:
    """The result of a command. A ledger stores it under the request id as numbers, in the order of the fields."""

    __slots__: tuple[str, ...] = ()

    def to_numbers(self) -> tuple[int, ...]:
        """Return the numbers to store."""
        return tuple(int(getattr(self, name)) for name in self.__slots__)

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> Self:
        """Return the result that was stored as these numbers. A ledger may store a single zero for no numbers."""
        return cls(*numbers[: len(cls.__slots__)])


@dataclass(frozen=True, slots=True)
class Configured(Result):
    """A budget was created, changed or reset."""


@dataclass(frozen=True, slots=True)
class Deleted(Result):
    """A budget was deleted, with its descendants if it had any."""

    #: The number of deleted budgets: the budget and its descendants.
    budgets_count: int


@dataclass(frozen=True, slots=True)
class Charged(Result):
    """A cost was booked, or a booked cost was corrected."""

    #: Negative only for a correction.
    cost_nano_usd: int

    def to_numbers(self) -> tuple[int, ...]:
        """See `Result`. Not generic, for speed: a server stores tens of thousands of them a second."""
        return (self.cost_nano_usd,)


@dataclass(frozen=True, slots=True)
class WindowsReset(Result):
    """The counts of main limits restarted because their windows were over."""

    #: The number of budgets; 0 or 1 for a single one.
    budgets_count: int


@dataclass(frozen=True, slots=True)
class Held(Result):
    """Money, tokens and a call are held."""

    granted_nano_usd: int
    expires_at_us: int
    granted_tokens: int


@dataclass(frozen=True, slots=True)
class Settled(Result):
    """The real cost of a hold was booked."""

    cost_nano_usd: int
    #: The held money above the cost, which is released.
    released_nano_usd: int
    #: The cost above what was held.
    overage_nano_usd: int
    #: True: the hold had expired before.
    is_late: bool

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> Self:
        """See `Result`."""
        cost_nano_usd, released_nano_usd, overage_nano_usd, is_late = numbers
        return cls(cost_nano_usd, released_nano_usd, overage_nano_usd, bool(is_late))


@dataclass(frozen=True, slots=True)
class Released(Result):
    """A hold was released, or an estimate was reversed."""

    released_nano_usd: int


@dataclass(frozen=True, slots=True)
class Extended(Result):
    """The expiry of a hold was changed."""

    expires_at_us: int


@dataclass(frozen=True, slots=True)
class Swept(Result):
    """Due holds expired and due windows ended."""

    changes_count: int
