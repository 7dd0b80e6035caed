"""A reservation: money, tokens and a call that are held before the work, and settled with the truth after it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from budgetd_server.domain.usage import NO_USAGE, Usage


class OnExpiry(IntEnum):
    """What becomes of a hold that nobody settles in time; numbers as in the contract."""

    #: What it kept is free again.
    RELEASE = 1
    #: What it kept is booked as an estimate.
    COMMIT = 2


class ReservationState(IntEnum):
    """Where a reservation stands; numbers as in the contract."""

    OPEN = 1
    COMMITTED = 2
    RELEASED = 3
    EXPIRED = 4
    ESTIMATED = 5


@dataclass(slots=True, kw_only=True)
class Reservation:
    """One reservation, as a transaction reads and changes it. It is named by the entry that made it."""

    project_key: int
    seq: int
    budget_key: int
    budget_id: str
    #: The keys of the budgets that it counts on beside its own; settling uses these, never today's tree.
    other_keys: tuple[int, ...] = ()
    model: str = ""
    #: What else the model is called; limits look at these names and at `model`, until it has ended.
    other_names: tuple[str, ...] = ()
    labels: Mapping[str, str] | None = None
    #: Who is to serve the model; empty: not told. A settlement that names no model is priced by it.
    provider: str = ""
    on_expiry: OnExpiry = OnExpiry.RELEASE
    created_at_us: int
    expires_at_us: int
    state: ReservationState = ReservationState.OPEN
    #: What is held; of one that has ended, what was held at its end. Not told for an ended one that was settled.
    held_nano_usd: int
    #: None: no tokens are held.
    held_usage: Usage | None = None
    #: One until the call is booked.
    held_calls: int = 1
    #: When it ended; None: it is open.
    ended_at_us: int | None = None
    #: The entry that ended it; None: it is open.
    ended_seq: int | None = None

    # What the store has to write at the end of the transaction.
    is_new: bool = False
    is_changed: bool = False
    #: When it expires, as far as the store knows; None: the store knows of no open hold.
    stored_expires_at_us: int | None = None

    @property
    def is_open(self) -> bool:
        """True while it holds something."""
        return self.state is ReservationState.OPEN

    @property
    def held_tokens(self) -> int:
        """Tokens that are held."""
        return (self.held_usage or NO_USAGE).tokens

    def is_due(self, now_us: int) -> bool:
        """True once it has to expire."""
        return self.is_open and self.expires_at_us <= now_us

    def state_at(self, now_us: int) -> ReservationState:
        """What has become of it by now, whether or not an entry says so yet."""
        if not self.is_due(now_us):
            return self.state
        return ReservationState.ESTIMATED if self.on_expiry is OnExpiry.COMMIT else ReservationState.EXPIRED

    def ended_at(self, now_us: int) -> int | None:
        """When it ended, as of now; None: it is open."""
        return self.expires_at_us if self.is_due(now_us) else self.ended_at_us

    def end(self, how: ReservationState, seq: int | None, now_us: int) -> None:
        """Note that it has ended, and by which entry."""
        self.state = how
        self.ended_at_us = now_us
        self.ended_seq = seq
        self.is_changed = True


def reservation_id(seq: int) -> str:
    """The name by which callers know a reservation."""
    return f"r{seq}"
