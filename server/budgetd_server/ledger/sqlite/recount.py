"""Recount all counts of a SQLite file from its entries and holds, by plain additions."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from budgetd_server.domain.bounds import OTHER_MODELS
from budgetd_server.ledger.queries import load_queries

_NANO_USD, _TOKENS = 1, 2
_HOLD, _OPEN = 2, 1

Key = tuple[int, int]
_SUMS = (
    "cost_nano_usd",
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "calls",
)


Row = tuple[int, ...]
_END: Key = (2**63, 0)


class Deviation(NamedTuple):
    """One disagreement between a file and its own entries."""

    invariant: str
    where: str
    found: int | str
    expected: int | str


class _Limit:
    """The stored count of a limit, and the sums of its entries and holds."""

    def __init__(self, unit: int, models: str | None, since_seq: int, held: int, stored: Sequence[int]) -> None:
        self.unit = unit
        self.patterns: list[str] = json.loads(models) if models else []
        self.since_seq = since_seq
        self.stored_held = held
        self.stored = list(stored)
        self.held = 0
        self.counted = [0] * len(_SUMS)

    def matches(self, *models: str) -> bool:
        """Return True if entries with these model names count on the limit."""
        return not self.patterns or any(
            model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern
            for pattern in self.patterns
            for model in models
            if model
        )


class _Budget:
    """The stored counts of a budget, and the sums of its entries."""

    def __init__(
        self,
        budget_id: str,
        parent_key: int | None,
        deleted_at_us: int | None,
        named_count: int,
        lifetime: int,
        last: int,
    ) -> None:
        self.budget_id = budget_id
        self.parent_key = parent_key
        self.deleted_at_us = deleted_at_us
        self.named_count = named_count
        self.stored_lifetime = lifetime
        self.stored_last_seq = last
        self.limits: dict[str, _Limit] = {}
        self.stored_models: dict[str, list[int]] = {}
        self.counted_models: dict[str, list[int]] = defaultdict(lambda: [0] * len(_SUMS))
        self.counted_lifetime = 0


class _InStep:
    """Rows that begin with project and number of an entry, read in parallel with the entries.

    So neither has to be kept in memory.
    """

    def __init__(self, rows: Iterator[Row]) -> None:
        self._rows = rows
        self._next = next(rows, None)

    def until(self, place: Key) -> Iterator[Row]:
        """Yield the rows up to a place that were not read yet."""
        while self._next is not None and self._next[:2] <= place:
            taken, self._next = self._next, next(self._rows, None)
            yield taken


class FileRecount:
    """One pass over a file.

    Args:
        connection: A connection in a reading transaction.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._sql = load_queries("sqlite")
        self.budgets = self._loaded_budgets()
        #: How many were read.
        self.entries = self.reservations = 0
        self._newest: dict[tuple[int, str], int] = {}
        self._pending: set[Key] = set(connection.execute(self._sql["verify_pending_deletions"]))
        self._noted = _InStep(connection.execute(self._sql["verify_entry_budgets"]))

    def deviations(self) -> Iterator[Deviation]:
        """Yield all deviations."""
        yield from self._trees()
        yield from self._entries()
        yield from self._wrong_heads()
        yield from self._reservations()
        for key, budget in self.budgets.items():
            yield from _differences(key, budget)

    def _loaded_budgets(self) -> dict[Key, _Budget]:
        budgets: dict[Key, _Budget] = {}
        for project_key, budget_key, budget_id, *row in self._connection.execute(self._sql["verify_budgets"]):
            budgets[(project_key, budget_key)] = _Budget(budget_id, *row)
        for project_key, budget_key, limit_id, *limit in self._connection.execute(self._sql["verify_limits"]):
            unit, models, since_seq, held, *sums = limit
            budgets[(project_key, budget_key)].limits[limit_id] = _Limit(unit, models, since_seq, held, sums)
        for project_key, budget_key, model, *sums in self._connection.execute(self._sql["verify_models"]):
            budgets[(project_key, budget_key)].stored_models[model] = sums
        return budgets

    def _trees(self) -> Iterator[Deviation]:
        """Check that the parent of a live budget is live, or its deletion is unfinished, and that there is no cycle."""
        for key in self._pending:
            pending = self.budgets.get(key)
            if pending is None or pending.deleted_at_us is None:
                yield Deviation("a pending deletion is of a deleted budget", f"budget {key}", "live", "deleted")
        for (project_key, budget_key), budget in self.budgets.items():
            where = f"budget {budget.budget_id!r} ({project_key}/{budget_key})"
            if len(budget.limits) != budget.named_count + 1:
                yield Deviation("a budget has its limits", where, len(budget.limits) - 1, budget.named_count)
            above, seen = budget, {budget_key}
            while above.parent_key is not None:
                parent = self.budgets.get((project_key, above.parent_key))
                if budget.deleted_at_us is None and (project_key, above.parent_key) in self._pending:
                    break  # It was deleted with an ancestor, and its own row will follow.
                is_lost = parent is None or (budget.deleted_at_us is None and parent.deleted_at_us is not None)
                if parent is None or is_lost or above.parent_key in seen:
                    yield Deviation("a budget's ancestors live and form no cycle", where, above.parent_key, "a tree")
                    break
                seen.add(above.parent_key)
                above = parent

    def _entries(self) -> Iterator[Deviation]:
        """Sum all entries, oldest first, and check the chains."""
        expected_seq: dict[int, int] = defaultdict(int)
        for row in self._connection.execute(self._sql["verify_entries"]):
            project_key, seq, budget_key, previous_seq, *rest = row
            self.entries += 1
            expected_seq[project_key] += 1
            if seq != expected_seq[project_key]:
                yield Deviation("6: no gap in the numbers", f"project {project_key}", seq, expected_seq[project_key])
                expected_seq[project_key] = seq
            budget = self.budgets.get((project_key, budget_key))
            if budget is None:
                yield Deviation("6: an entry has its budget", f"entry {seq}", budget_key, "a budget")
                continue
            chain = (project_key, budget.budget_id)
            if previous_seq != self._newest.get(chain, 0):
                where = f"entry {seq} of {budget.budget_id!r}"
                yield Deviation("6: entries are chained", where, previous_seq, self._newest.get(chain, 0))
            self._newest[chain] = seq
            yield from self._count(project_key, seq, budget, rest)
        for row in self._noted.until(_END):
            yield _noted_alone(row)

    def _count(self, project_key: int, seq: int, own: _Budget, rest: Sequence[int | str | None]) -> Iterator[Deviation]:
        _, model, other_names, catalogue_name, other_keys, adjusted_seq, _, _, cost, *amounts = rest
        keys: list[int] = json.loads(str(other_keys)) if other_keys else []
        noted = []
        for row in self._noted.until((project_key, seq)):
            if row[:2] == (project_key, seq):
                noted.append(row[2])
            else:
                yield _noted_alone(row)
        if sorted(keys) != sorted(noted):
            yield Deviation("an entry is found from all its budgets", f"entry {seq}", str(noted), str(keys))
        parts = [int(each or 0) for each in (cost, *amounts)]
        if not any(parts):
            return
        budgets = [own]
        for key in keys:
            budget = self.budgets.get((project_key, key))
            if budget is None:
                yield Deviation("6: an entry has its budgets", f"entry {seq}", key, "a budget")
            else:
                budgets.append(budget)
        corrected = None if adjusted_seq is None else int(adjusted_seq)
        models = (str(model), *_others(other_names, catalogue_name))
        for budget in budgets:
            _add(budget, seq, corrected, models, parts)

    def _wrong_heads(self) -> Iterator[Deviation]:
        """Check that the last incarnation of a budget id has the head of its chain; older ones ended before."""
        heads = {(key[0], budget.budget_id): budget for key, budget in sorted(self.budgets.items())}
        for chain, budget in heads.items():
            last_seq = self._newest.get(chain, 0)
            if budget.stored_last_seq != last_seq:
                invariant = "6: the chain's head is its newest entry"
                yield Deviation(invariant, repr(budget.budget_id), budget.stored_last_seq, last_seq)

    def _reservations(self) -> Iterator[Deviation]:
        """Check that each open hold counts on its budgets, and that nothing else is held."""
        holds = _InStep(self._connection.execute(self._sql["verify_holds"]))
        for row in self._connection.execute(self._sql["verify_reservations"]):
            project_key, seq, budget_key, state, nano_usd, tokens, calls, expires_at_us, kind, own_key, *named = row
            model, other_names, catalogue_name, other_keys = named
            self.reservations += 1
            if kind != _HOLD or own_key != budget_key:
                yield Deviation("a reservation has its entry", f"reservation {seq}", str(kind), _HOLD)
                continue
            keys = (budget_key, *(json.loads(other_keys) if other_keys else ())) if state == _OPEN else ()
            wanted: set[Row] = {(project_key, seq, key, expires_at_us) for key in keys}
            yield from _unlike(wanted, set(holds.until((project_key, seq))))
            for key in keys:
                budget = self.budgets.get((project_key, key))
                for limit in budget.limits.values() if budget else ():
                    if limit.matches(model, *_others(other_names, catalogue_name)):
                        units = nano_usd if limit.unit == _NANO_USD else tokens if limit.unit == _TOKENS else calls
                        limit.held += units
        yield from _unlike(set(), set(holds.until(_END)))


