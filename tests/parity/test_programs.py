"""The programs of LiteLLM's page run on ours with another import and another address, and have the same figures."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from budgetd import BudgetManager
from tests.client.server_process import ServerProcess
from tests.parity import programs
from tests.parity.comparing import Outcome, differences
from tests.parity.theirs import Theirs

PROGRAMS = (programs.quick_use, programs.texts, programs.hosted)
RUNS = (
    pytest.param(10, 1, id="one call"),
    pytest.param(10, 7, id="seven calls"),
    pytest.param(5e-5, 4, id="calls until the budget is spent"),
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    """A server whose file is empty: the programs choose their project themselves."""
    server = ServerProcess(tmp_path / "server.db")
    yield server
    server.kill()


def in_folder(monkeypatch: pytest.MonkeyPatch, _request: pytest.FixtureRequest, folder: Path) -> dict[str, Any]:
    """As it is imported: a file in the working folder."""
    monkeypatch.chdir(folder)
    return {}


def by_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, _folder: Path) -> dict[str, Any]:
    """Hosted, where the environment says."""
    monkeypatch.setenv("BUDGETD_ADDRESS", request.getfixturevalue("server").address)
    return {"client_type": "hosted"}


def by_address(_monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, _folder: Path) -> dict[str, Any]:
    """Hosted, where the program says."""
    return {"client_type": "hosted", "api_base": request.getfixturevalue("server").address}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize(("total_budget", "calls"), RUNS)
@pytest.mark.parametrize("arguments", [in_folder, by_environment, by_address], ids=lambda each: each.__name__)
def test_a_program_comes_to_the_same_figures(
    program: Callable[..., programs.Figures],
    total_budget: float,
    calls: int,
    arguments: Callable[..., dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    (tmp_path / "litellm").mkdir()
    ours_opener = partial(BudgetManager, **arguments(monkeypatch, request, tmp_path))
    theirs_opener = partial(Theirs, folder=tmp_path / "litellm")

    # Another process may go on with what the first one left.
    for _ in range(2):
        theirs = program(theirs_opener, total_budget=total_budget, calls=calls)
        ours = program(ours_opener, total_budget=total_budget, calls=calls)

        assert differences(Outcome(asdict(theirs)), Outcome(asdict(ours))) == []


def test_a_program_stops_when_its_budget_is_spent(tmp_path: Path) -> None:
    figures = programs.quick_use(partial(Theirs, folder=tmp_path), total_budget=5e-5, calls=4)

    assert [answer == programs.NO_BUDGET for answer in figures.answers] == [False, False, True, True]
    assert figures.current_cost == pytest.approx(7e-5)
    assert figures.model_cost == {"gpt-3.5-turbo": figures.current_cost}
