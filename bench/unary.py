"""Scenarios of single calls: charges and reads by 64 callers, and charges by one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

from bench.bare import in_own_process
from bench.load import sending
from bench.messages import PROJECT, batches, budget_id, write_frames
from bench.processes import budgetd, contender
from bench.rows import Contestants, Row, Scenario
from bench.stage import GROUPS, Acknowledged, Stage, method, unary
from budgetd.v1 import cost_pb2 as cost_pb

BUDGETS = 200
CALLS = 4_096
LONE_CALLS = 500
#: The most items that one client may send at once.
FULL_BATCH = 8_000
_RATE, _P99, _P50 = "per_second", "p99_us", "p50_us"


def charges(stage: Stage) -> Scenario:
    """Compare charges of 64 callers with three other ways to answer them."""
    rate = partial(Row, what="durable UpdateCost, 64 callers", here=("budgetd", _RATE), unit="calls/s")
    return Scenario(
        "unary",
        lambda: _charges(stage),
        (
            rate(
                reference=("memory", _RATE),
                reference_what="the same messages, adding in memory",
                at_least=0.85,
                after=0.95,
            ),
            rate(reference=("empty", _RATE), reference_what="an empty grpc.aio call", at_least=0.7, after=0.9),
            rate(reference=("commit", _RATE), reference_what="a commit per call on aiosqlite", at_least=4, after=5),
            Row(
                what="its p99, 64 callers",
                here=("budgetd", _P99),
                reference=("empty", _P99),
                reference_what="the empty call's p99",
                unit="µs",
                at_least=2,
                after=1.5,
                more_is_better=False,
            ),
            Row(
                what="CPU of one UpdateCost",
                here=("budgetd", "cpu_us"),
                reference=("empty", "cpu_us"),
                reference_what="an empty grpc.aio call",
                unit="µs",
                more_is_better=False,
            ),
        ),
    )


def with_batches(stage: Stage) -> Scenario:
    """Measure charges of 64 callers while one client sends full batches."""
    row = Row(
        what="p99 of UpdateCost during full batches",
        here=("budgetd", _P99),
        reference=("empty", _P99),
        reference_what="the empty call's p99, without other load",
        unit="µs",
        at_least=5,
        after=3,
        more_is_better=False,
    )
    return Scenario("fair", lambda: _with_batches(stage), (row,))


def lone(stage: Stage) -> Scenario:
    """Measure one caller that waits for each answer."""
    alone = partial(Row, here=("budgetd", _P50), unit="µs", more_is_better=False)
    whole_file = partial(alone, what="the same, fsync included")
    return Scenario(
        "lone",
        lambda: _lone(stage),
        (
            alone(
                what="UpdateCost of a lone caller, without its fsync",
                without=("fsync", _P50),
                reference=("empty", _P50),
                reference_what="an empty grpc.aio call",
                at_least=2,
                after=1.5,
            ),
            whole_file(reference=("whole file of 10", _P50), reference_what="LiteLLM's whole-file save, 10 users"),
            whole_file(
                reference=("whole file of 1,000", _P50), reference_what="LiteLLM's whole-file save, 1,000 users"
            ),
        ),
    )


def reads(stage: Stage) -> Scenario:
    """Measure reads of 64 callers."""
    row = Row(
        what="GetCurrentCost, 64 callers",
        here=("budgetd", _RATE),
        reference=("empty", _RATE),
        reference_what="an empty grpc.aio call",
        unit="calls/s",
        at_least=0.75,
        after=0.9,
    )
    return Scenario("reads", lambda: _reads(stage), (row,))


@contextmanager
def _charges(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=GROUPS * 4)
    with ExitStack() as stack:
        path = stage.ledgers.with_budgets(BUDGETS)
        acknowledged = Acknowledged(path)
        server = stack.enter_context(budgetd(path))
        memory = stack.enter_context(contender("memory", stage.folder))
        empty = stack.enter_context(contender("empty", stage.folder))
        commit = stack.enter_context(contender("commit_per_call", stage.folder, stage.ledgers.with_budgets(BUDGETS)))
        yield {
            "budgetd": acknowledged(unary(server, stage.charges(), calls=calls)),
            "memory": unary(memory, stage.charges(), calls=calls),
            "empty": unary(empty, stage.empty(), calls=calls),
            # So slow that a quarter of the calls takes as long.
            "commit": unary(commit, stage.charges(), calls=max(GROUPS * 4, calls // 4)),
        }
        acknowledged.check()


@contextmanager
def _with_batches(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=GROUPS * 4)
    items = stage.sized(FULL_BATCH)
    # Without request ids, so that the same message is a new batch each time.
    full = batches(items=items, batch_items=items, budgets=BUDGETS, seed=1, with_request_ids=False)
    frames = write_frames(stage.folder / "full-batch.frames", full)
    with ExitStack() as stack:
        server = stack.enter_context(budgetd(stage.ledgers.with_budgets(BUDGETS)))
        empty = stack.enter_context(contender("empty", stage.folder))
        alone = unary(server, stage.charges(), calls=calls)

        def charge_with_batches() -> dict[str, float]:
            with sending(server.address, method("BatchUpdateCost"), frames, callers=1):
                return alone()

        yield {"budgetd": charge_with_batches, "empty": unary(empty, stage.empty(), calls=calls)}


@contextmanager
def _lone(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(LONE_CALLS, least=5)
    file = stage.folder / "whole-file.json"
    with ExitStack() as stack:
        server = stack.enter_context(budgetd(stage.ledgers.with_budgets(BUDGETS)))
        empty = stack.enter_context(contender("empty", stage.folder))
        yield {
            "budgetd": unary(server, stage.charges(), calls=calls, callers=1),
            "empty": unary(empty, stage.empty(), calls=calls, callers=1),
            "fsync": in_own_process("fsync", stage.folder / "fsync", times=calls),
            "whole file of 10": in_own_process("whole_file", file, users=10, times=calls),
            "whole file of 1,000": in_own_process("whole_file", file, users=1_000, times=stage.sized(50, least=2)),
        }


@contextmanager
def _reads(stage: Stage) -> Iterator[Contestants]:
    calls = stage.sized(CALLS, least=GROUPS * 4)
    frames = [
        write_frames(
            stage.folder / f"read-{group}.frames",
            [cost_pb.GetCurrentCostRequest(project_id=PROJECT, budget_id=budget_id(group))],
        )
        for group in range(GROUPS)
    ]
    with ExitStack() as stack:
        server = stack.enter_context(budgetd(stage.ledgers.with_budgets(BUDGETS)))
        empty = stack.enter_context(contender("empty", stage.folder))
        yield {
            "budgetd": unary(server, frames, calls=calls, rpc="GetCurrentCost"),
            "empty": unary(empty, stage.empty(), calls=calls),
        }
