"""Compares the answers of callers with the content of a file: the judge of every drill.

It reads the file through plain SQL of its own, not through the code under test, and looks at a copy, so that the file
itself is recovered by the server that opens it next.
"""

import shutil
import sqlite3
import tempfile
from collections import Counter
from pathlib import Path

from budgetd_server.ledger.sqlite.verify import verify_file
from tests.faults.calls import BUDGET

_CHARGES = """
SELECT e.request_id, e.seq, e.cost_nano_usd
  FROM entries AS e JOIN budgets AS b USING (project_key, budget_key)
 WHERE b.budget_id = ? AND e.kind = 1
"""
_COUNTS = """
SELECT c.cost_nano_usd, c.lifetime_cost_nano_usd
  FROM counters AS c JOIN budgets AS b USING (project_key, budget_key)
 WHERE b.budget_id = ? AND c.is_model = 0
"""


class Record:
    """What the callers of one budget have sent, and the answers that they received.

    Args:
        budget_id: The budget that all of them charge.
    """

    def __init__(self, budget_id: str = BUDGET) -> None:
        self.budget_id = budget_id
        #: The cost under each request id that was ever sent.
        self.sent: dict[str, int] = {}
        #: The entry that was returned for each acknowledged request id.
        self.acknowledged: dict[str, str] = {}
        self.contradictions: list[str] = []

    def send(self, request_id: str, cost_nano_usd: int) -> None:
        """A request is about to be sent, perhaps not for the first time."""
        self.sent[request_id] = cost_nano_usd

    def acknowledge(self, request_id: str, entry_id: str) -> None:
        """A request was answered; a second answer must name the same entry."""
        if self.acknowledged.setdefault(request_id, entry_id) != entry_id:
            earlier = self.acknowledged[request_id]
            self.contradictions.append(f"{request_id} was answered with entry {earlier}, and then {entry_id}")

    def is_settled(self) -> bool:
        """Whether every request that was sent has been acknowledged."""
        return self.sent.keys() == self.acknowledged.keys()

    def total_nano_usd(self) -> int:
        """The sum of all acknowledged charges."""
        return sum(self.sent[request_id] for request_id in self.acknowledged)

    def faults_of(self, path: Path) -> list[str]:
        """Everything in a file that contradicts the answers of callers, or itself. It must not be written meanwhile."""
        with tempfile.TemporaryDirectory() as folder:
            copy = copied(path, Path(folder))
            connection = sqlite3.connect(copy)
            try:
                found = connection.execute(_CHARGES, (self.budget_id,)).fetchall()
                counts = connection.execute(_COUNTS, (self.budget_id,)).fetchone()
            finally:
                connection.close()
            deviations = [str(each) for each in verify_file(copy).deviations]
        return [*self.contradictions, *self._faults_of_entries(found), *_faults_of_counts(found, counts), *deviations]

    def _faults_of_entries(self, found: list[tuple[str, int, int]]) -> list[str]:
        times = Counter(request_id for request_id, _, _ in found)
        faults = [f"{each} is counted {count} times" for each, count in times.items() if count > 1]
        faults += [f"{each} is acknowledged and missing" for each in self.acknowledged if each not in times]
        for request_id, seq, cost_nano_usd in found:
            if self.sent.get(request_id) != cost_nano_usd:
                faults.append(
                    f"{request_id} was sent as {self.sent.get(request_id)}, and is recorded as {cost_nano_usd}"
                )
            if self.acknowledged.get(request_id, f"e{seq}") != f"e{seq}":
                faults.append(
                    f"{request_id} was answered with {self.acknowledged[request_id]}, and is recorded as e{seq}"
                )
        return faults


def copied(path: Path, folder: Path) -> Path:
    """A copy of a file with its write-ahead log, as a crash has left them."""
    for name in (path.name, f"{path.name}-wal"):
        source = path.with_name(name)
        if source.exists():
            shutil.copy(source, folder / name)
    return folder / path.name


def deviations_of(path: Path) -> list[str]:
    """What `budgetd verify` finds in a file that no program writes to."""
    with tempfile.TemporaryDirectory() as folder:
        return [str(each) for each in verify_file(copied(path, Path(folder))).deviations]


def _faults_of_counts(found: list[tuple[str, int, int]], counts: tuple[int, int] | None) -> list[str]:
    total = sum(cost_nano_usd for _, _, cost_nano_usd in found)
    if counts is None:
        return ["the budget is missing"]
    names = ("the window's count", "the lifetime's count")
    return [
        f"{name} is {count}, and the sum of its entries is {total}"
        for name, count in zip(names, counts, strict=True)
        if count != total
    ]
