"""Steps that walk the entries that count on a budget: its own, which are chained, and those of other budgets."""

import heapq
from collections.abc import Sequence
from typing import NamedTuple

from budgetd_server.domain.budget import BudgetState
from budgetd_server.domain.entry import Entry
from budgetd_server.domain.recount import Recount
from budgetd_server.ledger import budgets
from budgetd_server.ledger.rows import entry_from_row
from budgetd_server.ledger.steps import Steps

NEWEST = 2**63 - 1


class Position(NamedTuple):
    """Where a walk continues: from these sequence numbers down. Zero: no more entries of that kind."""

    own_seq: int
    others_seq: int


def chain(
    project_key: int, *, from_seq: int, until_seq: int = 0, rows_max: int = NEWEST
) -> Steps[Sequence[tuple[str, Entry]]]:
    """Load the entries of a budget id, from one of them down, each with the id."""
    parameters = {"project_key": project_key, "from_seq": from_seq, "until_seq": until_seq, "rows_max": rows_max}
    rows = yield "walk_chain", parameters
    return list(map(entry_from_row, rows))


def entries_above(budget: BudgetState, seq: int) -> Steps[list[Entry]]:
    """Load all entries above a number that count on a budget, newest first."""
    own = yield from chain(budget.project_key, from_seq=budget.last_seq, until_seq=seq)
    others = yield from _others(budget.project_key, budget.budget_key, NEWEST, seq, NEWEST)
    return _merged([entry for _, entry in own if entry.seq > seq], others)


def recount_slice(
    recount: Recount, project_id: str, position: Position | None, rows_max: int
) -> Steps[Position | None]:
    """Add the next entries to a recount. Returns where to continue, or None at the end.

    Args:
        recount: The recount. Its first slice sets up to which entry it counts.
        project_id: The budget's project.
        position: Where to continue. None: at the newest entry.
        rows_max: How many entries of either kind to read at most.
    """
    project_key, _ = yield from budgets.project(project_id)
    assert project_key is not None, "a recount is begun on a budget that exists"
    key = recount.budget_key
    if position is None:
        ((newest, own_seq),) = yield "newest_entries", {"project_key": project_key, "budget_key": key}
        recount.until_seq, position = newest, Position(own_seq, newest)
    chained = yield from chain(project_key, from_seq=position.own_seq, rows_max=rows_max)
    own = [entry for _, entry in chained]
    others = yield from _others(project_key, key, position.others_seq, 0, rows_max)
    own_next = own[-1].previous_seq if own else 0
    others_next = others[-1].seq - 1 if len(others) == rows_max else 0
    # Count only down to where both kinds have been read. Entries below are read again by the next slice.
    least = max(own_next + 1 if own_next else 0, others_next + 1)
    if recount.take(entry for entry in _merged(own, others) if entry.seq >= least):
        return None
    left_own = [entry.seq for entry in own if entry.seq < least]
    left_others = [entry.seq for entry in others if entry.seq < least]
    following = Position(left_own[0] if left_own else own_next, left_others[0] if left_others else others_next)
    return following if following.own_seq or following.others_seq else None


def _others(project_key: int, budget_key: int, from_seq: int, until_seq: int, rows_max: int) -> Steps[list[Entry]]:
    parameters = {
        "project_key": project_key,
        "budget_key": budget_key,
        "from_seq": from_seq,
        "until_seq": until_seq,
        "rows_max": rows_max,
    }
    rows = yield "walk_others", parameters
    return [entry_from_row(row)[1] for row in rows]


def _merged(own: Sequence[Entry], others: Sequence[Entry]) -> list[Entry]:
    return list(heapq.merge(own, others, key=lambda entry: entry.seq, reverse=True))
