"""Steps along the entries that count on a budget: its own, which are chained, and those of others that name it."""

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
    """Where a walk goes on: from these entries down; zero: that kind has come to its end."""

    own_seq: int
    others_seq: int


def chain(
    project_key: int, *, from_seq: int, until_seq: int = 0, rows_max: int = NEWEST
) -> Steps[Sequence[tuple[str, Entry]]]:
    """The entries of a budget's id, from one of them down, with the id."""
    parameters = {"project_key": project_key, "from_seq": from_seq, "until_seq": until_seq, "rows_max": rows_max}
    rows = yield "walk_chain", parameters
    return list(map(entry_from_row, rows))


def entries_above(budget: BudgetState, seq: int) -> Steps[list[Entry]]:
    """All entries above a number that count on a budget, newest first."""
    own = yield from chain(budget.project_key, from_seq=budget.last_seq, until_seq=seq)
    others = yield from _others(budget.project_key, budget.budget_key, NEWEST, seq, NEWEST)
    return _merged([entry for _, entry in own if entry.seq > seq], others)


def recount_slice(
    recount: Recount, project_id: str, position: Position | None, rows_max: int
) -> Steps[Position | None]:
    """Take the next entries into a recount; returns where to go on, None at the end.

    Args:
        recount: What is counted; its first slice says up to which entry.
        project_id: The budget's project.
        position: Where to go on; None: at the newest entry.
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
    # Only down to where both kinds have been read; what is below comes again in the next slice.
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
