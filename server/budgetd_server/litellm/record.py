"""LiteLLM's record of a user, as a client of the self-hosted protocol got or saved it."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from budgetd.user_cost import compute_rest
from budgetd_server.domain.bounds import US_PER_SECOND
from budgetd_server.domain.budget import Limit, ResetMode
from budgetd_server.domain.window import Fixed

#: How late a save may arrive after a newer one. Each save is sent by a thread of its own.
LATE_US_MAX = 10 * US_PER_SECOND


class Record(NamedTuple):
    """A user's budget and costs, in whole nano-dollars and microseconds."""

    total_nano_usd: int
    #: The length of a window; None if the budget never ends.
    length_us: int | None = None
    #: The creation time that the client gives, in seconds since 1970, as written; empty if it gives none.
    created_at: str = ""
    #: When the current window began; None if there is no window.
    window_at_us: int | None = None
    #: What was spent; None if nothing was ever charged or reset.
    spent_nano_usd: int | None = None
    #: The cost of each model.
    models: tuple[tuple[str, int], ...] = ()

    @property
    def spent(self) -> int:
        """What was spent, zero if nothing ever was."""
        return self.spent_nano_usd or 0

    @property
    def created_at_us(self) -> int | None:
        """`created_at` in microseconds; None if the client gives none."""
        return round(float(self.created_at) * US_PER_SECOND) if self.created_at else None

    @property
    def is_reset(self) -> bool:
        """Whether it was reset and nothing was charged since."""
        return self.spent_nano_usd == 0 and not self.models

    def parts(self) -> dict[str, int]:
        """Return what was spent by model, the rest under "". The sum is exactly `spent`.

        If the models add up to more than the whole, which only manual edits cause, the last ones are reduced.
        """
        parts = dict(self.models)
        rest = compute_rest(self.spent, self.models)
        if rest:
            for model in reversed(list(parts)):
                if rest >= 0:
                    break
                cut = min(parts[model], -rest)
                parts[model] -= cut
                rest += cut
            parts[""] = parts.get("", 0) + rest
        return parts

    def is_below(self, other: "Record") -> bool:
        """Return True if the other record shows a higher cost, in total or of one model."""
        if self.spent < other.spent or (self.spent_nano_usd is None and other.spent_nano_usd is not None):
            return True
        models = dict(self.models)
        return any(models.get(model, -1) < cost for model, cost in other.models)

    def limit(self, now_us: int) -> Limit:
        """Return the main limit that the record describes; its windows end only when its client resets them."""
        if self.length_us is None:
            return Limit(amount=self.total_nano_usd)
        anchor_at_us = now_us if self.window_at_us is None else self.window_at_us
        window = Fixed(length_us=self.length_us, anchor_at_us=anchor_at_us)
        return Limit(amount=self.total_nano_usd, window=window, reset_mode=ResetMode.ON_REQUEST)


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """Return the change of each part. Unchanged parts are left out, but a new model is included even at zero."""
    models = dict.fromkeys((*before, *after))
    changes = {model: after.get(model, 0) - before.get(model, 0) for model in models}
    return {model: change for model, change in changes.items() if change or (model and model not in before)}


class Accepted(NamedTuple):
    """The newest record of a user that one client has saved or was given."""

    record: Record
    #: When the record was accepted; 0 if the client was given it.
    accepted_at_us: int
    #: The start of the previous window, which late saves may still show; None if there was none.
    former_window_at_us: int | None = None

    @classmethod
    def from_note(cls, note: bytes) -> "Accepted":
        """Decode a stored note."""
        (*fields, models), *times = json.loads(note)
        record = Record(*fields)._replace(models=tuple((model, cost) for model, cost in models))
        return cls(record, *times)

    def to_note(self) -> bytes:
        """Encode as the bytes to store: a JSON array, in the order of the fields."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def given(cls, record: Record) -> "Accepted":
        """Create the state of a client that was given a record and has saved nothing yet."""
        return cls(record, 0)

    def followed(self, record: Record, now_us: int) -> "Accepted":
        """Return the next state, with a newer record."""
        window_at_us = self.record.window_at_us
        former_at_us = window_at_us if record.window_at_us != window_at_us else self.former_window_at_us
        return Accepted(record, now_us, former_at_us)

    def is_old(self, now_us: int, *, seen_at_us: int = 0) -> bool:
        """Whether no save older than the record can still arrive.

        Args:
            now_us: The current time.
            seen_at_us: When the client was last seen with this same record; 0 if unknown.
        """
        return now_us - max(self.accepted_at_us, seen_at_us) >= LATE_US_MAX
