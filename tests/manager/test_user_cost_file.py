"""A manager that makes a new database next to LiteLLM's file says so, with the command to type, and imports nothing."""

import json
import shlex
import warnings
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from budgetd import AsyncBudgetManager, BudgetManager, UserCostFileFound
from budgetd_server.cli import app
from tests.docs.pages import page

RECORD = {"total_budget": 10, "current_cost": 0.5, "model_cost": {"gpt-4o": 0.5}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with LiteLLM's file in it, and a name that a shell would take apart."""
    folder = tmp_path / "it's here"
    folder.mkdir()
    (folder / "user_cost.json").write_text(json.dumps({"alice": RECORD}, indent=4))
    monkeypatch.chdir(folder)
    monkeypatch.delenv("BUDGETD_DATABASE", raising=False)
    return folder


def test_the_manager_names_the_file_and_imports_nothing(folder: Path) -> None:
    size_bytes = (folder / "user_cost.json").stat().st_size

    with pytest.warns(UserCostFileFound) as caught, BudgetManager("project") as manager:
        assert manager.get_users() == []

    assert len(caught) == 1
    assert f"user_cost.json ({size_bytes:,} bytes)" in str(caught[0].message)
    assert caught[0].filename == __file__, "the warning points at the line that makes the manager"


def test_the_page_shows_what_it_says(folder: Path) -> None:
    (documented,) = (block.code for block in page("docs/litellm-compatibility.md").blocks() if "is new" in block.code)
    size_bytes = (folder / "user_cost.json").stat().st_size

    with pytest.warns(UserCostFileFound) as caught:
        BudgetManager("chat").close()

    text = str(caught[0].message).replace(str(folder), "/srv/chat").replace(f"({size_bytes} ", "(292,113 ")
    assert text == " ".join(documented.split())


@pytest.mark.parametrize("project", ["project", "two words; rm -rf *"])
@pytest.mark.parametrize("database", [None, "data.db", "sub/data.db", "{folder}/data.db", "sqlite:///data.db"])
def test_the_command_that_it_names_imports_the_file(folder: Path, project: str, database: str | None) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "user_cost.json").write_bytes((folder / "user_cost.json").read_bytes())
    place = None if database is None else database.format(folder=folder)
    with pytest.warns(UserCostFileFound) as caught:
        BudgetManager(project, database=place).close()
    program, *words = shlex.split(str(caught[0].message).rpartition(" type: ")[2])

    result = CliRunner().invoke(app, words)

    assert (program, result.exit_code) == ("budgetd", 0), result.output
    with BudgetManager(project, database=place) as manager:
        assert manager.user_dict == {"alice": RECORD}


async def test_the_awaited_manager_says_it_too(folder: Path) -> None:
    with pytest.warns(UserCostFileFound) as caught:
        manager = AsyncBudgetManager("project")
    async with manager:
        assert await manager.get_users() == []

    assert caught[0].filename == __file__


@pytest.fixture
def silent() -> Any:
    """Any warning is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_nothing_is_said_where_the_database_exists(folder: Path) -> None:
    with pytest.warns(UserCostFileFound):
        BudgetManager("project").close()

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BudgetManager("project").close()


def test_nothing_is_said_where_the_file_lies_elsewhere(folder: Path, silent: None) -> None:
    (folder / "sub").mkdir()

    BudgetManager("project", database=folder / "sub" / "data.db").close()


def test_nothing_is_said_where_there_is_no_file(folder: Path, silent: None) -> None:
    (folder / "user_cost.json").unlink()
    (folder / "user_cost.json").mkdir()

    BudgetManager("project").close()


def test_nothing_is_said_by_a_manager_of_a_server(folder: Path, address: str, silent: None) -> None:
    BudgetManager("project", client_type="hosted", api_base=address).close()
