"""Callers of an engine: they submit commands from tasks of their own, and wait, but not for ever."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.errors import Refusal
from tests.engine.conftest import Bench

T = TypeVar("T")

PATIENCE_SECONDS = 60.0


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait, but not for ever."""
    return await asyncio.wait_for(awaitable, PATIENCE_SECONDS)


def begin(bench: Bench, *commands: Charge) -> list["asyncio.Task[Outcome[Any]]"]:
    """Submit each command from a task of its own."""
    return [asyncio.create_task(bench.engine.submit(command)) for command in commands]


def begin_many(bench: Bench, count: int) -> "asyncio.Task[list[Outcome[Any] | Refusal]]":
    """Submit that many charges as one large batch, from a task of its own."""
    commands = [bench.charge() for _ in range(count)]
    return asyncio.get_running_loop().create_task(bench.engine.submit_many(commands), name="large batch")


async def first_in_hand(bench: Bench) -> "asyncio.Task[Outcome[Any]]":
    """Close the gate before commits with a first command behind it, so that others gather in the queue."""
    bench.ledger.before_commit.close()
    (task,) = begin(bench, bench.charge())
    await soon(bench.ledger.before_commit.arrival())
    return task


async def turns(count: int = 5) -> None:
    """Let every other task run on until it waits."""
    for _ in range(count):
        await asyncio.sleep(0)
