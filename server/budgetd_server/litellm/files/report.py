"""The report of an import or a dry run: lines for people, JSON for programs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from budgetd_server.domain.errors import short_repr
from budgetd_server.litellm.files.importing import Fate, UserOutcome
from budgetd_server.litellm.files.reading import Reading

#: How many lines of one kind are printed for people; programs get all.
LINES_MAX = 20
#: Fates that are only counted, not listed by user.
_AS_WISHED = (Fate.IMPORTED, Fate.ALREADY_IMPORTED)


class ImportReport:
    """Collects the outcomes of a file's records."""

    def __init__(self, path: Path, project_id: str, reading: Reading, *, is_dry_run: bool) -> None:
        self._path = path
        self._project_id = project_id
        self._reading = reading
        self._is_dry_run = is_dry_run
        self._counts: Counter[Fate] = Counter()
        self._others: list[UserOutcome] = []
        self.imported_nano_usd = 0
        #: Why the import stopped early; empty if it did not.
        self.interruption = ""

    def add(self, outcome: UserOutcome) -> None:
        """Add the outcome of a user."""
        self._counts[outcome.fate] += 1
        if outcome.fate is Fate.IMPORTED:
            self.imported_nano_usd += outcome.record.spent_nano_usd
        if outcome.fate not in _AS_WISHED:
            self._others.append(outcome)

    @property
    def is_clean(self) -> bool:
        """Whether everything in the file is now in the project."""
        return not (self.interruption or self._others or self._reading.faults or self._reading.damages)

    def as_json(self) -> dict[str, Any]:
        """Return the whole report for programs."""
        reading = self._reading
        return {
            "file": str(self._path),
            "project": self._project_id,
            "dry_run": self._is_dry_run,
            "size_bytes": reading.size_bytes,
            "imported": self._counts[Fate.IMPORTED],
            "imported_nano_usd": str(self.imported_nano_usd),
            "already_imported": self._counts[Fate.ALREADY_IMPORTED],
            "not_reached": len(reading.records) - self._counts.total(),
            "interruption": self.interruption,
            "left": [
                {
                    "user": outcome.record.user,
                    "reason": outcome.fate.name,
                    "detail": outcome.detail or outcome.fate.value,
                }
                for outcome in self._others
            ],
            "refused": [each._asdict() for each in reading.faults],
            "damages": [{**each._asdict(), "legible": dict(each.legible)} for each in reading.damages],
            "notes": [each._asdict() for each in reading.notes],
        }

    def lines(self, usd_text: str) -> Iterator[str]:
        """Yield the report for people: first the problems, then the totals.

        Args:
            usd_text: The sum that was imported, in dollars.
        """
        reading = self._reading
        yield from _some([f"note: {short_repr(each.user)} {each.sentence}" for each in reading.notes])
        yield from _some([f"refused {short_repr(each.user)}: {each.sentence}" for each in reading.faults])
        yield from _some(
            [f"left {short_repr(outcome.record.user)}: {outcome.detail or outcome.fate}" for outcome in self._others]
        )
        yield from _some([f"damaged: {each.sentence}{_legible(each.legible)}" for each in reading.damages])
        verb = "would import" if self._is_dry_run else "imported"
        yield f"{verb} {_users(self._counts[Fate.IMPORTED])} with {usd_text} to project {self._project_id}"
        if self._counts[Fate.ALREADY_IMPORTED]:
            yield f"{_users(self._counts[Fate.ALREADY_IMPORTED])} already imported"
        sums = {
            "left as they are": len(self._others),
            "refused": len({each.user for each in reading.faults}),
            "not reached": len(reading.records) - self._counts.total(),
        }
        for what, count in sums.items():
            if count:
                yield f"{_users(count)} {what}"


def _some(lines: list[str]) -> Iterator[str]:
    yield from lines[:LINES_MAX]
    if len(lines) > LINES_MAX:
        yield f"… and {len(lines) - LINES_MAX:,} more of these: --json lists all"


def _legible(legible: Any) -> str:
    if not legible:
        return ""
    return f" (still legible: {', '.join(f'{key} {value}' for key, value in legible.items())})"


def _users(count: int) -> str:
    return f"{count:,} user{'' if count == 1 else 's'}"
