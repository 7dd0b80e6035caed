"""The rules for fields of requests; a violation is a sentence with the value and the rule."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from budgetd_server.domain.bounds import (
    EVENT_AGE_MAX_US,
    EVENT_LEAD_MAX_US,
    LABEL_KEY_CHARACTERS_MAX,
    LABEL_VALUE_CHARACTERS_MAX,
    LABELS_MAX,
    REQUEST_ID_CHARACTERS_MAX,
)
from budgetd_server.domain.errors import FieldViolation, InvalidField, short_repr
from budgetd_server.domain.names import CONTROL, broken_name_rule

NANOS_PER_SECOND = 1_000_000_000
#: Cached, since the same ids come again and again.
_broken_id_rule = lru_cache(maxsize=65_536)(broken_name_rule)
_TIMESTAMP_SECONDS_MIN, _TIMESTAMP_SECONDS_MAX = -62_135_596_800, 253_402_300_799  # The years 1 to 9999.


class Checks:
    """Collects the violations of one request, so that the caller gets every bad field at once."""

    __slots__ = ("violations",)

    def __init__(self) -> None:
        self.violations: list[FieldViolation] = []

    def refuse(self, field: str, rule: str, value: object) -> None:
        """Record a violation, as in "must not be empty, got ''"."""
        self.violations.append(FieldViolation(field, f"{rule}, got {short_repr(value)}"))

    def done(self) -> None:
        """Refuse the request if there are violations.

        Raises:
            InvalidField: There are; it has all of them.
        """
        if self.violations:
            raise InvalidField(self.violations)

    def id(self, field: str, value: str) -> str:
        """Check a required id."""
        if (rule := _broken_id_rule(value)) is not None:
            self.refuse(field, rule, value)
        return value

    def optional_id(self, field: str, value: str) -> str:
        """Check an id that may be empty."""
        return self.id(field, value) if value else value

    def request_id(self, field: str, value: str) -> str:
        """Check a request id that may be empty."""
        if value and not (
            len(value) <= REQUEST_ID_CHARACTERS_MAX and value.isascii() and value.isprintable() and " " not in value
        ):
            self.refuse(field, f"must be at most {REQUEST_ID_CHARACTERS_MAX} visible ASCII characters", value)
        return value

    def number(self, field: str, value: int, *, least: int, most: int, unit: str = "nano-USD") -> int:
        """Check that a whole number is within bounds, both included."""
        if not least <= value <= most:
            self.refuse(field, f"must be from {least} to {most} {unit}", value)
        return value

    def at_most(self, field: str, count: int, most: int, what: str) -> bool:
        """Check a number of items. Returns False if there are too many to check each of them."""
        if count > most:
            self.refuse(field, f"must be at most {most} {what}", count)
        return count <= most

    def text(self, field: str, value: str, *, characters_max: int) -> str:
        """Check a required text without control characters."""
        if not 1 <= len(value) <= characters_max or CONTROL.search(value):
            self.refuse(field, f"must be 1 to {characters_max} characters without control characters", value)
        return value

    def labels(self, field: str, labels: Mapping[str, str]) -> dict[str, str]:
        """Check labels. Returns a copy; empty if there are too many."""
        if not self.at_most(field, len(labels), LABELS_MAX, "labels"):
            return {}
        for key, value in labels.items():
            if not 1 <= len(key) <= LABEL_KEY_CHARACTERS_MAX or CONTROL.search(key):
                rule = f"a key must be 1 to {LABEL_KEY_CHARACTERS_MAX} characters without control characters"
                self.refuse(field, rule, key)
            if len(value) > LABEL_VALUE_CHARACTERS_MAX or CONTROL.search(value):
                rule = f"must be at most {LABEL_VALUE_CHARACTERS_MAX} characters without control characters"
                self.refuse(f"{field}[{short_repr(key)}]", rule, value)
        return dict(labels)

    def known(self, field: str, value: int, known: Mapping[int, object], *, may_be_unset: bool = True) -> int:
        """Check that this server knows the value of an enum; 0 is unset."""
        if value not in known and not (may_be_unset and value == 0):
            self.refuse(field, f"must be one of {sorted(known)}", value)
        return value

    def empty(self, field: str, *, is_set: bool) -> None:
        """Refuse an output-only field that is set."""
        if is_set:
            self.violations.append(FieldViolation(field, "is output only: leave it unset"))

    def time_us(self, field: str, value: Timestamp) -> int | None:
        """Convert an instant to microseconds since the Unix epoch, rounded down. Returns None if it is invalid."""
        is_year_known = _TIMESTAMP_SECONDS_MIN <= value.seconds <= _TIMESTAMP_SECONDS_MAX
        if not is_year_known or not 0 <= value.nanos < NANOS_PER_SECOND:
            shown_time = f"{value.seconds} s {value.nanos} ns"
            self.refuse(field, "must be a time of the years 1 to 9999 with 0 to 999999999 nanos", shown_time)
            return None
        return value.seconds * 1_000_000 + value.nanos // 1000

    def event_time_us(self, field: str, value: Timestamp, *, now_us: int) -> int | None:
        """Convert the time at which a call happened, which must be near now. Returns None if it is no valid instant."""
        at_us = self.time_us(field, value)
        if at_us is not None and not -EVENT_LEAD_MAX_US <= now_us - at_us <= EVENT_AGE_MAX_US:
            shown_time = datetime.fromtimestamp(value.seconds, UTC).isoformat()
            self.refuse(field, "must lie from 35 days ago to 5 minutes ahead", shown_time)
        return at_us

    def length_us(self, field: str, value: Duration) -> int | None:
        """Convert a duration to microseconds. Returns None if it is invalid."""
        shown_length = f"{value.seconds} s {value.nanos} ns"
        if abs(value.nanos) >= NANOS_PER_SECOND or value.seconds * value.nanos < 0:
            self.refuse(field, "must have nanos below 1000000000 and of the same sign as its seconds", shown_length)
            return None
        if value.nanos % 1000:
            self.refuse(field, "must be whole microseconds", shown_length)
            return None
        return value.seconds * 1_000_000 + value.nanos // 1000
