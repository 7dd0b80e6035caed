"""A file that is deleted, replaced, linked or migrated while it is open: nothing is acknowledged, nothing is read."""

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from budgetd_server.domain.errors import StoreUnavailable
from budgetd_server.ledger.base import FileLost, FileOutdated, LedgerRefused
from budgetd_server.ledger.sqlite import place
from budgetd_server.ledger.sqlite.file import open_file
from budgetd_server.ledger.sqlite.ledger import SqliteLedger
from budgetd_server.ledger.sqlite.migrations import newest_version
from budgetd_server.ledger.sqlite.verify import verify_file
from tests.domain.desk import ALICE, MONDAY_US, PROJECT, charge, create
from tests.ledger.lost_files import Fault, delete, leave_link, link, move, replace
from tests.ledger.stores import carry_out

PLACE = (PROJECT, ALICE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "budgetd.db"


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[SqliteLedger]:
    """A ledger with alice in it, who has spent 5."""
    ledger = await SqliteLedger.open(path)
    await carry_out(ledger, create(), charge(5))
    yield ledger
    await ledger.close()


def with_suffix(path: Path, end: str) -> Path:
    return path.with_name(path.name + end)


def copy_over(path: Path) -> None:
    """The same bytes under another inode."""
    shutil.copy(path, with_suffix(path, ".copy"))
    with_suffix(path, ".copy").rename(path)


FAULTS = [
    pytest.param(delete, "cannot be found any more", id="deleted"),
    pytest.param(move, "cannot be found any more", id="renamed"),
    pytest.param(replace, "was replaced by another file", id="replaced"),
    pytest.param(copy_over, "was replaced by another file", id="replaced by a copy"),
    pytest.param(link, "has 2 hard links", id="linked"),
    pytest.param(leave_link, "was replaced by a symbolic link", id="renamed, with a link left"),
]


@pytest.mark.parametrize("end", ["", "-wal", "-shm"], ids=["the file", "the log", "the index"])
@pytest.mark.parametrize(("fault", "words"), [each for each in FAULTS if each.id != "replaced"])
async def test_nothing_is_acknowledged_after_a_fault_of_the_file_or_of_its_log(
    ledger: SqliteLedger, path: Path, fault: Fault, words: str, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    with with_suffix(path, "-wal").open("rb") as log:
        before = log.read()
        fault(with_suffix(path, end))
        with pytest.raises(StoreUnavailable) as refusal:
            await carry_out(ledger, charge(7))
        log.seek(0)
        assert log.read() == before, "another program may have written there since"
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await carry_out(ledger, charge(7))
        with pytest.raises(StoreUnavailable):
            await ledger.load_budgets([PLACE])
        with pytest.raises(StoreUnavailable):
            await ledger.prove(MONDAY_US)
        with pytest.raises(StoreUnavailable):
            await ledger.check()

    assert refusal.value.metadata == {"kind": "file_lost"}
    assert str(path) not in str(refusal.value)
    assert isinstance(ledger.trouble, FileLost)
    logged = [record.getMessage() for record in caplog.records if record.name == "budgetd_server.ledger.sqlite.ledger"]
    assert len(logged) == 1, "once, however often it fails"
    assert str(with_suffix(path, end)) in logged[0]
    assert words in logged[0]
    assert "so all calls fail" in logged[0]


async def test_a_file_that_has_taken_the_place_is_never_used(ledger: SqliteLedger, path: Path) -> None:
    replace(path)
    before = path.read_bytes()

    for _ in range(3):
        with pytest.raises(StoreUnavailable):
            await carry_out(ledger, charge(7))
    await ledger.close()

    assert path.read_bytes() == before


@pytest.mark.parametrize("ends", [("-wal",), ("-shm",), ("-wal", "-shm")], ids=" and ".join)
async def test_a_log_of_others_is_left_alone_when_the_ledger_is_closed(
    ledger: SqliteLedger, path: Path, ends: tuple[str, ...]
) -> None:
    for end in ends:
        with_suffix(path, end).rename(with_suffix(path, f"{end}-of-this-program"))
        with_suffix(path, end).write_bytes(b"of another program")
    log, file = with_suffix(path, "-wal").read_bytes(), path.read_bytes()

    await ledger.close()

    assert (with_suffix(path, "-wal").read_bytes(), path.read_bytes()) == (log, file)


async def test_a_log_that_was_deleted_is_in_the_file_once_the_ledger_is_closed(
    ledger: SqliteLedger, path: Path
) -> None:
    with_suffix(path, "-wal").unlink()

    await ledger.close()

    assert verify_file(path).counts["entries"] == 2
    assert not with_suffix(path, "-wal").exists()


@pytest.mark.parametrize("ends", [("-wal",), ("-wal", "-shm")], ids=" and ".join)
async def test_a_file_whose_log_was_deleted_in_use_is_not_opened_until_the_log_is_in_it(
    ledger: SqliteLedger, path: Path, ends: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(place, "WAIT_SECONDS", 0.02)
    for end in ends:
        with_suffix(path, end).unlink()

    for use in (lambda: open_file(path, migrates=False), lambda: verify_file(path)):
        with pytest.raises(
            LedgerRefused, match=r"its log .*-wal was deleted, moved or replaced: .*by SIGTERM: it writes"
        ):
            use()
    assert not with_suffix(path, "-wal").exists(), "a second log would keep the first one from getting into the file"
    await ledger.close()

    open_file(path, migrates=False)
    assert verify_file(path).counts["entries"] == 2


async def test_an_empty_log_of_a_program_that_only_reads_does_not_cost_what_was_committed(
    ledger: SqliteLedger, path: Path
) -> None:
    with_suffix(path, "-wal").unlink()
    with closing(sqlite3.connect(path)) as reader, pytest.raises(sqlite3.OperationalError):
        reader.execute("SELECT * FROM entries")
    assert with_suffix(path, "-wal").read_bytes() == b""

    for use in (lambda: open_file(path, migrates=False), lambda: verify_file(path)):
        with pytest.raises(LedgerRefused, match=r"its log .* was deleted, moved or replaced"):
            use()
    await ledger.close()

    assert verify_file(path).counts["entries"] == 2


async def test_a_file_whose_log_was_deleted_after_a_kill_is_sound_and_as_of_the_last_checkpoint(
    ledger: SqliteLedger, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await ledger.prove(MONDAY_US)
    for end in ("", "-shm"):
        shutil.copy(with_suffix(path, end), with_suffix(path, f"{end}.kept"))
    await ledger.close()
    for end in ("", "-shm"):
        with_suffix(path, f"{end}.kept").rename(with_suffix(path, end))

    open_file(path, migrates=False)

    (warning,) = caplog.messages
    lost = "if the log was deleted, what was committed after the last checkpoint is lost"
    assert warning.startswith(f"{path}-wal is missing, but its index exists: {lost}")
    report = verify_file(path)
    assert (report.deviations, report.counts["entries"]) == ([], 0)
    caplog.clear()
    open_file(path, migrates=False)
    assert caplog.messages == []


async def test_a_file_that_goes_while_a_batch_commits_is_noticed_before_its_answer(
    ledger: SqliteLedger, path: Path
) -> None:
    command = charge(7)

    with pytest.raises(StoreUnavailable):
        await ledger.commit([command], lambda *_: path.unlink(), clock=lambda: MONDAY_US, lock_wait_seconds=1.0)


async def test_a_file_that_goes_during_a_commit_is_noticed_before_the_answer(ledger: SqliteLedger, path: Path) -> None:
    assert ledger._writer is not None  # noqa: SLF001
    commits: list[str] = []

    def goes(statement: str) -> None:
        if statement == "COMMIT":
            commits.append(statement)
            path.unlink()

    await ledger._writer.set_trace_callback(goes)  # noqa: SLF001

    with pytest.raises(StoreUnavailable):
        await carry_out(ledger, charge(7))
    assert commits == ["COMMIT"], "it was there before"


@pytest.mark.parametrize(
    ("fault", "mend"),
    [
        pytest.param(move, lambda path: path.with_name("moved.db").rename(path), id="renamed and back"),
        pytest.param(link, lambda path: path.with_name("link.db").unlink(), id="linked, and the link deleted"),
        pytest.param(
            leave_link, lambda path: path.with_name("real.db").replace(path), id="renamed with a link left, and back"
        ),
    ],
)
async def test_the_file_that_is_open_is_used_again_when_it_is_back(
    ledger: SqliteLedger, path: Path, fault: Fault, mend: Fault
) -> None:
    fault(path)
    with pytest.raises(StoreUnavailable):
        await carry_out(ledger, charge(7, request_id="seven"))
    mend(path)

    await carry_out(ledger, charge(7, request_id="seven"))

    assert (await ledger.load_budgets([PLACE]))[PLACE].main.sums.cost_nano_usd == 12
    assert ledger.trouble is None


# --- Names.


def test_a_file_with_a_second_hard_link_is_not_opened(path: Path) -> None:
    open_file(path, migrates=False)
    link(path)

    with pytest.raises(LedgerRefused, match=r"budgetd\.db has 2 hard links"):
        open_file(path, migrates=True)


async def test_a_symbolic_link_is_accepted_and_the_log_is_next_to_the_file_itself(path: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    by_link = tmp_path / "links" / "ledger.db"
    by_link.symlink_to(path)
    one, other = await SqliteLedger.open(by_link), await SqliteLedger.open(path)

    await carry_out(one, create(), charge(5))
    await carry_out(other, charge(7))
    names = sorted(each.name for each in tmp_path.glob("budgetd.db*"))
    spent = (await one.load_budgets([PLACE]))[PLACE].main.sums.cost_nano_usd
    await one.close()
    await other.close()

    assert spent == 12
    assert names == ["budgetd.db", "budgetd.db-shm", "budgetd.db-wal"]
    assert list(by_link.parent.iterdir()) == [by_link]


async def test_a_symbolic_link_that_leads_elsewhere_is_noticed(path: Path, tmp_path: Path) -> None:
    by_link = tmp_path / "link.db"
    by_link.symlink_to(path)
    ledger = await SqliteLedger.open(by_link)
    await carry_out(ledger, create())
    path.rename(tmp_path / "moved.db")
    by_link.unlink()
    by_link.symlink_to(tmp_path / "moved.db")  # The same file, but its log lies elsewhere.

    with pytest.raises(StoreUnavailable):
        await carry_out(ledger, charge(7))

    await ledger.close()


async def test_a_renamed_folder_with_a_link_left_is_the_same_place_for_everybody(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "budgetd.db"
    first = await SqliteLedger.open(path)
    await carry_out(first, create(), charge(5))
    folder.rename(tmp_path / "renamed")
    folder.symlink_to("renamed")
    second = await SqliteLedger.open(path)

    await carry_out(second, charge(7))
    await carry_out(first, charge(11))
    found = [(await each.load_budgets([PLACE]))[PLACE].main.sums.cost_nano_usd for each in (first, second)]
    names = sorted(each.name for each in path.parent.iterdir())
    await first.close()
    await second.close()

    assert found == [23, 23]
    assert names == ["budgetd.db", "budgetd.db-shm", "budgetd.db-wal"]


async def test_a_link_that_was_made_again_is_noticed_although_it_leads_to_the_same_file(
    path: Path, tmp_path: Path
) -> None:
    by_link = tmp_path / "link.db"
    by_link.symlink_to(path)
    ledger = await SqliteLedger.open(by_link)
    await carry_out(ledger, create())
    (tmp_path / "another").symlink_to(path)
    (tmp_path / "another").replace(by_link)

    with pytest.raises(StoreUnavailable):
        await carry_out(ledger, charge(7))

    assert "link.db was replaced by another link" in str(ledger.trouble)
    await ledger.close()


# --- Versions.


async def test_an_older_process_notices_a_migration_before_its_next_commit(
    ledger: SqliteLedger, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {newest_version() + 1}")

    with pytest.raises(StoreUnavailable) as refusal:
        await carry_out(ledger, charge(7))
    with pytest.raises(StoreUnavailable):
        await carry_out(ledger, charge(7))

    assert refusal.value.metadata == {"kind": "outdated"}
    assert isinstance(ledger.trouble, FileOutdated)
    assert ledger.outdated.is_set()
    (logged,) = [
        record.getMessage() for record in caplog.records if record.name == "budgetd_server.ledger.sqlite.ledger"
    ]
    assert f"{path} now has tables of version {newest_version() + 1}" in logged
    with closing(sqlite3.connect(path)) as newer:
        assert newer.execute("SELECT count(*) FROM entries WHERE kind = 1").fetchone() == (1,)


async def test_an_idle_older_process_notices_a_migration_when_it_looks(ledger: SqliteLedger, path: Path) -> None:
    with closing(sqlite3.connect(path)) as newer:
        newer.execute(f"PRAGMA user_version = {newest_version() + 1}")

    with pytest.raises(StoreUnavailable):
        await ledger.check()

    await asyncio.wait_for(ledger.outdated.wait(), 10)
