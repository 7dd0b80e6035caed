"""A real server for the commands of this folder, and a way to give them."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from budgetd_server.cli import app
from tests.rpc.running_server import LoopThread, RunningServer, Setup

Give = Callable[..., Result]

#: The settings of the person who runs the tests must not reach the commands.
VARIABLES = ("BUDGETD_ADDRESS", "BUDGETD_LISTEN", "BUDGETD_PROJECT", "BUDGETD_TOKEN", "COLUMNS")


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings of ours."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def loop_thread() -> Iterator[LoopThread]:
    """The one loop on which all servers of this process live."""
    loop = LoopThread()
    yield loop
    loop.close()


@pytest.fixture
def server(loop_thread: LoopThread, tmp_path: Path) -> Iterator[RunningServer]:
    """A server with nothing in it, and with a clock that tests move."""
    server = RunningServer(loop_thread, tmp_path, Setup())
    yield server
    server.stop()


@pytest.fixture
def give(server: RunningServer, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Gives a command to the program; its result has `exit_code`, `stdout` and `stderr`."""
    monkeypatch.setenv("BUDGETD_ADDRESS", server.address)
    monkeypatch.setenv("BUDGETD_PROJECT", "project")

    def given(*words: str, stdin: str | bytes | None = None) -> Result:
        return CliRunner().invoke(app, list(words), input=stdin)

    return given


@pytest.fixture
def done(give: Give) -> Callable[..., str]:
    """Gives a command that must succeed, and returns what it printed."""

    def output(*words: str, stdin: str | bytes | None = None) -> str:
        result = give(*words, stdin=stdin)
        assert (result.exit_code, result.stderr) == (0, "")
        return result.stdout

    return output
