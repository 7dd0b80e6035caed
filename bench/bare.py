"""References without gRPC, each in its own process: bare inserts, a bare fsync, LiteLLM's whole-file save."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from bench.messages import COST_NANO_USD, MODELS, USAGE, budget_id, uuid7
from budgetd_server.domain.entry import CostSource, Entry, EntryKind
from budgetd_server.domain.usage import Usage
from budgetd_server.ledger.queries import load_queries
from budgetd_server.ledger.rows import entry_row
from budgetd_server.ledger.sqlite.file import connect

_FINGERPRINT = bytes(32)
#: Far above every sequence number of the measured ledger.
_FIRST_SEQ = 10**9


def executemany(path: Path, *, items: int, batch_items: int, budgets: int) -> dict[str, float]:
    """Measure charges per second: only rows of entries and request ids are inserted, with a commit for each batch.

    Tables, statements and durability are the same as in budgetd; nothing is looked up, decided or counted.
    """
    random, now_us = Random(items), time.time_ns() // 1000
    connection = connect(path)
    sql = load_queries("sqlite")
    (newest,) = connection.execute("SELECT max(seq) FROM entries").fetchone()
    entries = [
        Entry(
            project_key=1,
            seq=seq,
            budget_key=random.randrange(budgets) + 1,
            previous_seq=max(0, seq - budgets),
            kind=EntryKind.CHARGE,
            created_at_us=now_us,
            cost_nano_usd=COST_NANO_USD,
            usage=Usage(*USAGE),
            model=random.choice(MODELS),
            request_id=uuid7(),
            calls=1,
            cost_source=CostSource.USAGE,
        )
        for seq in range(newest + 1, newest + 1 + items)
    ]
    rows = [entry_row(entry) for entry in entries]
    requests = [(1, 4, each.request_id, _FINGERPRINT, each.seq, COST_NANO_USD, now_us, None) for each in entries]
    began = time.perf_counter()
    for first in range(0, items, batch_items):
        batch = slice(first, first + batch_items)
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(sql["insert_entry"], rows[batch])
        connection.executemany(sql["insert_request"], requests[batch])
        connection.execute("COMMIT")
    seconds = time.perf_counter() - began
    connection.close()
    return {"per_second": items / seconds}


def fsync(path: Path, *, times: int) -> dict[str, float]:
    """Measure the median time of appending a page to a file durably."""
    page, taken = bytes(4096), []
    with path.open("ab", buffering=0) as file:
        for _ in range(times):
            began = time.perf_counter()
            file.write(page)
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - began)
    return {"p50_us": _median_us(taken)}


def whole_file(path: Path, *, users: int, times: int) -> dict[str, float]:
    """Measure an update as `litellm.BudgetManager` does it: two sums in a dictionary, then all users to one JSON file.

    It does not start a thread for each save, as LiteLLM does, and, like LiteLLM, does not call fsync.
    """
    records = {
        budget_id(number): {
            "total_budget": 100.0,
            "duration": 28,
            "created_at": 1.7e9,
            "last_updated_at": 1.7e9,
            "current_cost": 0.0,
            "model_cost": dict.fromkeys(MODELS[:2], 0.0),
        }
        for number in range(users)
    }
    taken = []
    for turn in range(times):
        began = time.perf_counter()
        record = records[budget_id(turn % users)]
        record["current_cost"] += 0.001234567  # type: ignore[operator]
        record["model_cost"][MODELS[0]] += 0.001234567  # type: ignore[index]
        with path.open("w") as file:
            json.dump(records, file, indent=4)
        taken.append(time.perf_counter() - began)
    return {"p50_us": _median_us(taken), "per_second": times / sum(taken)}


def in_own_process(name: str, path: Path, **arguments: int) -> Callable[[], dict[str, float]]:
    """Return a contestant: one of the measures above, in its own process."""

    def measure() -> dict[str, float]:
        command = [sys.executable, "-m", "bench.bare", name, str(path), json.dumps(arguments)]
        measured: dict[str, float] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
        return measured

    return measure


def _median_us(taken: Sequence[float]) -> float:
    return sorted(taken)[len(taken) // 2] * 1e6


_MEASURES: dict[str, Callable[..., dict[str, float]]] = {
    "executemany": executemany,
    "fsync": fsync,
    "whole_file": whole_file,
}


def main() -> None:
    """Run `python -m bench.bare NAME PATH JSON_ARGUMENTS`: measure, and print the result as JSON."""
    name, path, arguments = sys.argv[1:]
    print(json.dumps(_MEASURES[name](Path(path), **json.loads(arguments))))


if __name__ == "__main__":
    main()
