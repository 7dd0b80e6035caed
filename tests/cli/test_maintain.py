"""`budgetd migrate`: what it says of a new file, an older one, and one that is up to date."""

import json
from pathlib import Path

from typer.testing import CliRunner

from budgetd_server.cli import app
from budgetd_server.ledger.sqlite.migrations import newest_version
from tests.ledger.older_files import make_older


def migrate(path: Path, *options: str) -> str:
    done = CliRunner().invoke(app, ["migrate", "--database", str(path), *options])
    assert done.exit_code == 0, done.output
    return done.output


def test_a_migration_reports_the_versions_and_where_the_copy_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_older(path, 1)

    first, second = migrate(path), migrate(path)

    assert first.splitlines() == [
        f"migrated from version 1 to {newest_version()}",
        f"the file as it was before: {path}.before-1",
        "up to date",
    ]
    assert second == "up to date\n"


def test_programs_receive_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    make_older(path, 1)

    first, second = (json.loads(migrate(path, "--json")) for _ in range(2))

    versions = {"from_version": 1, "to_version": newest_version()}
    assert first == {"database": str(path), **versions, "copy": f"{path}.before-1"}
    assert second == {"database": str(path)}


def test_a_new_file_is_made_without_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    assert migrate(path) == f"made a new database: there was no {path}\nup to date\n"

    assert [each.name for each in tmp_path.iterdir()] == ["new.db"]


def test_programs_learn_that_a_file_was_made(tmp_path: Path) -> None:
    path = tmp_path / "new.db"

    assert json.loads(migrate(path, "--json")) == {"database": str(path), "created": True}
