"""What an import has done, or would do: for people, line by line, and for programs."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from budgetd_server.litellm.files.importing import Fate, Told
from budgetd_server.litellm.files.members import shown
from budgetd_server.litellm.files.reading import Reading

#: Lines of one kind that people are shown; programs are told all.
LINES_MAX = 20
#: Fates that need no word for each user.
_AS_WISHED = (Fate.IMPORTED, Fate.ALREADY_IMPORTED)


class Report:
    """Collects what becomes of the records of a file."""

    def __init__(self, path: Path, project_id: str, reading: Reading, *, is_dry_run: bool) -> None:
        self._path = path
        self._project_id = project_id
        self._reading = reading
        self._is_dry_run = is_dry_run
        self._counts: Counter[Fate] = Counter()
        self._others: list[Told] = []
        self.imported_nano_usd = 0
        #: Why the import has ended before its end; empty: it has not.
        self.interruption = ""

    def add(self, told: Told) -> None:
        """Take down what became of a user."""
        self._counts[told.fate] += 1
        if told.fate is Fate.IMPORTED:
            self.imported_nano_usd += told.record.spent_nano_usd
        if told.fate not in _AS_WISHED:
            self._others.append(told)

    @property
    def is_clean(self) -> bool:
        """True if everything that was in the file is now in the project."""
        return not (self.interruption or self._others or self._reading.refusals or self._reading.damages)

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
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
                {"user": told.record.user, "reason": told.fate.name, "detail": told.detail or told.fate.value}
                for told in self._others
            ],
            "refused": [each._asdict() for each in reading.refusals],
            "damages": [{**each._asdict(), "legible": dict(each.legible)} for each in reading.damages],
            "notes": [each._asdict() for each in reading.notes],
        }

    def lines(self, usd_text: str) -> Iterator[str]:
        """All of it, for people: what did not go as wished, then the sum.

        Args:
            usd_text: What was imported, in dollars.
        """
        reading = self._reading
        yield from _some([f"note: {shown(each.user)} {each.sentence}" for each in reading.notes])
        yield from _some([f"refused {shown(each.user)}: {each.sentence}" for each in reading.refusals])
        yield from _some([f"left {shown(told.record.user)}: {told.detail or told.fate}" for told in self._others])
        yield from _some([f"damaged: {each.sentence}{_legible(each.legible)}" for each in reading.damages])
        verb = "would import" if self._is_dry_run else "imported"
        yield f"{verb} {_users(self._counts[Fate.IMPORTED])} with {usd_text} to project {self._project_id}"
        if self._counts[Fate.ALREADY_IMPORTED]:
            yield f"{_users(self._counts[Fate.ALREADY_IMPORTED])} already imported"
        sums = {
            "left as they are": len(self._others),
            "refused": len({each.user for each in reading.refusals}),
            "not reached": len(reading.records) - self._counts.total(),
        }
        for what, count in sums.items():
            if count:
                yield f"{_users(count)} {what}"


def _some(lines: list[str]) -> Iterator[str]:
    yield from lines[:LINES_MAX]
    if len(lines) > LINES_MAX:
        yield f"… and {len(lines) - LINES_MAX:,} more of these: --json tells all"


def _legible(legible: Any) -> str:
    if not legible:
        return ""
    return f" (still legible: {', '.join(f'{key} {value}' for key, value in legible.items())})"


def _users(count: int) -> str:
    return f"{count:,} user{'' if count == 1 else 's'}"
