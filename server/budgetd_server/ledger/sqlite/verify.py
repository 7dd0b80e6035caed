"""Recount a whole SQLite file from its entries, and report each deviation.

It checks the invariants that a store can break: 1, each count is the sum of its entries, and held amounts are the sums
of the open holds; 2, each budget's lifetime cost is the sum of all its entries; 5, a request id takes effect once; 6,
sequence numbers have no gaps, and each entry is in the chain of its budget. It does not use the code of the rules, but
plain additions, in one pass.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite.file import connect, explain, former_log_hint, inspect, look, refuse_unreachable
from budgetd_server.ledger.sqlite.migrations import APPLICATION_ID, newest_version, read_version
from budgetd_server.ledger.sqlite.place import claim
from budgetd_server.ledger.sqlite.recount import Deviation, FileRecount

_CHARGE, _HOLD, _SETTLE, _ADJUST = 1, 2, 3, 6
#: For each RPC, the kind of entry that its request ids refer to, and whether the stored number is the entry's cost.
_KIND_OF_RPC = {4: (_CHARGE, True), 5: (_ADJUST, True), 9: (_HOLD, False), 10: (_SETTLE, True)}


class Verification(NamedTuple):
    """How many rows of each kind were checked, and all deviations."""

    counts: dict[str, int]
    deviations: list[Deviation]


def verify_file(path: Path) -> Verification:
    """Recount a file.

    Raises:
        LedgerRefused: The path does not lead to a budgetd file, or it cannot be read.
    """
    refuse_unreachable(path)
    if not path.is_file():
        raise LedgerRefused(f"{path}: there is no such file")
    try:
        claim(path, lambda: inspect(path), writes=False)
        return _verify(path)
    except (sqlite3.Error, OSError) as error:
        raise LedgerRefused(explain(error, path)) from error


def _verify(path: Path) -> Verification:
    hint = former_log_hint(path)
    # If there is a log, use a connection that never writes: closing any other one would checkpoint the log.
    connection = look(path) if hint else connect(path, is_reader=True)
    try:
        connection.execute("PRAGMA temp_store = FILE")  # Sorted data may be larger than the memory.
        connection.execute("BEGIN")  # One snapshot, even while servers write.
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise LedgerRefused(f"{path} is not a budgetd database")
        if read_version(connection) < newest_version():
            raise LedgerRefused(f"{path} is of an older version of budgetd: run 'budgetd migrate' first")
        faults = [str(fault) for (fault,) in connection.execute("PRAGMA integrity_check(20)") if fault != "ok"]
        deviations = [Deviation("the file is sound", str(path), fault, f"ok{hint}") for fault in faults]
        recount = FileRecount(connection)
        deviations.extend(recount.deviations())
        counts = {"budgets": len(recount.budgets), "entries": recount.entries, "reservations": recount.reservations}
        counts["request_ids"] = 0
        deviations.extend(_requests(connection, counts))
    finally:
        connection.close()
    return Verification(counts, deviations)


def _requests(connection: sqlite3.Connection, counts: dict[str, int]) -> Iterator[Deviation]:
    """Check that each request id has an entry of its own kind, amount and id, and that no two entries share one."""
    sql = load_queries("sqlite")
    for rpc, request_id, entry_seq, result, kind, of_entry, cost, adjusted_seq in connection.execute(
        sql["verify_requests"]
    ):
        counts["request_ids"] += 1
        where = f"request {request_id!r}"
        expected_kind, tells_cost = _KIND_OF_RPC.get(rpc, (kind, False))
        if entry_seq and of_entry != request_id:
            yield Deviation("5: a request id has its entry", where, entry_seq, request_id)
        elif entry_seq and kind != expected_kind:
            yield Deviation("5: a request id has its kind of entry", where, kind, expected_kind)
        # The settlement of an estimate books the difference, but its result is the whole cost.
        elif rpc in _KIND_OF_RPC and tells_cost and (adjusted_seq is None or rpc == 5) and cost != result:
            yield Deviation("5: a request id has its cost", where, result, cost)
    for request_id, kind, times in connection.execute(sql["verify_double_effects"]):
        yield Deviation("5: a request id takes effect once", f"request {request_id!r} kind {kind}", times, 1)
