"""The writer: shared commits, answers after them, and what becomes of commands that are late, gone or faulty."""

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

import pytest

from budgetd_server.domain.commands import Charge, Outcome
from budgetd_server.domain.errors import (
    BudgetNotFound,
    QueueFull,
    Refusal,
    ShuttingDown,
    StoreUnavailable,
    UnknownModel,
)
from budgetd_server.engine import writer as writers
from tests.engine.conftest import QUEUE_MAX, Bench
from tests.engine.watched_ledger import WatchedLedger

T = TypeVar("T")

PATIENCE_SECONDS = 20.0


async def soon(awaitable: Awaitable[T]) -> T:
    """Wait, but not for ever."""
    return await asyncio.wait_for(awaitable, PATIENCE_SECONDS)


def begin(bench: Bench, *commands: Charge) -> list["asyncio.Task[Outcome]"]:
    """Submit each command from a task of its own."""
    return [asyncio.create_task(bench.engine.submit(command)) for command in commands]


def begin_many(bench: Bench, count: int) -> "asyncio.Task[list[Outcome | Refusal]]":
    """Submit that many charges as one large batch, from a task of its own."""
    commands = [bench.charge() for _ in range(count)]
    return asyncio.get_running_loop().create_task(bench.engine.submit_many(commands), name="large batch")


async def first_in_hand(bench: Bench) -> "asyncio.Task[Outcome]":
    """Close the gate before commits with a first command behind it, so that others gather in the queue."""
    bench.ledger.before_commit.close()
    (task,) = begin(bench, bench.charge())
    await soon(bench.ledger.before_commit.arrival())
    return task


async def turns(count: int = 5) -> None:
    """Let every other task run on until it waits."""
    for _ in range(count):
        await asyncio.sleep(0)


# --- Answers and commits.


async def test_nobody_is_answered_before_the_commit_has_returned(bench: Bench) -> None:
    await bench.create()
    bench.ledger.after_commit.close()

    (task,) = begin(bench, bench.charge(7))
    await soon(bench.ledger.after_commit.arrival())
    await turns()

    assert await bench.spent() == 7  # It is in the file,
    assert not task.done()  # but the store has not said so yet.
    bench.ledger.after_commit.open()
    assert (await soon(task)).result == 7


