"""Checks a user's record of `user_cost.json` against the rules of budgets; every violation names its field."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from budgetd.user_cost import KEYS, RecordReader
from budgetd_server.domain.bounds import ID_BYTES_MAX, MODELS_PER_WINDOW_MAX, US_PER_SECOND
from budgetd_server.domain.errors import short_repr
from budgetd_server.domain.names import broken_name_rule
from budgetd_server.litellm.files.members import describe_json


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRecord:
    """A valid record."""

    user: str
    total_nano_usd: int
    #: The length of the window; None if the budget never ends.
    duration_seconds: int | None
    #: When the current window began, in microseconds since 1970; None stands for the time of the import.
    window_start_us: int | None
    #: As in the record, in seconds since 1970; None if absent, or if the budget has no window.
    created_at: float | None
    #: Nano-dollars by model; "" has what was spent without a model. Empty if nothing was ever counted.
    costs: tuple[tuple[str, int], ...]

    @property
    def spent_nano_usd(self) -> int:
        """The sum of all costs."""
        return sum(cost for _, cost in self.costs)

    @property
    def digest(self) -> str:
        """Identifies the content of the record, independent of the order of its models."""
        parts = (self.total_nano_usd, self.duration_seconds, self.window_start_us, self.created_at, sorted(self.costs))
        return hashlib.sha256(repr((self.user, *parts)).encode()).hexdigest()[:32]


class RecordFault(NamedTuple):
    """One reason why a record is not imported."""

    user: str
    field: str
    value: str
    rule: str

    @property
    def sentence(self) -> str:
        """The field, the rule that it breaks, and its value."""
        return f"{self.field} {self.rule}, got {self.value}"


class Checked(NamedTuple):
    """The result of a check."""

    #: None if the record is refused.
    record: UserRecord | None
    faults: list[RecordFault]
    #: What is left out of a record that is imported all the same.
    notes: list[str]


def parse_record(user: str, value: Any) -> Checked:
    """Parse and check a record."""
    reader = RecordReader(value if isinstance(value, Mapping) else {}, describe_json)
    if (rule := _find_broken_rule(user)) is not None:
        reader.refuse("user", user, rule)
    if not isinstance(value, Mapping):
        reader.refuse("record", value, "must be an object")
        return Checked(None, _faults(user, reader), [])
    unknown = [key for key in value if key not in KEYS]
    notes = [f"{short_repr(key)} is no part of a record, and is left out" for key in unknown]
    total = reader.dollars("total_budget")
    duration = _duration_seconds(reader, value)
    created_at = reader.seconds("created_at") if duration else None
    updated_at = reader.seconds("last_updated_at") if duration else None
    costs = reader.costs(_find_broken_rule)
    if len(costs) > MODELS_PER_WINDOW_MAX:
        notes.append(f"of its {len(costs):,} models those beyond {MODELS_PER_WINDOW_MAX} are counted together")
    if reader.broken:
        return Checked(None, _faults(user, reader), [])
    start = created_at if updated_at is None else updated_at
    record = UserRecord(
        user=user,
        total_nano_usd=total,
        duration_seconds=duration,
        window_start_us=None if start is None else round(start * US_PER_SECOND),
        created_at=created_at,
        costs=costs,
    )
    return Checked(record, [], notes)


def _find_broken_rule(name: str) -> str | None:
    """Return the rule that a name breaks, or None. Lone surrogates stand for bytes that are not valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"must be 1 to {ID_BYTES_MAX} bytes of UTF-8"
    return broken_name_rule(name)


def _duration_seconds(reader: RecordReader, record: Mapping[str, Any]) -> int | None:
    """Return the duration in seconds. Fractions of days went through a float, with an error below a microsecond."""
    length_us = reader.length_us()
    if length_us is None:
        return None
    seconds, rest_us = divmod(length_us, US_PER_SECOND)
    if rest_us:
        reader.refuse("duration", record["duration"], "must be a number of days, in whole seconds")
    return seconds


def _faults(user: str, reader: RecordReader) -> list[RecordFault]:
    return [RecordFault(user, broken.field, broken.value, broken.rule) for broken in reader.broken]
