"""What each command results in: what its answer carries, and what a retry of its request id gets again."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self


class Result:
    """What a command results in. A ledger keeps it under the request id as numbers, in the order of the fields."""

    __slots__: tuple[str, ...] = ()

    def to_numbers(self) -> tuple[int, ...]:
        """The numbers to keep."""
        return tuple(int(getattr(self, name)) for name in self.__slots__)

    @classmethod
    def from_numbers(cls, numbers: Sequence[int]) -> Self:
        """The result that was kept as these numbers; a ledger may keep a zero where there are none."""
        return cls(*numbers[: len(cls.__slots__)])


@dataclass(frozen=True, slots=True)
class Configured(Result):
    """A budget was created, changed or reset."""


@dataclass(frozen=True, slots=True)
class Deleted(Result):
    """A budget was deleted, perhaps with all below it."""

    #: The budget and its descendants.
    budgets_count: int


@dataclass(frozen=True, slots=True)
class Charged(Result):
    """A cost was booked, or what was booked was corrected."""

    #: Negative only for a correction.
    cost_nano_usd: int

    def to_numbers(self) -> tuple[int, ...]:
        """See `Result`; written out, since a server keeps tens of thousands of them a second."""
        return (self.cost_nano_usd,)


@dataclass(frozen=True, slots=True)
class WindowsReset(Result):
    """The main limits of budgets began to count again, since their windows were over."""

    #: Of a single budget 0 or 1.
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
    #: What was held beyond it, and is free again.
    released_nano_usd: int
    #: What it cost beyond the hold.
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
    """What was held is free again, or an estimate was taken back."""

    released_nano_usd: int


@dataclass(frozen=True, slots=True)
class Extended(Result):
    """A hold expires at another time."""

    expires_at_us: int


@dataclass(frozen=True, slots=True)
class Swept(Result):
    """Holds expired and windows ended because their time had come."""

    changes_count: int