async def test_what_waits_while_a_commit_runs_shares_the_next_one(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    others = begin(bench, *(bench.charge() for _ in range(300)))
    await turns()
    bench.ledger.before_commit.open()
    await soon(asyncio.gather(first, *others))

    assert [len(commands) for commands in bench.ledger.commits] == [1, 300]
    assert await bench.spent() == 301
    assert bench.value("budgetd_commit_commands_sum") == 1 + 1 + 300  # The creation, too.


async def test_a_lone_command_waits_for_no_company_and_no_clock(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.create()
    timers: list[Any] = []
    loop = asyncio.get_running_loop()
    monkeypatch.setattr(loop, "call_at", lambda *args, **_: timers.append(args))
    monkeypatch.setattr(loop, "call_later", lambda *args, **_: timers.append(args))

    for _ in range(10):
        await bench.engine.submit(bench.charge())

    assert timers == []
    assert [len(commands) for commands in bench.ledger.commits] == [1] * 10


async def test_commands_are_carried_out_in_the_order_in_which_they_came(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    others = begin(bench, *(bench.charge(cost) for cost in range(50)))
    await turns()
    bench.ledger.before_commit.open()
    outcomes = await soon(asyncio.gather(first, *others))

    assert [outcome.result for outcome in outcomes[1:]] == list(range(50))
    assert [outcome.entry_seq for outcome in outcomes] == list(range(2, 53))


async def test_a_refusal_is_one_commands_outcome_and_disturbs_no_neighbour(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    unpriced = bench.charge()._replace(refusal=UnknownModel("m"))
    tasks = begin(bench, bench.charge(1), bench.charge(1, "nobody"), unpriced, bench.charge(1))
    await turns()
    bench.ledger.before_commit.open()
    results = await soon(asyncio.gather(*tasks, return_exceptions=True))
    await first

    assert [type(result) for result in results] == [Outcome, BudgetNotFound, UnknownModel, Outcome]
    assert len(bench.ledger.commits) == 2
    assert await bench.spent() == 3


async def test_one_request_id_twice_in_one_batch_takes_effect_once(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    tasks = begin(bench, bench.charge(5, request_id="same"), bench.charge(5, request_id="same"))
    await turns()
    bench.ledger.before_commit.open()
    once, again = await soon(asyncio.gather(*tasks))
    await first

    assert (once.replayed, again.replayed) == (False, True)
    assert once.entry_seq == again.entry_seq
    assert await bench.spent() == 1 + 5
    assert bench.value("budgetd_charges_total", result="replayed") == 1
    assert bench.value("budgetd_charged_nano_usd_total") == 6


# --- Bounds and fairness.


async def test_a_full_queue_refuses_more_and_takes_them_again_once_it_has_room(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    bulk = begin_many(bench, QUEUE_MAX - 1)
    await turns()
    assert bench.waiting == QUEUE_MAX

    with pytest.raises(QueueFull) as refused:
        await bench.engine.submit(bench.charge())
    with pytest.raises(QueueFull):
        await bench.engine.submit_many([bench.charge()])

    assert refused.value.metadata == {"queue_max": str(QUEUE_MAX)}
    bench.ledger.before_commit.open()
    await soon(asyncio.gather(first, bulk))
    await bench.engine.submit(bench.charge())
    assert await bench.spent() == QUEUE_MAX + 1
    assert bench.waiting == 0


async def test_a_single_command_does_not_stand_behind_a_large_batch(bench: Bench) -> None:
    await bench.create()
    bench.ledger.told_seconds = 0.001
    bench.ledger.before_commit.close()
    bulk = begin_many(bench, 3_500)
    await soon(bench.ledger.before_commit.arrival())

    single = bench.charge()
    (task,) = begin(bench, single)
    await turns()
    bench.ledger.before_commit.open()
    await soon(asyncio.gather(task, bulk))

    assert [len(commands) for commands in bench.ledger.commits] == [1_000, 1_000, 1_000, 501]
    assert bench.ledger.commits[1][0] is single


async def test_large_batches_take_turns_and_each_keeps_its_order(bench: Bench) -> None:
    await bench.create()
    bench.ledger.told_seconds = 0.001
    first = await first_in_hand(bench)

    batches = [[bench.charge(n) for n in range(1_500)] for _ in range(2)]
    tasks = [asyncio.create_task(bench.engine.submit_many(batch)) for batch in batches]
    await turns()
    bench.ledger.before_commit.open()
    results = await soon(asyncio.gather(*tasks))
    await first

    one, other = batches
    assert [list(commands) for commands in bench.ledger.commits[1:]] == [
        one[:1_000],
        other[:1_000],
        one[1_000:] + other[1_000:],
    ]
    for result in results:
        assert [each.result for each in result if isinstance(each, Outcome)] == list(range(1_500))


async def test_a_slow_store_gets_smaller_batches_and_a_fast_one_larger_again(bench: Bench) -> None:
    await bench.create()

    bench.ledger.told_seconds = 10 * writers.BATCH_SECONDS
    await bench.engine.submit_many([bench.charge() for _ in range(1_000)])
    bench.ledger.told_seconds = writers.BATCH_SECONDS / 100
    await bench.engine.submit_many([bench.charge() for _ in range(1_000)])

    sizes = [len(commands) for commands in bench.ledger.commits]
    assert sizes[:2] == [1_000, 100]
    assert sizes[2] == 900


async def test_a_batch_waits_for_the_lock_as_long_as_its_most_patient_caller(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    impatient = [bench.engine.submit(bench.charge(), timeout_seconds=seconds) for seconds in (0.5, 2.0)]
    tasks = [asyncio.create_task(each) for each in impatient]
    await turns()
    bench.ledger.before_commit.open()
    await soon(asyncio.gather(first, *tasks))
    await bench.engine.submit(bench.charge(), timeout_seconds=60.0)

    unbounded, patient, bounded = bench.ledger.lock_waits_seconds[-3:]
    assert unbounded == bounded == writers.LOCK_WAIT_SECONDS_MAX
    assert 0.5 < patient <= 2.0


# --- Callers that go.


async def test_a_caller_that_goes_before_its_batch_begins_takes_its_command_along(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    bulk = begin_many(bench, 10)
    (single,) = begin(bench, bench.charge())
    await turns()

    single.cancel()
    bulk.cancel()
    await turns()
    bench.ledger.before_commit.open()
    await soon(first)
    await bench.engine.submit(bench.charge())

    assert [len(commands) for commands in bench.ledger.commits] == [1, 1]
    assert await bench.spent() == 2
    assert bench.waiting == 0


async def test_a_caller_that_goes_later_leaves_its_command_standing(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)

    first.cancel()
    await turns()
    bench.ledger.before_commit.open()
    await bench.engine.submit(bench.charge())

    assert first.cancelled()
    assert await bench.spent() == 2
    assert bench.waiting == 0


async def test_a_large_batch_whose_caller_goes_half_way_ends_there(bench: Bench) -> None:
    await bench.create()
    bench.ledger.told_seconds = 0.001
    bench.ledger.before_commit.close()
    bulk = begin_many(bench, 3_000)
    await soon(bench.ledger.before_commit.arrival())

    bulk.cancel()
    await turns()
    bench.ledger.before_commit.open()
    await bench.engine.submit(bench.charge())

    assert [len(commands) for commands in bench.ledger.commits] == [1_000, 1]
    assert await bench.spent() == 1_001
    assert bench.waiting == 0


# --- Draining.


async def test_draining_commits_what_waits_and_refuses_what_comes(bench: Bench) -> None:
    await bench.create()
    bench.ledger.told_seconds = 0.001
    first = await first_in_hand(bench)
    waiting = begin(bench, *(bench.charge() for _ in range(5)))
    bulk = begin_many(bench, 2_500)
    await turns()

    drained = asyncio.create_task(bench.engine.drain())
    await turns()
    with pytest.raises(ShuttingDown):
        await bench.engine.submit(bench.charge())
    with pytest.raises(ShuttingDown):
        await bench.engine.submit_many([bench.charge()])
    assert not drained.done()
    bench.ledger.before_commit.open()
    await soon(drained)

    assert all(task.done() for task in (first, *waiting, bulk))
    assert await bench.spent() == 1 + 5 + 2_500


# --- Stores that fail.


def failed(kind: str = "full") -> StoreUnavailable:
    """What a ledger raises."""
    return StoreUnavailable(f"the store could not write ({kind})", metadata={"kind": kind})


async def test_a_failing_transaction_fails_all_of_its_commands_alike_and_the_next_one_succeeds(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    tasks = begin(bench, *(bench.charge() for _ in range(3)))
    bulk = begin_many(bench, 3)
    await turns()
    bench.ledger.failures.extend([failed("locked"), failed("full")])
    bench.ledger.before_commit.open()

    results = await soon(asyncio.gather(first, *tasks, bulk, return_exceptions=True))

    assert [type(result) for result in results] == [StoreUnavailable] * 5
    assert len({id(result) for result in results}) == 5  # One exception cannot be raised in many tasks.
    assert str(results[1]) == "the store could not write (full)"
    assert await bench.spent() == 0
    assert bench.value("budgetd_store_errors_total", kind="full") == 1
    assert bench.value("budgetd_charges_total", result="unavailable") == 1 + 6
    await bench.engine.submit(bench.charge())
    assert await bench.spent() == 1
    assert bench.waiting == 0


async def test_after_an_error_behind_the_commit_the_same_request_id_finds_the_effect(bench: Bench) -> None:
    await bench.create()
    bench.ledger.failures_after_commit.append(failed("ioerr"))

    with pytest.raises(StoreUnavailable):
        await bench.engine.submit(bench.charge(9, request_id="unknown"))
    again = await bench.engine.submit(bench.charge(9, request_id="unknown"))

    assert (again.replayed, again.result) == (True, 9)
    assert await bench.spent() == 9


async def test_health_goes_with_the_store_and_comes_back_without_a_caller(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.create()
    monkeypatch.setattr(writers, "PROVE_SECONDS", 0)
    told: list[bool] = []
    is_back = asyncio.Event()

    def on_health() -> None:
        told.append(bench.engine.writer.is_healthy)
        if told[-1]:
            is_back.set()

    bench.engine.writer.on_health = on_health
    bench.ledger.failures.append(failed())

    with pytest.raises(StoreUnavailable):
        await bench.engine.submit(bench.charge())
    assert bench.value("budgetd_store_healthy") == 0
    await soon(is_back.wait())

    assert told == [False, True]
    assert bench.value("budgetd_store_healthy") == 1


async def test_a_mistake_in_one_command_fails_that_one_alone(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    poison = bench.charge()._replace(cost_nano_usd="ten")  # type: ignore[arg-type]

    tasks = begin(bench, bench.charge(1), poison, bench.charge(1))
    await turns()
    bench.ledger.before_commit.open()
    results = await soon(asyncio.gather(*tasks, return_exceptions=True))
    await first

    assert [type(result) for result in results] == [Outcome, TypeError, Outcome]
    assert await bench.spent() == 3
    assert bench.waiting == 0


async def test_a_mistake_in_a_large_batch_leaves_other_callers_unharmed(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    poison = bench.charge()._replace(cost_nano_usd="ten")  # type: ignore[arg-type]

    bulk = asyncio.create_task(bench.engine.submit_many([bench.charge(), poison, bench.charge()]))
    (single,) = begin(bench, bench.charge())
    await turns()
    bench.ledger.before_commit.open()

    with pytest.raises(TypeError):
        await soon(bulk)
    assert isinstance(await soon(single), Outcome)
    await first
    assert bench.waiting == 0


async def test_when_the_writer_dies_nobody_waits_for_it(bench: Bench) -> None:
    await bench.create()
    first = await first_in_hand(bench)
    tasks = begin(bench, bench.charge())
    bulk = asyncio.create_task(bench.engine.submit_many([bench.charge()]))
    await turns()
    bench.ledger.failures.append(asyncio.CancelledError())

    bench.ledger.before_commit.open()
    in_hand, *queued = await soon(asyncio.gather(first, *tasks, bulk, return_exceptions=True))

    assert isinstance(in_hand, StoreUnavailable)  # Perhaps it was committed.
    assert [type(result) for result in queued] == [ShuttingDown, ShuttingDown]
    with pytest.raises(ShuttingDown):
        await bench.engine.submit(bench.charge())


async def test_an_empty_batch_is_done_at_once(bench: Bench) -> None:
    assert await bench.engine.submit_many([]) == []
    assert bench.ledger.commits == []


def test_the_watched_ledger_is_a_ledger() -> None:
    """Every method of the seam is passed on, so that nothing is tested on less than the real one."""
    from budgetd_server.ledger.base import Ledger  # noqa: PLC0415 - for this test alone.

    methods = {name for name in vars(Ledger) if not name.startswith("_")}
    assert methods <= vars(WatchedLedger).keys()
