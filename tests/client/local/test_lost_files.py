"""A client without a server whose file is deleted, replaced or migrated while it is open: its calls say so."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from budgetd import errors
from budgetd_server.ledger.base import FileLost
from budgetd_server.ledger.sqlite.guard import FileGuard
from tests.client.local.ledgers import charge, local, read, spent, with_budget


def delete(path: Path) -> None:
    path.unlink()


def replace(path: Path) -> None:
    with_budget(path.with_name("other.db")).rename(path)


def link(path: Path) -> None:
    path.with_name("link.db").hardlink_to(path)


def migrate(path: Path) -> None:
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version = 9999")


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (delete, "cannot be found any more"),
        (replace, "was replaced by another file"),
        (link, "has 2 hard links"),
        (migrate, "tables of version 9999"),
    ],
)
def test_a_call_names_the_file_and_what_happened_to_it(
    tmp_path: Path, fault: Callable[[Path], None], words: str
) -> None:
    path = with_budget(tmp_path / "ledger.db")
    with local(path) as client:
        client.update_cost(charge())
        fault(path)

        for call in (lambda: client.update_cost(charge()), lambda: client.get_current_cost(read())):
            with pytest.raises(errors.DatabaseRefused, match=rf"ledger\.db.* {words}"):
                call()


def test_a_client_that_is_made_after_the_replacement_uses_the_new_file(tmp_path: Path) -> None:
    path = with_budget(tmp_path / "ledger.db")
    with local(path) as client:
        client.update_cost(charge(5))
        replace(path)
        with pytest.raises(errors.DatabaseRefused):
            client.update_cost(charge(5))
    for end in ("-wal", "-shm"):
        path.with_name(f"ledger.db{end}").unlink()  # They belong to the former file.

    assert spent(path) == 0


def test_the_file_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    path = with_budget(tmp_path / "ledger.db")
    with local(path) as client:
        link(path)
        with pytest.raises(errors.DatabaseRefused):
            client.update_cost(charge(5, budget_id="b"))
        path.with_name("link.db").unlink()

        before = client.get_current_cost(read()).current_cost_nano_usd
        client.update_cost(charge(5))

        assert client.get_current_cost(read()).current_cost_nano_usd == before + 5


def test_a_charge_refused_after_its_commit_counts_once_when_it_is_sent_again_under_the_same_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, request = with_budget(tmp_path / "ledger.db"), charge(5)

    def check_place(_: FileGuard) -> None:
        with closing(sqlite3.connect(path)) as other:
            entries = other.execute("SELECT count(*) FROM entries").fetchone()[0]
        if entries > 1:  # Others see the charge in addition to the creation: it is committed.
            raise FileLost(f"{path} was moved")

    with local(path) as client:
        client.get_current_cost(read())
        with monkeypatch.context() as patch:
            patch.setattr(FileGuard, "check_place", check_place)
            with pytest.raises(errors.DatabaseRefused) as refused:
                client.update_cost(request)
        request.request_id = refused.value.request_id

        assert client.update_cost(request).replayed
        assert client.get_current_cost(read()).current_cost_nano_usd == 5