def _noted_alone(row: Row) -> Deviation:
    project_key, seq, key = row
    return Deviation("an entry counts on its budgets alone", f"entry {project_key}/{seq}", str(key), "none")


def _unlike(wanted: set[Row], found: set[Row]) -> Iterator[Deviation]:
    """Yield the open holds that are found but not expected, or expected but not found."""
    for place in sorted(found ^ wanted):
        project_key, seq, key, expires_at_us = place
        where = str((project_key, key, expires_at_us, seq))
        expected = "an open hold" if place in wanted else "none"
        yield Deviation("open holds are found from their budgets", where, str(place in found), expected)


def _others(other_names: object, catalogue_name: object) -> list[str]:
    """Return a model's other names. Entries of the oldest version have only the catalogue's name, if any."""
    names: list[str] = [str(catalogue_name)] if other_names is None else json.loads(str(other_names))
    return names


def _add(budget: _Budget, seq: int, corrected: int | None, models: Sequence[str], parts: Sequence[int]) -> None:
    budget.counted_lifetime += parts[0]
    for limit_id, limit in budget.limits.items():
        since_seq = limit.since_seq
        if seq <= since_seq or (corrected is not None and corrected <= since_seq):
            continue
        if not limit.matches(*models):
            continue
        targets = [limit.counted]
        if not limit_id:
            # A model without its own sum counts under OTHER_MODELS.
            targets.append(budget.counted_models[models[0] if models[0] in budget.stored_models else OTHER_MODELS])
        for target in targets:
            for index, part in enumerate(parts):
                target[index] += part


