"""The writer: answers after commits, commits that are shared, and a queue with bounds."""

import asyncio
from typing import Any

import pytest

from budgetd_server.domain.commands import Outcome
from budgetd_server.domain.errors import BudgetNotFound, QueueFull, UnknownModel
from budgetd_server.domain.results import Charged
from budgetd_server.engine import writer as writers
from tests.engine.callers import begin, begin_many, first_in_hand, soon, turns
from tests.engine.conftest import QUEUE_MAX, Bench
from tests.engine.watched_ledger import WatchedLedger

# --- Answers and commits.


async def test_no_caller_is_answered_before_the_commit_has_returned(bench: Bench) -> None:
    await bench.create()
    bench.ledger.after_commit.close()

    (task,) = begin(bench, bench.charge(7))
    await soon(bench.ledger.after_commit.arrival())
    await turns()

    assert await bench.spent() == 7  # It is in the file,
    assert not task.done()  # but the store has not said so yet.
    bench.ledger.after_commit.open()
    assert (await soon(task)).result == Charged(7)


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
    await bench.engine.sweeper.stop()  # It has a timer of its own.
    await bench.create()
    timers: list[Any] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def noted(*args: Any, **options: Any) -> asyncio.TimerHandle:
        timers.append(args)
        return call_at(*args, **options)

    monkeypatch.setattr(loop, "call_at", noted)  # Every other timer is made by this one.

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

    assert [outcome.result.cost_nano_usd for outcome in outcomes[1:]] == list(range(50))
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
        assert [each.result.cost_nano_usd for each in result if isinstance(each, Outcome)] == list(range(1_500))


async def test_a_slow_store_gets_smaller_batches_and_a_fast_one_larger_again(bench: Bench) -> None:
    await bench.create()

    bench.ledger.reported_seconds = 10 * writers.BATCH_SECONDS
    await bench.engine.submit_many([bench.charge() for _ in range(1_000)])
    bench.ledger.reported_seconds = writers.BATCH_SECONDS / 100
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


async def test_an_empty_batch_is_done_at_once(bench: Bench) -> None:
    assert await bench.engine.submit_many([]) == []
    assert bench.ledger.commits == []


def test_the_watched_ledger_is_a_ledger() -> None:
    """Every method of the seam is passed on, so that nothing is tested on less than the real one."""
    from budgetd_server.ledger.base import Ledger  # noqa: PLC0415 - for this test alone.

    methods = {name for name in vars(Ledger) if not name.startswith("_")}
    assert methods <= vars(WatchedLedger).keys()
