"""The program itself: it starts quickly, explains itself, and its page is complete."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from budgetd_server.cli import COMMANDS, CommandGroup, app
from tests.docs import blocks
from tests.docs.pages import page
from tests.rpc.running_server import RunningServer

#: What only the server needs, and what takes long to import.
HEAVY = (
    "aiosqlite",
    "budgetd_server.app",
    "budgetd_server.prices",
    "prometheus_client",
    "starlette",
    "tiktoken",
    "uvicorn",
)
ASKING = ("health", "create", "charge", "show", "list", "reset", "import", "export")
PAGE = page("docs/cli.md")
PROGRAM = (sys.executable, "-m", "budgetd_server")


def command_of(name: str) -> Any:
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    return group.get_command(None, name)


def options_of(name: str) -> Iterator[str]:
    for parameter in command_of(name).params:
        yield from (option for option in parameter.opts if option.startswith("--"))


@pytest.mark.parametrize("name", ASKING)
def test_a_command_that_asks_a_server_loads_nothing_of_one(name: str) -> None:
    code = f"""
import sys
from typer.testing import CliRunner
from budgetd_server.cli import app
CliRunner().invoke(app, [{name!r}, '--help'])
assert 'budgetd_server.cli.{COMMANDS[name].module}' in sys.modules
print(*(name for name in {HEAVY!r} if name in sys.modules))
"""

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == ""


def test_help_loads_neither_a_command_nor_grpc() -> None:
    code = """
import sys
from typer.testing import CliRunner
from budgetd_server.cli import app
assert CliRunner().invoke(app, ['--help']).exit_code == 0
print(*(name for name in sys.modules if name in ('grpc', 'rich') or name.startswith('budgetd_server.cli.')))
"""

    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    assert done.stdout.strip() == ""


def test_the_package_runs_as_a_program() -> None:
    done = subprocess.run([*PROGRAM, "--version"], check=True, capture_output=True, text=True)

    assert done.stdout.startswith("budgetd-server ")


def test_help_lists_every_command() -> None:
    printed = CliRunner().invoke(app, ["--help"]).stdout

    assert [
        name for name, command in COMMANDS.items() if f"  {name} " not in printed or command.summary not in printed
    ] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_every_option(name: str) -> None:
    command = command_of(name)

    assert command.help
    assert [parameter.name for parameter in command.params if not parameter.help and parameter.name != "help"] == []


@pytest.mark.parametrize(
    "words", [(), ("nonsense",), ("show",), ("show", "a", "b"), ("list", "--nonsense")], ids=" ".join
)
def test_wrong_usage_is_exit_code_2(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, list(words)).exit_code == 2


@pytest.mark.parametrize(("typed", "meant"), [("chrage", "charge"), ("lst", "list"), ("hlep", "help")])
def test_a_command_that_is_mistyped_is_suggested(typed: str, meant: str) -> None:
    result = CliRunner().invoke(app, [typed])

    assert result.exit_code == 2
    assert f"No such command '{typed}'. Did you mean" in result.stderr
    assert meant in result.stderr.partition("Did you mean ")[2]


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("words", [("{}", "-h"), ("help", "{}")], ids=" ".join)
def test_help_is_found_however_it_is_asked_for(name: str, words: tuple[str, ...]) -> None:
    asked = CliRunner().invoke(app, [word.format(name) for word in words])

    assert (asked.exit_code, asked.stderr) == (0, "")
    assert asked.stdout == CliRunner().invoke(app, [name, "--help"]).stdout


@pytest.mark.parametrize("words", [("-h",), ("help",), ("help", "help")], ids=" ".join)
def test_help_of_no_command_lists_them_all(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(app, list(words)).stdout == CliRunner().invoke(app, ["--help"]).stdout


def test_help_of_a_command_that_does_not_exist_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["help", "chrage"])

    assert result.exit_code == 2
    assert "Did you mean charge" in result.stderr


def test_an_argument_that_is_no_utf8_is_wrong_usage() -> None:
    done = subprocess.run([*PROGRAM, "show", b"\xff"], check=False, capture_output=True, text=True)

    assert done.returncode == 2
    assert "arguments must be UTF-8" in done.stderr


@pytest.mark.usefixtures("brief_search")
def test_a_server_that_does_not_answer_is_one_line_and_exit_code_1() -> None:
    result = CliRunner().invoke(app, ["show", "alice", "--address", "127.0.0.1:1"])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("budgetd: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_the_page_has_a_section_for_every_command(name: str) -> None:
    assert f"budgetd-{name}" in PAGE.anchors()


@pytest.mark.parametrize("name", ASKING)
def test_the_page_names_every_option_of_the_commands_that_ask(name: str) -> None:
    section = PAGE.text.partition(f"\n## budgetd {name}\n")[2].partition("\n## ")[0]

    assert [option for option in options_of(name) if option not in section and option != "--help"] == []


def test_the_commands_of_the_page_do_what_it_says(server: RunningServer, tmp_path: Path) -> None:
    assert blocks.unmarked(PAGE) == []
    assert blocks.run(PAGE, blocks.Place(tmp_path, server.address)) > 0
