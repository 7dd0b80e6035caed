"""The writer when callers go, the server drains, the store fails, or a command causes an internal error."""

import asyncio

import pytest

from budgetd_server.domain.commands import Outcome
from budgetd_server.domain.errors import ShuttingDown, StoreUnavailable
from budgetd_server.domain.results import Charged
from budgetd_server.engine import writer as writers
from budgetd_server.ledger.base import BatchEntangled
from tests.engine.callers import begin, begin_many, first_in_hand, soon, turns
from tests.engine.conftest import Bench

# --- Callers that go.


async def test_a_command_is_dropped_if_its_caller_cancels_before_the_batch_begins(bench: Bench) -> None:
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

    assert (again.replayed, again.result) == (True, Charged(9))
    assert await bench.spent() == 9


async def test_health_goes_with_the_store_and_comes_back_without_a_caller(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.create()
    monkeypatch.setattr(writers, "PROVE_SECONDS", 0)
    health_seen: list[bool] = []
    is_back = asyncio.Event()

    def on_health() -> None:
        health_seen.append(bench.engine.writer.is_healthy)
        if health_seen[-1]:
            is_back.set()

    bench.engine.writer.on_health = on_health
    bench.ledger.failures.append(failed())

    with pytest.raises(StoreUnavailable):
        await bench.engine.submit(bench.charge())
    assert bench.value("budgetd_store_healthy") == 0
    await soon(is_back.wait())

    assert health_seen == [False, True]
    assert bench.value("budgetd_store_healthy") == 1


async def test_an_internal_error_in_one_command_fails_only_that_one(bench: Bench) -> None:
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


async def test_a_batch_whose_commands_depend_on_each_other_too_much_is_carried_out_in_parts(bench: Bench) -> None:
    await bench.create()
    bench.ledger.failures.append(BatchEntangled())

    tasks = begin(bench, bench.charge(1), bench.charge(1), bench.charge(1))
    results = await soon(asyncio.gather(*tasks, return_exceptions=True))

    assert [type(result) for result in results] == [Outcome, Outcome, Outcome]
    assert [len(commands) for commands in bench.ledger.commits] == [3, 1, 2]
    assert await bench.spent() == 3


async def test_a_command_that_alone_asks_for_ever_more_fails(bench: Bench) -> None:
    await bench.create()
    bench.ledger.failures.append(BatchEntangled())

    with pytest.raises(BatchEntangled):
        await bench.engine.submit(bench.charge())

    assert await bench.spent() == 0


async def test_an_internal_error_in_a_large_batch_leaves_other_callers_unharmed(bench: Bench) -> None:
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


async def test_when_the_writer_dies_all_waiting_callers_are_answered(bench: Bench) -> None:
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
