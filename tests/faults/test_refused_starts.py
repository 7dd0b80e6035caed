"""What a server must not start on: one clear line on standard error, exit code 2; what is not ours is left alone."""

import os
import random
import socket
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from budgetd_server.ledger.sqlite.file import open_file
from tests.faults.calls import charge, new_budget
from tests.faults.lock import locked
from tests.faults.server_inside import serving
from tests.faults.server_process import run_to_end

ANY_PORT = "127.0.0.1:0"


async def refusal(database: Path, *, listen: str = ANY_PORT, http_listen: str = ANY_PORT) -> str:
    """Start a server that must refuse to; returns the one line that it says."""
    options = ("--database", str(database), "--listen", listen, "--http-listen", http_listen)
    code, output, errors = await run_to_end("serve", *options)

    assert (code, output) == (2, ""), errors
    assert errors.startswith("budgetd: ")
    assert errors.count("\n") == 1
    assert errors.endswith("\n")
    return errors


def make_garbage(path: Path) -> None:
    path.write_bytes(random.Random(1).randbytes(10_000))


def make_garbage_under_a_sound_head(path: Path) -> None:
    open_file(path, migrates=False)
    content = bytearray(path.read_bytes())
    content[4_096:] = random.Random(1).randbytes(len(content) - 4_096)
    path.write_bytes(content)


def make_a_truncated_file(path: Path) -> None:
    open_file(path, migrates=False)
    path.write_bytes(path.read_bytes()[: 2 * 4_096])


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(make_garbage, "is not a SQLite file", id="a file of garbage"),
        pytest.param(make_garbage_under_a_sound_head, "damaged", id="garbage in all pages but the first"),
        pytest.param(make_a_truncated_file, "damaged", id="a file cut off"),
    ],
)
async def test_a_damaged_file_is_refused(database: Path, damage: Callable[[Path], None], words: str) -> None:
    damage(database)

    line = await refusal(database)

    assert str(database) in line
    assert words in line


async def test_a_file_with_some_overwritten_pages_is_refused(database: Path) -> None:
    async with serving(database) as inside:
        await inside.stub.CreateBudget(new_budget())
        for number in range(200):
            await inside.stub.UpdateCost(charge(f"{number:064}", 1))
    content = bytearray(database.read_bytes())
    pages = len(content) // 4_096
    assert pages > 20
    for page in range(5, pages, pages // 5):
        content[page * 4_096 : (page + 1) * 4_096] = random.Random(page).randbytes(4_096)
    database.write_bytes(content)

    line = await refusal(database)

    assert str(database) in line
    assert "damaged" in line


def make_foreign(path: Path, *, journal_mode: str = "delete", application_id: int = 0, tables: int = 1) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA journal_mode = {journal_mode}")
    connection.execute(f"PRAGMA application_id = {application_id}")
    for number in range(tables):
        connection.execute(f"CREATE TABLE t{number} (a)")
    connection.commit()
    connection.close()


def make_newer(path: Path) -> None:
    open_file(path, migrates=False)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 9999")
    connection.close()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(make_foreign, "of another program", id="foreign"),
        pytest.param(lambda path: make_foreign(path, journal_mode="wal"), "of another program", id="foreign, WAL"),
        pytest.param(
            lambda path: make_foreign(path, application_id=0x1234, tables=0), "of another program", id="foreign, empty"
        ),
        pytest.param(make_newer, "of a newer version of budgetd (tables of version 9999", id="newer"),
    ],
)
async def test_a_foreign_or_newer_file_is_refused_and_not_a_byte_of_it_changed(
    database: Path, make: Callable[[Path], None], words: str
) -> None:
    make(database)
    before = database.read_bytes()

    line = await refusal(database)

    assert str(database) in line
    assert words in line
    assert database.read_bytes() == before
    assert [path.name for path in database.parent.iterdir()] == [database.name]


async def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    line = await refusal(tmp_path / "missing" / "ledger.db")

    assert str(tmp_path / "missing") in line
    assert list(tmp_path.iterdir()) == []


async def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    line = await refusal(tmp_path)

    assert str(tmp_path) in line
    assert "folder" in line


async def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")

    line = await refusal(tmp_path / "file" / "ledger.db")

    assert str(tmp_path / "file") in line
    assert (tmp_path / "file").read_text() == "content"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder that is read-only even for root")
async def test_a_folder_that_takes_no_files_is_refused() -> None:
    line = await refusal(Path("/proc/ledger.db"))

    assert "/proc/ledger.db" in line
    assert "cannot be opened for writing" in line


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to any folder")
async def test_a_folder_without_permission_to_write_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        line = await refusal(tmp_path / "ledger.db")
    finally:
        tmp_path.chmod(0o700)

    assert "cannot be opened for writing" in line


@pytest.fixture
def busy_address() -> Iterator[str]:
    """An address with a listener."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield f"127.0.0.1:{taken.getsockname()[1]}"


async def test_a_busy_grpc_port_is_refused(database: Path, busy_address: str) -> None:
    line = await refusal(database, listen=busy_address)

    assert f"cannot listen on {busy_address}" in line
    assert not database.exists()


async def test_a_busy_http_port_is_refused(database: Path, busy_address: str) -> None:
    line = await refusal(database, http_listen=busy_address)

    assert f"cannot listen on {busy_address}" in line
    assert not database.exists()


async def test_the_port_of_another_budgetd_is_refused_and_that_one_serves_on(database: Path) -> None:
    async with serving(database) as inside:
        line = await refusal(database, listen=inside.address)

        await inside.stub.CreateBudget(new_budget())
    assert f"cannot listen on {inside.address}" in line


@pytest.mark.drill
async def test_a_file_that_another_program_keeps_locked_is_refused(database: Path) -> None:
    open_file(database, migrates=False)

    with locked(database):
        line = await refusal(database)

    assert "locked by another program" in line


async def test_each_fault_of_a_price_file_has_a_line_of_its_own(database: Path, tmp_path: Path) -> None:
    faulty = tmp_path / "prices.toml"
    faulty.write_text(
        'version = 1\n[models."m"]\nwrong = 1\n[models."n"]\noutput_usd_per_mtok = "1"\n', encoding="utf-8"
    )

    code, _, errors = await run_to_end("serve", "--database", str(database), "--prices", str(faulty))

    first, *faults = errors.splitlines()
    assert (code, first) == (2, "budgetd: the price files cannot be used:")
    assert all(fault.startswith(f"  {faulty}: model ") for fault in faults)
    assert len(faults) == 2
    assert not database.exists()
