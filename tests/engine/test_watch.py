"""An idle engine notices that its store must not be used any more, and that it may be used again."""

import asyncio
from pathlib import Path

from tests.engine.conftest import Bench


async def test_a_look_at_a_file_that_is_gone_turns_health_and_health_comes_back_with_the_file(
    bench: Bench, tmp_path: Path
) -> None:
    path, moved = tmp_path / "budgetd.db", tmp_path / "moved.db"
    turns: asyncio.Queue[bool] = asyncio.Queue()
    bench.engine.writer.on_health = lambda: turns.put_nowait(bench.engine.writer.is_healthy)

    path.rename(moved)
    await bench.engine.watch.look()
    away = await turns.get()
    moved.rename(path)
    back = await turns.get()

    assert (away, back) == (False, True)
    assert bench.value("budgetd_store_healthy") == 1


async def test_looks_at_a_file_that_is_in_order_change_nothing(bench: Bench) -> None:
    turns: list[bool] = []
    bench.engine.writer.on_health = lambda: turns.append(bench.engine.writer.is_healthy)

    await bench.engine.watch.look()

    assert turns == []
    assert bench.engine.writer.is_healthy