def _differences(key: Key, budget: _Budget) -> Iterator[Deviation]:
    where = f"budget {budget.budget_id!r} ({key[0]}/{key[1]})"
    for limit_id, limit in budget.limits.items():
        named = f"{where} limit {limit_id!r}" if limit_id else where
        for name, found, expected in zip(_SUMS, limit.stored, limit.counted, strict=True):
            if found != expected:
                yield Deviation("1: a count is the sum of its entries", f"{named} {name}", found, expected)
        if limit.stored_held != limit.held:
            invariant = "1: what is held is the sum of the open holds"
            yield Deviation(invariant, f"{named} held", limit.stored_held, limit.held)
    yield from _different_models(where, budget.stored_models, budget.counted_models)
    if budget.stored_lifetime != budget.counted_lifetime:
        yield Deviation("2: a lifetime is the sum of all", where, budget.stored_lifetime, budget.counted_lifetime)


def _different_models(
    where: str, stored: Mapping[str, list[int]], counted: Mapping[str, list[int]]
) -> Iterator[Deviation]:
    nothing = [0] * len(_SUMS)
    for model in sorted(stored.keys() | counted.keys()):
        pairs = zip(_SUMS, stored.get(model, nothing), counted.get(model, nothing), strict=True)
        for name, found, expected in pairs:
            if found != expected:
                place = f"{where} model {model!r} {name}"
                yield Deviation("1: a model's part is the sum of its entries", place, found, expected)
