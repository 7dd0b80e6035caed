"""The programs of LiteLLM's page, with LiteLLM's class and one's own address, have the same figures on budgetd."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.client.server_process import ServerProcess
from tests.parity import programs
from tests.parity.comparing import Outcome, differences
from tests.parity.hosted.dictionary_server import DictionaryServer
from tests.parity.hosted.run_programs import run
from tests.parity.test_programs import PROGRAMS, RUNS
from tests.rpc.running_server import RunningServer

REPOSITORY = Path(__file__).parents[3]
#: A budget and how many calls each process asks for: the second one finds the budget spent on its way.
ARGUMENTS = ("2e-4", "4")


def run_in_a_process(program: Callable[..., Any], *api_bases: str) -> list[dict[str, Any]]:
    """The result of a program in its own process on each server."""
    command = [sys.executable, "-m", "tests.parity.hosted.run_programs", program.__name__, *ARGUMENTS, *api_bases]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    come_to: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return come_to


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
@pytest.mark.parametrize(("total_budget", "calls"), RUNS)
def test_a_program_comes_to_the_same_figures(
    program: Callable[..., programs.Figures],
    total_budget: float,
    calls: int,
    dictionary: DictionaryServer,
    budgetd: RunningServer,
) -> None:
    ours_base = f"http://127.0.0.1:{budgetd.server.http_port}"

    # The next one goes on with what the first one left.
    for _ in range(2):
        theirs = run(program, dictionary.api_base, total_budget=total_budget, calls=calls, saves_again=True)
        ours = run(program, ours_base, total_budget=total_budget, calls=calls, saves_again=False)

        assert differences(Outcome(theirs), Outcome(ours)) == []
        budgetd.clock.advance(seconds=20)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
def test_another_process_goes_on_with_what_the_first_one_left_before_a_power_cut(
    program: Callable[..., programs.Figures], dictionary: DictionaryServer, tmp_path: Path
) -> None:
    server = ServerProcess(tmp_path / "server.db", has_http=True)
    try:
        for _ in range(2):
            theirs, ours = run_in_a_process(program, dictionary.api_base, f"http://127.0.0.1:{server.http_port}")

            assert differences(Outcome(theirs), Outcome(ours)) == []
            server.kill()
            server.restart()
    finally:
        server.kill()
