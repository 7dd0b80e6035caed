"""Scenarios of many charges and many budgets: batches, and the effect of a ledger's size."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count

from bench.bare import in_own_process
from bench.load import send_messages
from bench.messages import batches, write_frames
from bench.processes import ServerProcess, budgetd
from bench.rows import Contestants, Row, Scenario
from bench.stage import CALLERS, Acknowledged, Stage, figures, method

_RATE = "per_second"
#: Each measurement sends new charges: no request id is sent twice.
_seeds = count(1)


def batch(stage: Stage, *, batch_items: int, budgets: int, at_least: float, after: float) -> Scenario:
    """Compare charges by BatchUpdateCost with bare inserts."""
    row = Row(
        what=f"durable charges, batches of {batch_items:,}, {budgets:,} budgets",
        here=("budgetd", _RATE),
        reference=("bare", _RATE),
        reference_what="executemany of the same entries and request ids",
        unit="charges/s",
        at_least=at_least,
        after=after,
    )
    name = f"batch-{batch_items}-{budgets}"
    return Scenario(name, lambda: _batch(stage, batch_items=batch_items, budgets=budgets), (row,))


def flat(stage: Stage, *, budgets: int, entries: int) -> Scenario:
    """Compare a charge in a large ledger with one in a small ledger."""
    size = f"{budgets:,} budgets" + (f", {entries:,} entries" if entries else "")
    return Scenario(
        f"flat-{budgets}",
        lambda: _flat(stage, budgets=stage.sized(budgets), entries=stage.sized(entries) if entries else 0),
        tuple(
            Row(
                what=f"time of a charge, {name}, {size}",
                here=(f"large {name}", "charge_us"),
                reference=(f"small {name}", "charge_us"),
                reference_what="the same with 1 budget",
                unit="µs",
                at_least=at_most,
                after=1.0,
                more_is_better=False,
            )
            for name, at_most in (("unary", 1.3), ("batch", 3.0))
        ),
    )


def charging(
    stage: Stage, server: ServerProcess, *, items: int, batch_items: int, budgets: int, callers: int
) -> Callable[[], dict[str, float]]:
    """Return a contestant that sends new charges in batches. With batches of one, each is an UpdateCost."""

    def measure() -> dict[str, float]:
        drawn = batches(items=items, batch_items=batch_items, budgets=budgets, seed=next(_seeds))
        frames = stage.folder / "charging.frames"
        if batch_items == 1:
            for each in drawn:
                each.requests[0].project_id = each.project_id
            write_frames(frames, [each.requests[0] for each in drawn])
        else:
            write_frames(frames, drawn)
        rpc = method("UpdateCost" if batch_items == 1 else "BatchUpdateCost")
        cpu = server.cpu_seconds
        load = send_messages(server.address, rpc, frames, callers=callers)
        rate = load.per_second * items / len(load.calls)
        cpu_us = (server.cpu_seconds - cpu) / items * 1e6
        return {**figures(load), "charges": items, "per_second": rate, "charge_us": 1e6 / rate, "cpu_us": cpu_us}

    return measure


@contextmanager
def _batch(stage: Stage, *, batch_items: int, budgets: int) -> Iterator[Contestants]:
    batch_items, budgets = stage.sized(batch_items), stage.sized(budgets)
    items = batch_items * (40 if batch_items <= 1_000 else 8)
    callers = 4 if batch_items <= 1_000 else 2
    path, bare_path = stage.ledgers.with_budgets(budgets), stage.ledgers.with_budgets(budgets)
    acknowledged = Acknowledged(path)
    with budgetd(path) as server:
        yield {
            "budgetd": acknowledged(
                charging(stage, server, items=items, batch_items=batch_items, budgets=budgets, callers=callers)
            ),
            "bare": in_own_process("executemany", bare_path, items=items, batch_items=batch_items, budgets=budgets),
        }
        acknowledged.check()


@contextmanager
def _flat(stage: Stage, *, budgets: int, entries: int) -> Iterator[Contestants]:
    contestants = {}
    with ExitStack() as stack:
        for size, many, filled in (("small", 1, 0), ("large", budgets, entries)):
            server = stack.enter_context(budgetd(stage.ledgers.with_budgets(many, entries=filled)))
            calls, items = stage.sized(2_000, least=CALLERS), stage.sized(20_000)
            contestants[f"{size} unary"] = charging(
                stage, server, items=calls, batch_items=1, budgets=many, callers=CALLERS
            )
            contestants[f"{size} batch"] = charging(
                stage, server, items=items, batch_items=stage.sized(500), budgets=many, callers=4
            )
        yield contestants
