"""Processes full of clients, some of which are killed and started again, and the answers that they received."""

import asyncio
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_END_SECONDS = 60


class AuthorityCrowd:
    """Clients of one server or several, divided among processes.

    Args:
        addresses: Of the servers; the processes are divided among them.
        folder: Where the processes write the answers that they received.
        processes: How many there are.
        clients_each: How many clients each has.
    """

    def __init__(self, addresses: Sequence[str], folder: Path, *, processes: int, clients_each: int) -> None:
        self._addresses = addresses
        self._folder = folder
        self._processes = processes
        self._clients_each = clients_each
        self._random = random.Random(processes)
        self._started = 0
        self.kills = 0

    async def work(self, seconds: float, *, kills: int) -> None:
        """Let them work, and kill a process so many times in the middle."""
        end = time.monotonic() + seconds
        running = [await self._start(index, end) for index in range(self._processes)]
        try:
            for number in range(kills):
                at = end - seconds + seconds * (number + 1 + self._random.uniform(-0.3, 0.3)) / (kills + 1)
                await asyncio.sleep(at - time.monotonic())
                index = self._random.randrange(self._processes)
                running[index].kill()
                assert await running[index].wait() == -9, "the process was to be killed in the middle"
                self.kills += 1
                running[index] = await self._start(index, end)
            async with asyncio.timeout(_END_SECONDS + seconds):
                codes = [await process.wait() for process in running]
        finally:
            for process in running:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        assert codes == [0] * len(running)

    def answers(self) -> list[dict[str, Any]]:
        """Every line that the processes wrote."""
        paths = sorted(self._folder.glob("clients-*.log"))
        return [json.loads(line) for path in paths for line in path.read_text().splitlines()]

    def refused_by(self) -> Counter[str]:
        """How often each limit refused those that were not killed."""
        return sum((Counter(line["refused_by"]) for line in self.answers() if "refused_by" in line), Counter())

    async def _start(self, index: int, end: float) -> asyncio.subprocess.Process:
        self._started += 1
        name = f"p{self._started}"
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tests.faults.authority_clients", self._addresses[index % len(self._addresses)]),
            *(str(self._folder / f"clients-{name}.log"), name, str(self._clients_each), str(end - time.monotonic())),
            stdin=asyncio.subprocess.DEVNULL,
            cwd=_ROOT,
            env={**os.environ, "PYTHONPATH": str(_ROOT)},
        )
