"""One SQLite ledger's connections: on which thread they work, how they wait for the lock, and how they recover."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import aiosqlite
import pytest

from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.ledger.sqlite.file import connect
from budgetd_server.ledger.sqlite.ledger import SqliteLedger, _on_thread
from tests.domain.desk import ALICE, MONDAY_US, PROJECT, charge, create
from tests.ledger.stores import all_entries, carry_out, commit, decide_all

PLACE = (PROJECT, ALICE)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqliteLedger]:
    """A ledger with alice in it."""
    ledger = await SqliteLedger.open(tmp_path / "budgetd.db")
    await carry_out(ledger, create())
    yield ledger
    await ledger.close()


@pytest.fixture
def stranger(ledger: SqliteLedger) -> Iterator[sqlite3.Connection]:
    """Another program's connection to the same file."""
    connection = connect(ledger._path)  # noqa: SLF001
    yield connection
    connection.close()


async def spent(ledger: SqliteLedger) -> int:
    return (await ledger.load_budgets([PLACE]))[PLACE].main.sums.cost_nano_usd


# --- aiosqlite.


async def test_a_function_is_called_with_the_real_connection_on_its_own_thread() -> None:
    """What `_on_thread` needs of aiosqlite's inside: a new version that changes it fails here, and is not released."""
    seen: list[object] = []

    def look(connection: sqlite3.Connection) -> str:
        seen.extend([type(connection), threading.get_ident()])
        return str(connection.execute("SELECT 'answer'").fetchone()[0])

    async with aiosqlite.connect(":memory:") as connection:
        answer = await _on_thread(connection, look)

    assert answer == "answer"
    assert seen[0] is sqlite3.Connection
    assert seen[1] != threading.get_ident()


async def test_what_a_function_raises_on_the_thread_is_raised_to_its_caller() -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute("SELECT * FROM nowhere")

    async with aiosqlite.connect(":memory:") as connection:
        with pytest.raises(sqlite3.OperationalError, match="nowhere"):
            await _on_thread(connection, fail)
        assert await _on_thread(connection, lambda _: 1) == 1


async def test_functions_of_one_connection_run_one_after_the_other() -> None:
    order: list[int] = []

    def note(number: int, _: sqlite3.Connection) -> None:
        order.append(number)

    async with aiosqlite.connect(":memory:") as connection:
        await asyncio.gather(*(_on_thread(connection, partial(note, number)) for number in range(20)))

    assert order == list(range(20))


