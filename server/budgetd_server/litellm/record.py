"""LiteLLM's record of a user, as a client of the self-hosted protocol was given it or has saved it."""

import json
from collections.abc import Mapping
from typing import NamedTuple

from budgetd.user_cost import compute_rest
from budgetd_server.domain.bounds import US_PER_SECOND
from budgetd_server.domain.budget import Limit, ResetMode
from budgetd_server.domain.window import Fixed

#: A save may come so much later than one that was made after it: each is sent by a thread of its own.
LATE_US_MAX = 10 * US_PER_SECOND


class Record(NamedTuple):
    """A user's budget and costs, in whole nano-dollars and microseconds."""

    total_nano_usd: int
    #: How long a window is; None: the budget never ends.
    length_us: int | None = None
    #: When the client says that it was created, in seconds since 1970, as it wrote it; empty: it does not say.
    created_at: str = ""
    #: When the current window began; None: there is none.
    window_at_us: int | None = None
    #: What was spent; None: nothing was ever charged or reset.
    spent_nano_usd: int | None = None
    #: What each model cost.
    models: tuple[tuple[str, int], ...] = ()

    @property
    def spent(self) -> int:
        """What was spent, zero if nothing ever was."""
        return self.spent_nano_usd or 0

    @property
    def created_at_us(self) -> int | None:
        """The same as `created_at`; None: it does not say."""
        return round(float(self.created_at) * US_PER_SECOND) if self.created_at else None

    @property
    def is_reset(self) -> bool:
        """True if it was reset and nothing was charged since."""
        return self.spent_nano_usd == 0 and not self.models

    def parts(self) -> dict[str, int]:
        """What was spent by model, the rest under no model; together exactly what was spent.

        Models that come to more than the whole, which only edits by hand bring about, are cut.
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
        """True if something was spent according to the other that was not according to this one."""
        if self.spent < other.spent or (self.spent_nano_usd is None and other.spent_nano_usd is not None):
            return True
        models = dict(self.models)
        return any(models.get(model, -1) < cost for model, cost in other.models)

    def limit(self, now_us: int) -> Limit:
        """The main limit that it asks for; its windows end when its client says so."""
        if self.length_us is None:
            return Limit(amount=self.total_nano_usd)
        anchor_at_us = now_us if self.window_at_us is None else self.window_at_us
        window = Fixed(length_us=self.length_us, anchor_at_us=anchor_at_us)
        return Limit(amount=self.total_nano_usd, window=window, reset_mode=ResetMode.ON_REQUEST)


def differences(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    """By how much each part has changed; those that have not are left out, but one that is new is there, if at zero."""
    models = dict.fromkeys((*before, *after))
    changes = {model: after.get(model, 0) - before.get(model, 0) for model in models}
    return {model: change for model, change in changes.items() if change or (model and model not in before)}


class Accepted(NamedTuple):
    """The newest record of a user that one client has saved, or was given."""

    record: Record
    #: When the record was accepted; 0: it was given.
    accepted_at_us: int
    #: The start of the window before; late saves may still show it. None: there was none.
    former_window_at_us: int | None = None

    @classmethod
    def from_note(cls, note: bytes) -> "Accepted":
        """What was kept as these bytes."""
        (*fields, models), *times = json.loads(note)
        record = Record(*fields)._replace(models=tuple((model, cost) for model, cost in models))
        return cls(record, *times)

    def to_note(self) -> bytes:
        """The bytes to keep: a JSON array, in the order of the fields."""
        return json.dumps(self, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def given(cls, record: Record) -> "Accepted":
        """What a client knows that has saved nothing yet."""
        return cls(record, 0)

    def followed(self, record: Record, now_us: int) -> "Accepted":
        """What follows with a newer record."""
        window_at_us = self.record.window_at_us
        former_at_us = window_at_us if record.window_at_us != window_at_us else self.former_window_at_us
        return Accepted(record, now_us, former_at_us)

    def is_old(self, now_us: int, *, seen_at_us: int = 0) -> bool:
        """True if nothing that was made before the record can still come.

        Args:
            now_us: The time.
            seen_at_us: When the client was last seen to have this very record; 0: it is not known.
        """
        return now_us - max(self.accepted_at_us, seen_at_us) >= LATE_US_MAX
