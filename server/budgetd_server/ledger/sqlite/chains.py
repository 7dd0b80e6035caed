"""Walks along the entries that count on a budget: its own, which are chained, and those of others that name it."""

import heapq
import sqlite3
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.recount import Recount
from budgetd_server.ledger.sqlite.rows import entry_from_row
from budgetd_server.ledger.sqlite.statements import SqliteStatements

NEWEST = 2**63 - 1


class Position(NamedTuple):
    """Where a walk goes on: from these entries down; zero: that kind has come to its end."""

    own_seq: int
    others_seq: int


def chain(
    statements: SqliteStatements,
    connection: sqlite3.Connection,
    project_key: int,
    *,
    from_seq: int,
    until_seq: int = 0,
    rows_max: int = NEWEST,
) -> Iterator[tuple[str, Entry]]:
    """The entries of a budget's id, from one of them down, with the id."""
    parameters = {"project_key": project_key, "from_seq": from_seq, "until_seq": until_seq, "rows_max": rows_max}
    return islice(map(entry_from_row, connection.execute(statements.sql["walk_chain"], parameters)), rows_max)


def entries_above(
    statements: SqliteStatements, connection: sqlite3.Connection, budget: BudgetState, seq: int
) -> list[Entry]:
    """All entries above a number that count on a budget, newest first."""
    own = chain(statements, connection, budget.project_key, from_seq=budget.last_seq, until_seq=seq)
    others = _others(statements, connection, budget.project_key, budget.budget_key, NEWEST, seq, NEWEST)
    merged = heapq.merge(
        (entry for _, entry in own if entry.seq > seq), others, key=lambda entry: entry.seq, reverse=True
    )
    return list(merged)


def recount_slice(
    statements: SqliteStatements,
    recount: Recount,
    project_id: str,
    position: Position | None,
    rows_max: int,
    connection: sqlite3.Connection,
) -> Position | None:
    """Take the next entries into a recount; returns where to go on, None at the end.

    Args:
        statements: The statements.
        recount: What is counted; its first slice says up to which entry.
        project_id: The budget's project.
        position: Where to go on; None: at the newest entry.
        rows_max: How many entries of either kind to read at most.
        connection: One that reads.
    """
    project_key = statements.project_key(connection, project_id)
    assert project_key is not None, "a recount is begun on a budget that exists"
    key = recount.budget_key
    if position is None:
        parameters = {"project_key": project_key, "budget_key": key}
        newest, own_seq = connection.execute(statements.sql["newest_entries"], parameters).fetchone()
        recount.until_seq, position = newest, Position(own_seq, newest)
    own = [
        entry for _, entry in chain(statements, connection, project_key, from_seq=position.own_seq, rows_max=rows_max)
    ]
    others = list(_others(statements, connection, project_key, key, position.others_seq, 0, rows_max))
    own_next = own[-1].previous_seq if own else 0
    others_next = others[-1].seq - 1 if len(others) == rows_max else 0
    # Only down to where both kinds have been read; what is below comes again in the next slice.
    least = max(own_next + 1 if own_next else 0, others_next + 1)
    merged = heapq.merge(own, others, key=lambda entry: entry.seq, reverse=True)
    if recount.take(entry for entry in merged if entry.seq >= least):
        return None
    left_own = [entry.seq for entry in own if entry.seq < least]
    left_others = [entry.seq for entry in others if entry.seq < least]
    following = Position(left_own[0] if left_own else own_next, left_others[0] if left_others else others_next)
    return following if following.own_seq or following.others_seq else None


def _others(
    statements: SqliteStatements,
    connection: sqlite3.Connection,
    project_key: int,
    budget_key: int,
    from_seq: int,
    until_seq: int,
    rows_max: int,
) -> Iterator[Entry]:
    parameters = {
        "project_key": project_key,
        "budget_key": budget_key,
        "from_seq": from_seq,
        "until_seq": until_seq,
        "rows_max": rows_max,
    }
    return (entry_from_row(row)[1] for row in connection.execute(statements.sql["walk_others"], parameters))
