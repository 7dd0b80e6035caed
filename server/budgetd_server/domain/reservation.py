"""A reservation: money, tokens and a call that are held before the work, and settled at the real cost after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from budgetd_server.domain.usage import NO_USAGE, Usage


class OnExpiry(IntEnum):
    """What happens to a hold that is not settled in time; numbers as in the contract."""

    #: It is released.
    RELEASE = 1
    #: It is booked as an estimate.
    COMMIT = 2


class ReservationState(IntEnum):
    """The state of a reservation; numbers as in the contract."""

    OPEN = 1
    COMMITTED = 2
    RELEASED = 3
    EXPIRED = 4
    ESTIMATED = 5


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One reservation, as a transaction reads and changes it. Its number is that of the entry that made it."""

    project_key: int
    seq: int
    budget_key: int
    budget_id: str
    #: The keys of the other budgets that it counts on. Settling uses these, never the current tree.
    other_keys: tuple[int, ...] = ()
    model: str = ""
    #: Other names of the model. Until the hold ends, limits match these names and `model`.
    other_names: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    #: The provider of the model. Empty: not given. It also prices a settlement that names no model.
    provider: str = ""
    on_expiry: OnExpiry = OnExpiry.RELEASE
    created_at_us: int
    expires_at_us: int
    state: ReservationState = ReservationState.OPEN
    #: The money that is held; after the end, what was held then. Not kept for a settled one.
    held_nano_usd: int
    #: None: no tokens are held.
    held_usage: Usage | None = None
    #: 1 until the call is booked, then 0.
    held_calls: int = 1
    #: When it ended. None: it is open.
    ended_at_us: int | None = None
    #: The entry that ended it. None: it is open.
    ended_seq: int | None = None

    # What the store has to write at the end of the transaction.
    is_new: bool = False
    is_changed: bool = False
    #: When it expires, as stored. None: the store has no open hold for it.
    stored_expires_at_us: int | None = None

    @property
    def is_open(self) -> bool:
        """True while the hold is open."""
        return self.state is ReservationState.OPEN

    @property
    def held_tokens(self) -> int:
        """The number of tokens that are held."""
        return (self.held_usage or NO_USAGE).tokens

    def is_due(self, now_us: int) -> bool:
        """Return True once it has to expire."""
        return self.is_open and self.expires_at_us <= now_us

    def state_at(self, now_us: int) -> ReservationState:
        """Return its state as of now, even if the entry of its expiry is not written yet."""
        if not self.is_due(now_us):
            return self.state
        return ReservationState.ESTIMATED if self.on_expiry is OnExpiry.COMMIT else ReservationState.EXPIRED

    def ended_at(self, now_us: int) -> int | None:
        """Return when it ended, as of now. None if it is open."""
        return self.expires_at_us if self.is_due(now_us) else self.ended_at_us

    def end(self, how: ReservationState, seq: int | None, now_us: int) -> None:
        """Mark it as ended by an entry."""
        self.state = how
        self.ended_at_us = now_us
        self.ended_seq = seq
        self.is_changed = True


def reservation_id(seq: int) -> str:
    """Return the id of a reservation for callers."""
    return f"r{seq}"
