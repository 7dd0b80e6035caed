"""Recounts a whole SQLite file from its entries, and names each place where the two disagree.

It checks the invariants that a store can break: 1, each count is the sum of the entries behind it, and what is held
that of the open holds; 2, each budget's lifetime cost is the sum of all of its entries; 5, a request id took effect
once; 6, sequence numbers leave no gap, and each entry is in its budget's chain. Nothing of the rules' own code counts
here: plain additions, in one pass.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from budgetd_server.ledger.base import LedgerRefused
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.sqlite.file import connect, explained, former_log_hint, inspect, look, refuse_unreachable
from budgetd_server.ledger.sqlite.migrations import APPLICATION_ID, newest_version, version_of
from budgetd_server.ledger.sqlite.place import claim
from budgetd_server.ledger.sqlite.recount import Deviation, FileRecount

_CHARGE, _HOLD, _SETTLE, _ADJUST = 1, 2, 3, 6
#: The kind of entry that the request ids of an RPC name, and whether their number is its cost.
_KIND_OF_RPC = {4: (_CHARGE, True), 5: (_ADJUST, True), 9: (_HOLD, False), 10: (_SETTLE, True)}


class Report(NamedTuple):
    """What was looked at, and what is wrong."""

    counts: dict[str, int]
    deviations: list[Deviation]


def verify_file(path: Path) -> Report:
    """Recount a file.

    Raises:
        LedgerRefused: There is no file of ours at the path, or it cannot be read.
    """
    refuse_unreachable(path)
    if not path.is_file():
        raise LedgerRefused(f"{path}: there is no such file")
    try:
        claim(path, lambda: inspect(path), writes=False)
        return _report(path)
    except (sqlite3.Error, OSError) as error:
        raise LedgerRefused(explained(error, path)) from error


def _report(path: Path) -> Report:
    hint = former_log_hint(path)
    # With a log, a connection that never writes: another one would move the log into the file when it is closed.
    connection = look(path) if hint else connect(path, is_reader=True)
    try:
        connection.execute("PRAGMA temp_store = FILE")  # What has to be sorted may be larger than the memory.
        connection.execute("BEGIN")  # One snapshot, whatever servers write meanwhile.
        (application_id,) = connection.execute("PRAGMA application_id").fetchone()
        if application_id != APPLICATION_ID:
            raise LedgerRefused(f"{path} is not a budgetd database")
        if version_of(connection) < newest_version():
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
    return Report(counts, deviations)


def _requests(connection: sqlite3.Connection, counts: dict[str, int]) -> Iterator[Deviation]:
    """Each request id that names an entry names one of its own kind, amount and id; no two entries share one."""
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
        # What settles an estimate books the difference, and tells the whole.
        elif rpc in _KIND_OF_RPC and tells_cost and (adjusted_seq is None or rpc == 5) and cost != result:
            yield Deviation("5: a request id has its cost", where, result, cost)
    for request_id, kind, times in connection.execute(sql["verify_double_effects"]):
        yield Deviation("5: a request id takes effect once", f"request {request_id!r} kind {kind}", times, 1)
