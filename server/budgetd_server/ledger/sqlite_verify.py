"""Recounts a whole SQLite file from its entries, and names each place where the two disagree.

It checks the invariants that a store can break: 1, each count is the sum of the entries behind it; 2, each budget's
lifetime cost is the sum of all of its entries; 5, a request id has taken effect once; 6, sequence numbers leave no gap,
and each entry is in its budget's chain. Nothing of the rules' own code counts here: plain additions, in one pass.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from budgetd_server.domain.bounds import OTHER_MODELS
from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite_file import APPLICATION_ID, connect, inspect

_CHARGE, _ADJUST = 1, 6
_UPDATE_COST, _ADJUST_COST = 4, 5

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


class Deviation(NamedTuple):
    """One disagreement between a file and its own entries."""

    invariant: str
    where: str
    found: int | str
    expected: int | str


class Report(NamedTuple):
    """What was looked at, and what is wrong."""

    counts: dict[str, int]
    deviations: list[Deviation]


class _Budget:
    """A budget's stored counts, and what its entries come to."""

    def __init__(self, budget_id: str, since_seq: int, stored: list[int], lifetime: int, last_seq: int) -> None:
        self.budget_id = budget_id
        self.since_seq = since_seq
        self.stored = stored
        self.stored_lifetime = lifetime
        self.stored_last_seq = last_seq
        self.stored_models: dict[str, list[int]] = {}
        self.counted = [0] * len(_SUMS)
        self.counted_models: dict[str, list[int]] = defaultdict(lambda: [0] * len(_SUMS))
        self.counted_lifetime = 0


def verify_file(path: Path) -> Report:
    """Recount a file.

    Raises:
        LedgerRefused: There is no file of ours at the path.
        sqlite3.Error: The file cannot be read.
    """
    if not path.is_file():
        raise LedgerRefused(f"{path}: there is no such file")
    inspect(path)
    connection = connect(path, is_reader=True)
    try:
        connection.execute("BEGIN")  # One snapshot, whatever servers write meanwhile.
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise LedgerRefused(f"{path} is not a budgetd database")
        faults = [str(fault) for (fault,) in connection.execute("PRAGMA integrity_check(20)") if fault != "ok"]
        deviations = [Deviation("the file is sound", str(path), fault, "ok") for fault in faults]
        budgets = _budgets(connection)
        counts = {"budgets": len(budgets)}
        counts["entries"] = 0
        deviations.extend(_recount(connection, budgets, counts))
        for key, budget in budgets.items():
            deviations.extend(_differences(key, budget))
        counts["request ids"] = 0
        deviations.extend(_requests(connection, counts))
    finally:
        connection.close()
    return Report(counts, deviations)


def _budgets(connection: sqlite3.Connection) -> dict[Key, _Budget]:
    sql = load_queries("sqlite")
    budgets: dict[Key, _Budget] = {}
    for project_key, budget_key, budget_id, since_seq, lifetime, last_seq, *sums in connection.execute(
        sql["verify_counts"]
    ):
        budgets[(project_key, budget_key)] = _Budget(budget_id, since_seq, sums, lifetime, last_seq)
    for project_key, budget_key, model, *sums in connection.execute(sql["verify_models"]):
        budgets[(project_key, budget_key)].stored_models[model] = sums
    return budgets


def _recount(
    connection: sqlite3.Connection, budgets: dict[Key, _Budget], counts: dict[str, int]
) -> Iterator[Deviation]:
    """Add up every entry, oldest first, and follow the chains."""
    expected_seq: dict[int, int] = defaultdict(int)
    newest: dict[tuple[int, str], int] = {}
    for row in connection.execute(load_queries("sqlite")["verify_entries"]):
        project_key, seq, budget_key, previous_seq, kind, model, cost, *tokens = row
        counts["entries"] += 1
        expected_seq[project_key] += 1
        if seq != expected_seq[project_key]:
            yield Deviation("6: no gap in the numbers", f"project {project_key}", seq, expected_seq[project_key])
            expected_seq[project_key] = seq
        budget = budgets.get((project_key, budget_key))
        if budget is None:
            yield Deviation("6: an entry has its budget", f"entry {seq}", budget_key, "a budget")
            continue
        chain = (project_key, budget.budget_id)
        if previous_seq != newest.get(chain, 0):
            where = f"entry {seq} of {budget.budget_id!r}"
            yield Deviation("6: entries are chained", where, previous_seq, newest.get(chain, 0))
        newest[chain] = seq
        if kind in (_CHARGE, _ADJUST):
            _count(budget, seq, model, [cost, *(each or 0 for each in tokens), int(kind == _CHARGE)])
    yield from _wrong_heads(budgets, newest)


def _wrong_heads(budgets: dict[Key, _Budget], newest: dict[tuple[int, str], int]) -> Iterator[Deviation]:
    """The head of a chain stands with the last incarnation of its budget id; older ones ended before."""
    heads = {(key[0], budget.budget_id): budget for key, budget in sorted(budgets.items(), key=lambda item: item[0])}
    for chain, budget in heads.items():
        last_seq = newest.get(chain, 0)
        if budget.stored_last_seq != last_seq:
            invariant = "6: the chain's head is its newest entry"
            yield Deviation(invariant, repr(budget.budget_id), budget.stored_last_seq, last_seq)


def _count(budget: _Budget, seq: int, model: str, parts: list[int]) -> None:
    budget.counted_lifetime += parts[0]
    if seq <= budget.since_seq:
        return
    # A model that has no sum of its own is part of the rest.
    name = model if model in budget.stored_models else OTHER_MODELS
    by_model = budget.counted_models[name]
    for index, part in enumerate(parts):
        budget.counted[index] += part
        by_model[index] += part


def _differences(key: Key, budget: _Budget) -> Iterator[Deviation]:
    where = f"budget {budget.budget_id!r} ({key[0]}/{key[1]})"
    for name, found, expected in zip(_SUMS, budget.stored, budget.counted, strict=True):
        if found != expected:
            yield Deviation("1: a count is the sum of its entries", f"{where} {name}", found, expected)
    for model in sorted(budget.stored_models.keys() | budget.counted_models.keys()):
        stored = budget.stored_models.get(model, [0] * len(_SUMS))
        for name, found, expected in zip(_SUMS, stored, budget.counted_models[model], strict=True):
            if found != expected:
                told = f"{where} model {model!r} {name}"
                yield Deviation("1: a model's part is the sum of its entries", told, found, expected)
    if budget.stored_lifetime != budget.counted_lifetime:
        yield Deviation("2: a lifetime is the sum of all", where, budget.stored_lifetime, budget.counted_lifetime)


def _requests(connection: sqlite3.Connection, counts: dict[str, int]) -> Iterator[Deviation]:
    """Each request id that names an entry names one of its own kind, amount and id; no two entries share one."""
    sql = load_queries("sqlite")
    for rpc, request_id, entry_seq, result, kind, entry_request_id, cost in connection.execute(sql["verify_requests"]):
        counts["request ids"] += 1
        if entry_seq and entry_request_id != request_id:
            yield Deviation("5: a request id has its entry", f"request {request_id!r}", entry_seq, request_id)
        elif rpc in (_UPDATE_COST, _ADJUST_COST) and (kind not in (_CHARGE, _ADJUST) or cost != result):
            yield Deviation("5: a request id has its cost", f"request {request_id!r}", result, cost)
    for request_id, kind, times in connection.execute(sql["verify_double_effects"]):
        yield Deviation("5: a request id takes effect once", f"request {request_id!r} kind {kind}", times, 1)
