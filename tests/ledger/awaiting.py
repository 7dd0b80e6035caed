"""The driver of a ledger whose store answers over a network: the steps are the same, and others go on meanwhile."""

import asyncio

from budgetd_server.ledger.steps import Rows, Steps, T


async def carried_out_awaiting(rows: Rows, steps: Steps[T]) -> T:
    """Carry out steps, and return their result; others go on between a statement and its rows."""
    try:
        statement, parameters = next(steps)
        while True:
            await asyncio.sleep(0)
            statement, parameters = steps.send(rows(statement, parameters))
    except StopIteration as end:
        result: T = end.value
        return result