async def test_the_writer_of_a_ledger_commits_with_fsync_to_a_write_ahead_log(ledger: SqliteLedger) -> None:
    writer = ledger._writer  # noqa: SLF001
    assert writer is not None

    def pragmas(connection: sqlite3.Connection) -> list[object]:
        names = ("synchronous", "journal_mode", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert await _on_thread(writer, pragmas) == [2, "wal", 1]


# --- The lock.


async def test_a_batch_whose_time_is_up_while_another_program_writes_is_refused_with_a_reason_to_retry(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    command = charge(5, request_id="one")

    with pytest.raises(StoreUnavailable) as refusal:
        await ledger.commit([command], lambda *_: None, clock=lambda: MONDAY_US, lock_wait_seconds=0.0)
    stranger.execute("ROLLBACK")
    (reported,) = await carry_out(ledger, command)

    assert refusal.value.metadata == {"kind": "busy"}
    assert not reported.replayed
    assert await spent(ledger) == 5


async def test_a_batch_waits_for_the_lock_and_reports_for_how_long(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    stranger.execute("BEGIN IMMEDIATE")
    waiting = asyncio.create_task(ledger.commit([], lambda *_: None, clock=lambda: MONDAY_US, lock_wait_seconds=20.0))
    await asyncio.to_thread(threading.Event().wait, 0.01)  # A moment of holding the lock, not of being right.
    stranger.execute("ROLLBACK")

    _, committed = await waiting

    assert committed.lock_wait_seconds > 0


async def test_reads_do_not_wait_for_a_program_that_writes(ledger: SqliteLedger, stranger: sqlite3.Connection) -> None:
    stranger.execute("BEGIN IMMEDIATE")

    assert await asyncio.wait_for(spent(ledger), 60) == 0

    stranger.execute("ROLLBACK")


# --- Recovery.


async def test_after_an_error_of_the_store_the_next_batch_has_a_new_connection_and_works(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    await carry_out(ledger, charge(1))
    before = ledger._writer  # noqa: SLF001
    stranger.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'planted'); END")

    with pytest.raises(StoreUnavailable) as refusal:
        await commit(ledger, charge(2, request_id="two"))
    stranger.execute("DROP TRIGGER full")
    (reported,) = await carry_out(ledger, charge(2, request_id="two"))

    assert not reported.replayed
    assert ledger._writer is not before  # noqa: SLF001
    assert await spent(ledger) == 3
    assert "planted" not in str(refusal.value)
    assert "budgetd.db" not in str(refusal.value)


async def test_a_failed_batch_leaves_no_lock_behind(ledger: SqliteLedger, stranger: sqlite3.Connection) -> None:
    stranger.execute("CREATE TRIGGER full BEFORE INSERT ON entries BEGIN SELECT RAISE(ABORT, 'planted'); END")
    with pytest.raises(StoreUnavailable):
        await commit(ledger, charge(2))

    stranger.execute("PRAGMA busy_timeout = 0")
    stranger.execute("DROP TRIGGER full")


async def test_an_internal_error_while_deciding_keeps_the_connection_and_frees_the_lock(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    before = ledger._writer  # noqa: SLF001

    with pytest.raises(ZeroDivisionError):
        await ledger.commit([], lambda *_: 1 // 0, clock=lambda: MONDAY_US, lock_wait_seconds=1.0)

    stranger.execute("PRAGMA busy_timeout = 0")
    stranger.execute("BEGIN IMMEDIATE")
    stranger.execute("ROLLBACK")
    assert ledger._writer is before  # noqa: SLF001


async def test_proving_fails_while_the_store_takes_no_writes_and_succeeds_afterwards(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    stranger.execute("CREATE TRIGGER full BEFORE UPDATE ON heartbeat BEGIN SELECT RAISE(ABORT, 'planted'); END")
    with pytest.raises(StoreUnavailable):
        await ledger.prove(MONDAY_US)
    stranger.execute("DROP TRIGGER full")

    await ledger.prove(MONDAY_US)

    assert stranger.execute("SELECT at_us FROM heartbeat").fetchall() == [(MONDAY_US,)]


async def test_readers_that_leave_keep_no_connection(ledger: SqliteLedger) -> None:
    reads = [asyncio.create_task(all_entries(ledger)) for _ in range(30)]
    await asyncio.sleep(0)
    for read in reads[::2]:
        read.cancel()
    await asyncio.gather(*reads, return_exceptions=True)

    assert await asyncio.wait_for(asyncio.gather(*(spent(ledger) for _ in range(10))), 60) == [0] * 10


async def test_a_read_that_fails_says_so_and_the_next_one_works(
    ledger: SqliteLedger, stranger: sqlite3.Connection
) -> None:
    stranger.execute("ALTER TABLE counters RENAME TO hidden")
    with pytest.raises(StoreUnavailable, match="could not read"):
        await spent(ledger)
    stranger.execute("ALTER TABLE hidden RENAME TO counters")

    assert await spent(ledger) == 0


# --- Entries.


@pytest.mark.parametrize("statement", ["UPDATE entries SET cost_nano_usd = 1", "DELETE FROM entries"])
async def test_the_file_itself_refuses_every_change_of_an_entry(stranger: sqlite3.Connection, statement: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match="entries never change"):
        stranger.execute(statement)


async def test_a_number_that_no_column_holds_fails_its_batch_and_nothing_else(ledger: SqliteLedger) -> None:
    command = charge(5)._replace(event_at_us=2**63)

    with pytest.raises(OverflowError):
        await ledger.commit([command], partial(decide_all, [command]), clock=lambda: MONDAY_US, lock_wait_seconds=1.0)

    assert await spent(ledger) == 0
    await carry_out(ledger, charge(5))
    assert await spent(ledger) == 5
