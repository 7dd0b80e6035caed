"""Two ledgers that carry out the same commands: one deletes trees at once, the other in steps at random moments."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from budgetd_server.domain.commands import (
    AdjustCost,
    Charge,
    Command,
    CommitReservation,
    ExtendReservation,
    Outcome,
    ReleaseReservation,
    ReserveCost,
    Sweep,
)
from budgetd_server.domain.entry import Cause, EntryKind
from budgetd_server.domain.queries import BudgetQuery
from budgetd_server.domain.recount import StaleRecount
from budgetd_server.domain.status import BudgetStatus, LimitStatus, budget_status
from budgetd_server.ledger import loading, reading
from tests.domain.desk import MONDAY_US
from tests.ledger.batches import IDS, PROJECTS, SECOND_US, Batches
from tests.ledger.split_batches import MemoryFile, narrow_bounds
from tests.ledger.stores import Result

#: A number that no entry has.
NO_SEQ = 10**9
#: In all less than until a window ends: the windows of budgets that are being deleted do not roll any more.
JUMPS_US = (0, 0, 1, SECOND_US, 61 * SECOND_US, -2 * SECOND_US)
VERIFIED_EVERY = 4
#: Columns that number or time what comes later in steps, or that fire while its holds are still there.
_LATER = {"seq", "previous_seq", "since_seq", "last_seq", "alerts_fired"}
_OF_ENTRIES = ("reservation_seq", "adjusted_seq", "ended_seq", "entry_seq")


class DeletingBatches(Batches):
    """Batches in which holds are often made right before their budgets are deleted, and looked at after it."""

    def overdue(self, project_id: str) -> Sweep:
        """What the sweeper asks for of the holds of a project; it names no budget."""
        return Sweep(project_id=project_id, reservation_seqs=tuple(self._see(project_id).holds))

    def _scene(self, project_id: str) -> list[Command[Any]]:
        random = self._random
        if random.random() < 0.4:
            return super()._scene(project_id)
        child, above, other = random.sample(IDS[:-1], 3)
        hold, spend = self._reserve(project_id), self._charge(project_id)
        assert isinstance(hold, ReserveCost)
        assert isinstance(spend, Charge)
        return [
            self._moving(project_id, child, above),
            replace(hold, budget_id=child, additional_ids=(other,)),
            self._deletion(project_id, above),
            spend._replace(budget_id=other, rejects_over_limit=True),
        ]


class Stepped:
    """The two ledgers, and what an entry of the one is in the other."""

    def __init__(self, seed: int, patch: pytest.MonkeyPatch) -> None:
        self._random = Random(seed)
        self._patch = patch
        self.at_once, self.in_steps = MemoryFile(), MemoryFile()

    def begin(self, commands: Sequence[Command[Any]], now_us: int) -> None:
        """Let both hold the same."""
        self.at_once.commit(commands, now_us)
        self.in_steps.connection.deserialize(self.at_once.connection.serialize())

    def step(self, now_us: int) -> int:
        """Finish a few deletions; how many projects have more."""
        self._patch.setattr(loading, "DELETED_IN_STEP", self._random.randint(1, 3))
        sweeps = [Sweep(project_id=each, finishes_deletions=True) for each in dict.fromkeys(PROJECTS)]
        results = [self.in_steps.commit([sweep], now_us)[0] for sweep in sweeps]
        return sum(isinstance(result, Outcome) and result.result.changes_count > 0 for result in results)

    def compare(self, commands: Sequence[Command[Any]], now_us: int) -> None:
        """Carry out commands in both, and compare what they answer."""
        seqs = _names(self.at_once)
        known = {name: seq for seq, name in _names(self.in_steps).items()}
        there = {seq: known[name] for seq, name in seqs.items() if name in known}
        one = [self.at_once.prepared(_renumbered(each, {seq: seq for seq in there}), now_us) for each in commands]
        other = [self.in_steps.prepared(_renumbered(each, there), now_us) for each in commands]
        self._patch.setattr(loading, "DELETED_AT_ONCE_MAX", 1_000)
        expected = self.at_once.commit(one, now_us)
        self._patch.setattr(loading, "DELETED_AT_ONCE_MAX", 0)
        found = self.in_steps.commit(other, now_us)
        first, second = _names(self.at_once), _names(self.in_steps)
        for command, mine, theirs in zip(commands, expected, found, strict=True):
            answer, right = _comparable(command, theirs, second), _comparable(command, mine, first)
            assert answer == right, (command, answer, right)

    def compare_reads(self, now_us: int) -> None:
        """Compare what readers see of budgets."""
        for project_id in dict.fromkeys(PROJECTS):
            parts = zip(*(self._seen(file, project_id, now_us) for file in (self.in_steps, self.at_once)), strict=True)
            for found, expected in parts:
                assert found == expected, (found, expected)

    def compare_all(self) -> None:
        """Compare all that they keep, once nothing is left to be done."""
        first, second = _names(self.at_once), _names(self.in_steps)
        assert Counter(second.values()) == Counter(first.values())
        assert _kept(self.in_steps, second) == _kept(self.at_once, first)

    def _seen(self, file: MemoryFile, project_id: str, now_us: int) -> Any:
        places = [(project_id, budget_id) for budget_id in IDS]
        living = file.asked(reading.live_budgets(places, set(places)))
        lines = file.asked(reading.lineage(project_id, IDS))
        pages = [
            file.asked(reading.budget_page(BudgetQuery(project_id=project_id, rows_max=rows, with_deleted=deleted)))
            for deleted in (False, True)
            for rows in (1, 3, 1_000)
        ]
        return (
            {key: _standing(budget_status(budget, now_us)) for key, budget in living.items()},
            [[_standing(budget_status(each, now_us)) for each in line] for line in lines],
            [[(each.budget_key, _standing(budget_status(each, now_us))) for each in page] for page in pages],
        )


@contextmanager
def few_at_once() -> Iterator[pytest.MonkeyPatch]:
    """Narrow bounds, and no refusal of a deletion or move loads the tree."""
    with narrow_bounds() as patch:
        patch.setattr(loading, "DESCENDANTS_LOADED_MAX", 1)
        yield patch


def play_steps(seed: int, batches: int, patch: pytest.MonkeyPatch) -> None:
    """Play random batches with steps in between.

    Raises:
        AssertionError: The ledgers differ, or one deviates from its own entries.
    """
    both, random = Stepped(seed, patch), Random(seed)
    drawn, now_us = DeletingBatches(seed, both.at_once.seen), MONDAY_US + 10**9
    both.begin(drawn.first(), now_us)
    for number in range(batches):
        now_us += random.choice(JUMPS_US)
        both.compare([drawn.overdue(project_id) for project_id in dict.fromkeys(PROJECTS)], now_us)
        for part in drawn.cut(drawn.next()):
            both.compare(part, now_us)
            if random.random() < 0.4:
                both.compare_reads(now_us)
            if random.random() < 0.2:
                both.step(now_us)
        if seed % VERIFIED_EVERY == number:
            assert both.in_steps.deviations() == [], f"seed {seed}"
    while both.step(now_us):
        pass
    both.compare_all()
    if seed % VERIFIED_EVERY == 0:
        assert both.in_steps.deviations() == [], f"seed {seed}"


def _renumbered(command: Command[Any], seqs: dict[int, int]) -> Command[Any]:
    """A command that speaks of entries by other numbers."""
    if isinstance(command, CommitReservation | ReleaseReservation | ExtendReservation):
        return replace(command, reservation_seq=seqs.get(command.reservation_seq, NO_SEQ))
    if isinstance(command, AdjustCost) and command.entry_seq is not None:
        return replace(command, entry_seq=seqs.get(command.entry_seq, NO_SEQ))
    if isinstance(command, Sweep):
        known = tuple(seqs[seq] for seq in command.reservation_seqs if seq in seqs)
        return replace(command, reservation_seqs=known)
    return command


def _names(file: MemoryFile) -> dict[Any, Any]:
    """By project and number, what each entry is, whatever its number."""
    names: dict[Any, Any] = {None: None}
    times: Counter[Any] = Counter()
    for project_id, row in _rows(file, "entries"):
        seq = row.pop("seq")
        for column in ("reservation_seq", "adjusted_seq"):
            row[column] = names.get(row[column] and (project_id, row[column]))
        if row["kind"] == EntryKind.DELETE or row["cause"] == Cause.BUDGET_DELETED:
            row["created_at_us"] = None
        name = (project_id, tuple(row[column] for column in row if column not in _LATER))
        times[name] += 1
        names[(project_id, seq)] = (*name, times[name])
    return {key: name for key, name in names.items() if key is not None}


def _rows(file: MemoryFile, table: str) -> Iterator[tuple[str, dict[str, Any]]]:
    cursor = file.connection.execute(f"SELECT * FROM {table}")
    columns = [column for column, *_ in cursor.description]
    projects = dict(file.connection.execute("SELECT project_key, project_id FROM projects"))
    for values in cursor.fetchall():
        row = dict(zip(columns, values, strict=True))
        yield projects[row.pop("project_key")], row


def _comparable(command: Command[Any], result: Result, names: dict[Any, Any]) -> Any:
    """An answer without numbers of entries, and without what holds keep that are still to be released."""
    if isinstance(command, Sweep):
        return None
    if isinstance(result, StaleRecount):
        return "stale"
    if isinstance(result, Outcome):
        entry = names.get((command.project_id, result.entry_seq))
        budget = None if result.budget is None else _standing(result.budget)._replace(models=())
        return result._replace(entry_seq=0, limits=tuple(map(_limit, result.limits)), budget=budget), entry
    names_numbers = isinstance(command, CommitReservation | ReleaseReservation | ExtendReservation | AdjustCost)
    return type(result).__name__, None if names_numbers else (str(result), vars(result))


def _standing(status: BudgetStatus) -> BudgetStatus:
    return status._replace(limits=tuple(map(_limit, status.limits)))


def _limit(status: LimitStatus) -> LimitStatus:
    return status._replace(held=0, exhaustion_at_us=None)


def _kept(file: MemoryFile, names: dict[Any, Any]) -> Any:
    """Every table but that of entries, with entries by what they are in place of their numbers."""
    kept: dict[str, Counter[str]] = {}
    tables = file.connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    for (table,) in tables:
        if table in ("heartbeat", "place", "projects", "entries"):
            continue
        kept[table] = Counter()
        for project_id, row in _rows(file, table):
            for column in _OF_ENTRIES if table in ("reservations", "request_ids") else ():
                if row.get(column):
                    row[column] = names[(project_id, row[column])]
            if "seq" in row:
                row["entry"] = names[(project_id, row["seq"])]
            row.pop("ended_at_us", None)
            kept_columns = {column: value for column, value in row.items() if column not in _LATER}
            kept[table][json.dumps([project_id, kept_columns], default=repr)] += 1
    return kept
