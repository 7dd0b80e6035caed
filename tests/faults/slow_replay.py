"""Judges admissions from the ledger alone: replays its entries, oldest first, by plain additions.

After each hold, and each charge that asked for room, what is spent and held must be within every limit that blocks. A
window is over when a RESET entry says so, and not before: as the limit then stood. No rule of the server's code counts
here. It knows no adjustments, partial commits, requested resets or limits that change: the drills have none.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

CHARGE, HOLD, SETTLE, RELEASE, EXPIRE, RESET, CREATE = 1, 2, 3, 4, 5, 7, 8
MONEY, CALLS = 1, 3
#: A reset that moves a window and keeps its count.
STEPPED_BACK = 3

_ENTRIES = """
SELECT e.seq, e.kind, e.budget_key, e.other_keys, e.cost_nano_usd, e.calls, e.reservation_seq, e.adjusted_seq,
       e.cause, e.limit_id, e.is_late, e.created_at_us, r.held_nano_usd
  FROM entries AS e LEFT JOIN reservations AS r ON r.project_key = e.project_key AND r.seq = e.seq
 WHERE e.project_key = 1
 ORDER BY e.seq
"""
_LIMITS = """
SELECT b.budget_key, b.budget_id, c.limit_id, c.unit, c.amount
  FROM counters AS c JOIN budgets AS b USING (project_key, budget_key)
 WHERE b.project_key = 1 AND c.is_model = 0 AND c.amount IS NOT NULL AND c.action = 1
"""


class Row(NamedTuple):
    """An entry, as far as it matters here."""

    seq: int
    kind: int
    budget_key: int
    other_keys: tuple[int, ...] = ()
    cost_nano_usd: int = 0
    calls: int = 0
    reservation_seq: int | None = None
    adjusted_seq: int | None = None
    cause: int = 0
    limit_id: str = ""
    is_late: bool = False
    created_at_us: int = 0
    #: Of a hold: the money that it was granted.
    held_nano_usd: int = 0


@dataclass(kw_only=True)
class BlockingLimit:
    """A limit that blocks, of money or calls of whatever model."""

    budget_id: str
    limit_id: str = ""
    unit: int = MONEY
    amount: int
    spent: int = 0
    held: int = 0
    since_seq: int = 0
    #: When its count began at zero, by the clock that said so.
    reset_at_us: list[int] = field(default_factory=list)
    #: All that was ever spent, and the most that stood at once.
    ever_spent: int = 0
    most: int = 0

    @property
    def name(self) -> str:
        """Its name in reports."""
        return f"{self.budget_id}/{self.limit_id or 'main'}"

    def part_of(self, cost_nano_usd: int, calls: int) -> int:
        """What counts here."""
        return cost_nano_usd if self.unit == MONEY else calls


@dataclass
class Replay:
    """What a ledger's entries come to.

    Args:
        limits: Those of each budget, by its key.
    """

    limits: Mapping[int, Sequence[BlockingLimit]]
    #: Every admission that passed a limit, in words.
    passed: list[str] = field(default_factory=list)
    #: Every other entry that left a limit passed although no commit had come late until then.
    passed_on_time: list[str] = field(default_factory=list)
    late: int = 0
    kinds: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    #: The money that each hold was granted, that each entry booked, and that all entries of each hold booked.
    granted: dict[int, int] = field(default_factory=dict)
    booked: dict[int, int] = field(default_factory=dict)
    settled: dict[int, int] = field(default_factory=lambda: defaultdict(int))
    _open: dict[int, Row] = field(default_factory=dict)

    def take_all(self, rows: Iterable[Row]) -> None:
        """Replay entries, oldest first."""
        for row in rows:
            self.kinds[row.kind] += 1
            self._take(row)
            if row.kind in (HOLD, CHARGE):
                self.passed += self._passed_by(row)
            elif not self.late:
                self.passed_on_time += self._passed_by(row)

    def open_holds(self) -> int:
        """How many holds have not ended."""
        return len(self._open)

    def _take(self, row: Row) -> None:
        if row.kind == RESET:
            self._reset(row)
        elif row.kind == HOLD:
            self._open[row.seq] = row
            self.granted[row.seq] = row.held_nano_usd
            self._hold(row, 1)
        else:
            hold = None if row.reservation_seq is None else self._open.pop(row.reservation_seq, None)
            if hold is not None:
                self._hold(hold, -1)
            self.late += row.is_late and row.cost_nano_usd > 0
            self._spend(row)
            self.booked[row.seq] = row.cost_nano_usd
            if row.reservation_seq is not None:
                self.settled[row.reservation_seq] += row.cost_nano_usd

    def _reset(self, row: Row) -> None:
        for limit in self.limits.get(row.budget_key, ()):
            if limit.limit_id == row.limit_id and row.cause != STEPPED_BACK:
                limit.spent, limit.since_seq = 0, row.seq
                limit.reset_at_us.append(row.created_at_us)

    def _hold(self, hold: Row, sign: int) -> None:
        for limit in self._limits_of(hold):
            limit.held += sign * limit.part_of(hold.held_nano_usd, 1)

    def _spend(self, row: Row) -> None:
        for limit in self._limits_of(row):
            part = limit.part_of(row.cost_nano_usd, row.calls)
            limit.ever_spent += part
            if row.adjusted_seq is None or row.adjusted_seq > limit.since_seq:
                limit.spent += part

    def _passed_by(self, row: Row) -> list[str]:
        faults = []
        for limit in self._limits_of(row):
            limit.most = max(limit.most, limit.spent + limit.held)
            if limit.spent + limit.held > limit.amount:
                state = f"{limit.spent} spent and {limit.held} held are above {limit.amount}"
                faults.append(f"after entry {row.seq} of kind {row.kind}, {limit.name}: {state}")
        return faults

    def _limits_of(self, row: Row) -> list[BlockingLimit]:
        return [limit for key in (row.budget_key, *row.other_keys) for limit in self.limits.get(key, ())]


def replayed(path: Path) -> Replay:
    """The replay of a file's only project. Nobody may write to it meanwhile."""
    limits: dict[int, list[BlockingLimit]] = defaultdict(list)
    with closing(sqlite3.connect(path)) as connection:
        for budget_key, budget_id, limit_id, unit, amount in connection.execute(_LIMITS):
            limits[budget_key].append(BlockingLimit(budget_id=budget_id, limit_id=limit_id, unit=unit, amount=amount))
        replay = Replay(limits)
        replay.take_all(_row(*columns) for columns in connection.execute(_ENTRIES))
    return replay


def _row(seq: int, kind: int, budget_key: int, other_keys: str | None, *rest: object) -> Row:
    cost, calls, reservation_seq, adjusted_seq, cause, limit_id, is_late, created_at_us, held = rest
    keys = tuple(json.loads(other_keys)) if other_keys else ()
    row = Row(seq, kind, budget_key, keys)
    return row._replace(
        cost_nano_usd=_number(cost),
        calls=_number(calls),
        reservation_seq=None if reservation_seq is None else _number(reservation_seq),
        adjusted_seq=None if adjusted_seq is None else _number(adjusted_seq),
        cause=_number(cause),
        limit_id=str(limit_id),
        is_late=bool(is_late),
        created_at_us=_number(created_at_us),
        held_nano_usd=0 if held is None else _number(held),
    )


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value
